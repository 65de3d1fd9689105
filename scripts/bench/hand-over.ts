import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import type { Bench } from './part';
import type { Measurement } from './result';
import { medianOf } from './spread';

const ROUNDS_PER_BLOCK = 20;

/** How long the other process has waited by the time the lock is given back, in ms. */
const waited = (): number => 100 + Math.random() * 100;

/** Takes the lock, and resolves to what gives it back. */
type Taker = () => Promise<() => Promise<unknown>>;

async function handOvers(child: ChildProcess, take: Taker, rounds: number): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const giveBack = await take();
    child.send('wait');
    await wait(waited());
    const got = once(child, 'message');
    const begun = performance.now();
    const given = giveBack();
    await got;
    times.push(performance.now() - begun);
    await Promise.all([given, once(child, 'message')]);
  }
  return times;
}

async function withChild(
  { server }: Bench,
  way: 'table' | 'server',
  work: (child: ChildProcess) => Promise<number[]>,
): Promise<number[]> {
  const child = fork(join(__dirname, 'hand-over-child.ts'), [server.url, `over ${way}`, way], {
    execArgv: ['--import', 'tsx'],
  });
  try {
    await once(child, 'message');
    return await work(child);
  } finally {
    child.disconnect();
  }
}

function told(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? NaN;
  return `${medianOf(times).toFixed(1)} ms p99 ${p99.toFixed(1)}`;
}

/** From one process's release to another's acquire: ours looks now and then, the server wakes whoever waits. */
export async function measureHandOver(bench: Bench): Promise<Measurement> {
  const { library, server, blocks } = bench;
  const rounds = blocks * ROUNDS_PER_BLOCK;
  const db = new library.RetryingPooledDatabase({ uri: server.url });
  await library.install(db);
  const locks = new library.DistributedLocks(db);
  const connection = await createConnection(server.url);
  try {
    const ours = await withChild(bench, 'table', (child) =>
      handOvers(
        child,
        async () => {
          const lease = await locks.acquire('over table');
          return () => lease.release();
        },
        rounds,
      ),
    );
    const servers = await withChild(bench, 'server', (child) =>
      handOvers(
        child,
        async () => {
          await connection.execute('SELECT GET_LOCK(?, 30)', ['over server']);
          return () => connection.execute('SELECT RELEASE_LOCK(?)', ['over server']);
        },
        rounds,
      ),
    );
    return {
      part: 'lock',
      name: 'hand-over to another process : GET_LOCK',
      concurrency: 2,
      figures: `${told(ours)} : ${told(servers)}`,
      bars: [],
    };
  } finally {
    await locks.close();
    await Promise.all([db.end(), connection.end()]);
  }
}
