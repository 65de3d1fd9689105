import type { DatabaseOptions } from '../../src/index';
import { provideServer, type ServerHandle } from '../server';

export { ServerUnavailableError } from '../server';

/** The one place where the demo meets the project's own servers. */
export type DemoServer = ServerHandle;

/** A server of our own, or the one `DATABASE_URL` names. `kind` is a row of scripts/server/server-kinds.ts. */
export function openServer(kind: string | undefined): Promise<DemoServer> {
  return provideServer({
    log: (line) => console.log(`  ${line}`),
    ...(kind === undefined ? {} : { kind }),
  });
}

/** How to reach the server's database made for this run. */
export function address({ url }: DemoServer): DatabaseOptions {
  return { uri: url };
}

/** How to reach the server with no database chosen. */
export function addressWithoutDatabase({ url }: DemoServer): DatabaseOptions {
  const bare = new URL(url);
  bare.pathname = '/';
  return { uri: bare.href };
}
