import type { ServerContext, ServerHandle } from './server-handle';
import { defaultOrder, kindRow } from './server-kinds';
import { ServerStartError } from './server-start-error';
import { reasonOf, ServerUnavailableError } from './server-unavailable-error';

export interface ServerOptions extends Partial<ServerContext> {
  /** A row of `serverKinds`. @default `DATABASE_URL` if set, else the first of `defaultOrder` that can be had */
  readonly kind?: string;
}

const nothing = (): void => undefined;

/**
 * Provides a running server with an empty database and an account that may do everything. Several may run at once.
 *
 * The caller calls `stop()`. When this process ends without, a private server is stopped and removed all the same,
 * whatever ended the process. A server that happens to run on this machine is not touched unless `DATABASE_URL` says so.
 *
 * Rejects with `ServerUnavailableError`, whose message is the reason, when there is no such server to be had here, and
 * with `ServerStartError` when one that was asked for by its kind does not start. With `DATABASE_URL` set and no kind asked for,
 * no other server is used in its place.
 */
export async function provideServer(options: ServerOptions = {}): Promise<ServerHandle> {
  const context: ServerContext = {
    settings: options.settings ?? [],
    env: options.env ?? process.env,
    log: options.log ?? nothing,
    progress: options.progress ?? nothing,
  };
  const server = await find(options.kind, context);
  context.log(`The server is ${server.origin}.`);
  return server;
}

async function find(kind: string | undefined, context: ServerContext): Promise<ServerHandle> {
  if (kind !== undefined) return provide(kind, context);
  if (context.env['DATABASE_URL']) return provide('database-url', context);
  const reasons: string[] = [];
  for (const candidate of defaultOrder) {
    try {
      return await provide(candidate, context);
    } catch (error) {
      context.log(`no server from ${reasonOf(error)}`);
      reasons.push(reasonOf(error));
    }
  }
  throw new ServerUnavailableError(
    'default',
    'no database server could be had; install MariaDB or MySQL (so that mariadbd or mysqld is on PATH) or Docker, ' +
      `or set DATABASE_URL=mysql://user:password@host:port/ (tried: ${reasons.join('; ')})`,
  );
}

async function provide(kind: string, context: ServerContext): Promise<ServerHandle> {
  const row = kindRow(kind);
  context.progress({ phase: 'find', detail: kind });
  try {
    return await row.provide(context);
  } catch (error) {
    if (error instanceof ServerUnavailableError || error instanceof ServerStartError) throw error;
    throw new ServerUnavailableError(kind, `${kind}: ${reasonOf(error)}`, { cause: error });
  }
}
