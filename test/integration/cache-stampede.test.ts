import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CacheBench } from '../support/cache-bench';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

const PROGRAM = join(__dirname, '..', 'fixtures', 'cache-worker.ts');
const PROCESSES = 8;
const CALLERS = 50;
/** Longer than a process of so many may have to wait for its turn. */
const LEASE = 20_000;
/** Of which it is waited that it runs out. */
const SHORT_LEASE = 4000;

const workers: ChildProcess[] = [];

async function start(): Promise<void> {
  const worker = spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  workers.push(worker);
  await once(worker, 'message');
}

afterAll(async () => {
  const ends = workers.map((worker) => once(worker, 'exit'));
  for (const worker of workers) worker.send('stop');
  await Promise.all(ends);
});

onEachServer((bench) => {
  new CacheBench(bench);
  const { user, password, host, port } = bench.server;
  const address = `mysql://${user}:${password}@${host}:${port}/${bench.schema}`;

  beforeAll(async () => {
    await bench.sql(`CREATE TABLE ${bench.schema}.made (name VARCHAR(20), pid INT)`);
    // The same for all servers: it takes seconds until so many have started.
    await Promise.all(Array.from({ length: PROCESSES - workers.length }, start));
  }, 60_000);

  /** Who has begun to make it, in this order. */
  async function made(key: string): Promise<number[]> {
    const rows = await bench.sql(`SELECT pid FROM ${bench.schema}.made WHERE name = ?`, [key]);
    return rows.map(({ pid }) => Number(pid));
  }

  async function wanted(
    key: string,
    takes: number,
    among: readonly ChildProcess[],
  ): Promise<string[]> {
    const answers = among.map(
      (worker) => once(worker, 'message') as Promise<[{ values: string[] }]>,
    );
    for (const worker of among) {
      worker.send({ address, key, callers: CALLERS, takes, fillLease: LEASE });
    }
    const all = await Promise.all(answers);
    return [...new Set(all.flatMap(([{ values }]) => values))];
  }

  it(`${PROCESSES} processes of ${CALLERS} callers each: the factory runs once, and all have its value`, async () => {
    for (const [key, takes] of [
      ['quick', 0],
      ['slow', 300],
    ] as const) {
      const values = await wanted(key, takes, workers);
      const pids = await made(key);
      expect(pids).toHaveLength(1);
      expect(values).toEqual([`of ${pids[0]}`]);
    }
  }, 60_000);

  it('of a process that is killed while it makes the value one other takes over', async () => {
    const victim = workers.shift();
    const others = [...workers];
    const order = { address, key: 'killed', callers: CALLERS, takes: 60_000 };
    victim!.send({ ...order, fillLease: SHORT_LEASE });
    await until('it is at it', async () => (await made('killed')).length === 1);
    const values = wanted('killed', 100, others);
    const ended = once(victim!, 'exit');
    victim!.kill('SIGKILL');
    await ended;
    const taken = await values;
    const pids = await made('killed');
    expect(pids).toHaveLength(2);
    expect(pids[0]).toBe(victim!.pid);
    expect(taken).toEqual([`of ${pids[1]}`]);
  }, 60_000);
});
