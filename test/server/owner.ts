/** Run as a process of its own by `lifetime.test.ts`: provides a server, tells about it, then does as it was told. */
import { provideServer } from '../../scripts/server';
import { PrivateServer } from '../../scripts/server/private-server';

async function main(then: string | undefined): Promise<void> {
  const server = await provideServer({ env: { ...process.env, DATABASE_URL: '' } });
  if (!(server instanceof PrivateServer)) throw new Error('these tests need a private server');
  const { pid, keeperPid, folder } = server;
  process.stdout.write(`${JSON.stringify({ pid, keeperPid, folder })}\n`);
  // "forget" has nothing left to do and must be able to end
  if (then === 'wait') setInterval(() => undefined, 60_000);
  if (then === 'throw')
    setImmediate(() => {
      throw new Error('a crash on purpose');
    });
}

void main(process.argv[2]);
