import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onEachServer } from '../support/servers';

const FIXTURES = join(__dirname, '..', 'fixtures');

/** Runs a fixture as a program of its own and waits for its end. */
async function run(fixture: string, address: string): Promise<{ code: unknown; said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(FIXTURES, fixture)], {
    env: { ...process.env, DATABASE_ADDRESS: address },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { code, said };
}

onEachServer((bench) => {
  const address = (): string => {
    const { host, port, user, password } = bench.server;
    return `mysql://${user}:${password}@${host}:${port}/${bench.schema}`;
  };

  it('a program that never calls end() exits when it is idle', async () => {
    // With minIdle 1 and an idleTimeout of a minute nothing but the exit ends its sessions.
    expect(await run('never-ended.ts', address())).toEqual({ code: 0, said: 'idle' });
  });

  it('a program whose only work left is waiting for a connection does not exit before it has its answer', async () => {
    const { code, said } = await run('waits-for-connection.ts', address());
    expect({ code, said }).toEqual({ code: 0, said: 'PoolExhaustedError\n' });
  });
});
