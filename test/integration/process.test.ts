import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { begun } from '../support/monitor-bench';
import { onEachServer } from '../support/servers';

const FIXTURES = join(__dirname, '..', 'fixtures');

/** In ms; shorter than the idle timeout of what is never ended. */
const LONGEST = 45_000;

jest.setTimeout(60_000);

/** Runs a fixture as a program of its own and waits for its end. */
async function run(fixture: string, address: string): Promise<{ code: unknown; said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(FIXTURES, fixture)], {
    env: { ...process.env, DATABASE_ADDRESS: address },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LONGEST,
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { code, said };
}

it('a program that is watched exits when its own work is over, whoever has the dashboard open', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', join(FIXTURES, 'monitored.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: LONGEST,
  });
  const closed = once(child, 'close');
  const [url] = (await once(child.stdout, 'data')) as [Buffer];
  const page = await begun(`${url.toString()}/api/events`);
  // Its end is no ordinary one.
  page.on('error', () => {});
  await once(page, 'data');
  child.stdin.end('go on');
  expect(await closed).toEqual([0, null]);
});

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
