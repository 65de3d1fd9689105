import {
  provideServer,
  ServerUnavailableError,
  type ServerHandle,
  type ServerOptions,
} from '../../scripts/server';
import { SERVERS_VARIABLE, describeServer } from './servers';

/**
 * The servers that the integration tests run on: one row each. `default` is whatever can be had
 * first (see scripts/server); the others are skipped, and said so, where they cannot be had.
 */
const SERVERS: readonly ServerOptions[] = [{}, { kind: 'mariadb-11.8' }, { kind: 'mysql-9.7' }];

/**
 * A commit is given to the system, which keeps it also when the server is killed, and no test cuts the
 * power: with a disk that both workers write to, each commit would take as long as the disk likes.
 */
const SETTINGS = ['--innodb-flush-log-at-trx-commit=2', '--sync-binlog=0'];

interface Started {
  readonly handles: ServerHandle[];
}

/** Jest runs this once per project; the servers are started for the first and serve all. */
const KEY = Symbol.for('mysql-boomerang/test-servers');
const registry = globalThis as typeof globalThis & { [KEY]?: Started };

async function start(options: ServerOptions): Promise<ServerHandle | undefined> {
  try {
    return await provideServer({ settings: SETTINGS, ...options });
  } catch (error) {
    if (options.kind === undefined || !(error instanceof ServerUnavailableError)) throw error;
    process.stderr.write(`\nskipped: no tests on ${options.kind}: ${error.message}\n`);
    return undefined;
  }
}

export default async function globalSetup(): Promise<void> {
  if (registry[KEY] !== undefined || process.env[SERVERS_VARIABLE] !== undefined) return;
  registry[KEY] = { handles: [] };
  const started = await Promise.all(SERVERS.map(start));
  const handles = started.filter((handle) => handle !== undefined);
  registry[KEY] = { handles };
  process.env[SERVERS_VARIABLE] = JSON.stringify(handles.map(describeServer));
  for (const { version, origin } of handles)
    process.stderr.write(`\ntesting on ${version} (${origin})\n`);
}

/** For global-teardown: stops what was started. A second call finds nothing. */
export async function stopServers(): Promise<void> {
  const handles = registry[KEY]?.handles ?? [];
  registry[KEY] = { handles: [] };
  await Promise.all(handles.map((handle) => handle.stop()));
}
