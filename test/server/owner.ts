/** Run as a process of its own by `lifetime.test.ts`: provides servers, tells about them, then does as it was told. */
import {
  provideGalera,
  provideRedis,
  provideServer,
  ServerUnavailableError,
} from '../../scripts/server';
import { PrivateServer } from '../../scripts/server/private-server';

type Running = Pick<PrivateServer, 'pid' | 'keeperPid'> & { readonly folder?: string };

async function provide(what: string | undefined): Promise<readonly Running[]> {
  if (what === 'redis') return [await provideRedis()];
  const servers =
    what === 'galera'
      ? (await provideGalera()).nodes
      : [await provideServer({ env: { ...process.env, DATABASE_URL: '' } })];
  return servers.map((server) => {
    if (!(server instanceof PrivateServer)) throw new Error('these tests need a private server');
    return server;
  });
}

async function main(what: string | undefined, then: string | undefined): Promise<void> {
  const provided = await provide(what).catch((error: unknown) => {
    // a machine may well have a database server and nothing else
    if (what === undefined || what === 'server' || !(error instanceof ServerUnavailableError))
      throw error;
    process.stderr.write(`skipped: ${error.message}\n`);
    return [];
  });
  const running = provided.map(({ pid, keeperPid, folder }) => ({
    pid,
    keeperPid,
    folder,
  }));
  process.stdout.write(`${JSON.stringify(running)}\n`);
  // "forget" has nothing left to do and must be able to end
  if (then === 'wait') setInterval(() => undefined, 60_000);
  if (then === 'throw')
    setImmediate(() => {
      throw new Error('a crash on purpose');
    });
}

void main(process.argv[2], process.argv[3]);
