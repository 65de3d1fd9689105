import { setMaxListeners } from 'node:events';
import type { RetryingPooledDatabase } from '../../src/index';
import type { Bench, Part } from './part';
import { atMost, type Measurement } from './result';
import { medianOf, spreadOf } from './spread';

const SIZES = [1000, 10_000, 100_000];
/**
 * A cost per waiter that grew with their number would grow as that does. Waiters that outgrow the
 * processor's caches and the collector's nursery cost more too, but never so much.
 */
const flat = (times: number): number => Math.sqrt(times);
/** Nobody may give up by time in here. */
const PATIENCE = 600_000;

/** Given, because a signal would make an error with a stack each time, which costs more than all the rest. */
const CANCELLED = new Error('cancelled');

type Signals = (count: number) => AbortController[];

function sharedSignal(): AbortController {
  const controller = new AbortController();
  // Node warns from eleven listeners on.
  setMaxListeners(0, controller.signal);
  return controller;
}

const ways: ReadonlyMap<string, Signals> = new Map<string, Signals>([
  ['a signal each', (count) => Array.from({ length: count }, () => new AbortController())],
  ['one signal for all', (count) => new Array<AbortController>(count).fill(sharedSignal())],
]);

/** Nanoseconds per waiter: to queue, cancel half and serve the others. */
async function settleAll(
  db: RetryingPooledDatabase,
  count: number,
  signals: Signals,
): Promise<number> {
  const busy = await db.getConnection();
  const cancelled = signals(count / 2);
  let served = 0;
  let refused = 0;
  const serve = async (connection: { release(): Promise<void> }): Promise<void> => {
    served++;
    await connection.release();
  };
  const refuse = (): void => {
    refused++;
  };
  globalThis.gc?.();
  const begun = performance.now();
  const waits: Promise<void>[] = [];
  for (const { signal } of cancelled) {
    waits.push(db.getConnection().then(serve), db.getConnection({ signal }).then(serve, refuse));
  }
  for (const controller of cancelled) controller.abort(CANCELLED);
  await busy.release();
  await Promise.all(waits);
  const elapsed = performance.now() - begun;
  if (served !== count / 2 || refused !== count / 2) {
    throw new Error(`of ${count} waiters ${served} were served and ${refused} cancelled`);
  }
  return (elapsed * 1e6) / count;
}

async function measure(db: RetryingPooledDatabase, bench: Bench): Promise<Measurement[]> {
  const rows: Measurement[] = [];
  for (const [way, signals] of ways) {
    const costs = SIZES.map((): number[] => []);
    // The first round compiles, and is not counted.
    for (let round = 0; round <= bench.blocks; round++) {
      for (const [at, size] of SIZES.entries()) {
        const cost = await settleAll(db, size, signals);
        if (round > 0) costs[at]!.push(cost);
      }
    }
    const [least, ...larger] = costs;
    for (const [at, cost] of larger.entries()) {
      const size = SIZES[at + 1]!;
      const ratio = spreadOf(cost.map((one, round) => one / least![round]!));
      rows.push({
        part: 'waiters',
        name: `ns per waiter, ${way} : of ${SIZES[0]}`,
        concurrency: size,
        ratio,
        figures: `${medianOf(cost).toFixed(0)} ns : ${medianOf(least!).toFixed(0)} ns`,
        bars: [atMost('growth', ratio.median, flat(size / SIZES[0]!))],
      });
    }
  }
  return rows;
}

async function run(bench: Bench): Promise<Measurement[]> {
  const db = new bench.library.RetryingPooledDatabase({
    uri: bench.server.url,
    connectionLimit: 1,
    acquireTimeout: PATIENCE,
    slowAcquire: 0,
  });
  try {
    return await measure(db, bench);
  } finally {
    await db.end();
  }
}

export const waitersPart: Part = {
  name: 'waiters',
  summary: 'many waiters, half of them cancelled: the cost of one does not grow with their number',
  run,
};
