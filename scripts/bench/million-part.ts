import { readdirSync, readlinkSync } from 'node:fs';
import type { RetryingPooledDatabase } from '../../src/index';
import { CHANGE_ITEM, randomItem, SELECT_ITEM } from './item-table';
import type { Bench, Library, Part } from './part';
import type { Bar, Measurement } from './result';

const CONCURRENCY = 64;
/** By then code is compiled and caches are full; what grows later is a leak. */
const SETTLED = 0.1;
/** About two bytes per statement of a million. */
const HEAP_SLACK = 2 * 2 ** 20;

/** What the process holds at one moment. */
interface Holdings {
  readonly heap: number;
  readonly descriptors: number;
  readonly sockets: number;
}

/** Of every file descriptor what it stands for; those that close meanwhile are left out. */
function descriptors(): string[] {
  try {
    return readdirSync('/proc/self/fd').flatMap((name) => {
      try {
        return [readlinkSync(`/proc/self/fd/${name}`)];
      } catch {
        return [];
      }
    });
  } catch {
    // Elsewhere than on Linux only the heap is looked at.
    return [];
  }
}

async function holdings(): Promise<Holdings> {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const open = descriptors();
  return {
    heap: process.memoryUsage().heapUsed,
    descriptors: open.length,
    sockets: open.filter((target) => target.startsWith('socket:')).length,
  };
}

/** A twentieth of each of the rarer ways, a thousandth fails. */
function statements({ connectionScope }: Library, db: RetryingPooledDatabase) {
  return async (number: number): Promise<void> => {
    if (number % 1000 === 0) {
      await db.query('SELECT nonsense').catch(() => undefined);
    } else if (number % 20 === 1) {
      await connectionScope(() => db.execute(SELECT_ITEM, [randomItem()]));
    } else if (number % 20 === 2) {
      await db.atomic(() => db.execute(CHANGE_ITEM, [randomItem()]));
    } else if (number % 20 === 3) {
      await db.query(SELECT_ITEM, [randomItem()]);
    } else {
      await db.execute(SELECT_ITEM, [randomItem()]);
    }
  };
}

async function work(count: number, one: (number: number) => Promise<void>): Promise<void> {
  let done = 0;
  const worker = async (): Promise<void> => {
    while (done < count) await one(done++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function flat(what: string, before: number, after: number, slack: number): Bar {
  return { text: `${what} flat`, kept: after - before <= slack };
}

async function measure(
  db: RetryingPooledDatabase,
  { library, statements: count }: Bench,
): Promise<Measurement> {
  const one = statements(library, db);
  const first = Math.round(count * SETTLED);
  await work(first, one);
  const before = await holdings();
  const begun = performance.now();
  await work(count - first, one);
  const seconds = (performance.now() - begun) / 1000;
  const after = await holdings();
  const { active, waiting, acquired, released } = db.stats();
  return {
    part: 'million',
    name: `${count} statements, the last ${count - first} in ${seconds.toFixed(0)} s`,
    concurrency: CONCURRENCY,
    figures:
      `heap ${megabytes(before.heap)} → ${megabytes(after.heap)} MiB, ` +
      `sockets ${before.sockets} → ${after.sockets}, ` +
      `descriptors ${before.descriptors} → ${after.descriptors}`,
    bars: [
      flat('heap', before.heap, after.heap, HEAP_SLACK),
      flat('sockets', before.sockets, after.sockets, 0),
      flat('descriptors', before.descriptors, after.descriptors, 0),
      { text: 'all returned', kept: active === 0 && waiting === 0 && acquired === released },
    ],
  };
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(2);
}

async function run(bench: Bench): Promise<Measurement[]> {
  const db = new bench.library.RetryingPooledDatabase(bench.server.url);
  try {
    return [await measure(db, bench)];
  } finally {
    await db.end();
  }
}

export const millionPart: Part = {
  name: 'million',
  summary: 'a million statements leave heap, sockets and file descriptors where they were',
  run,
};
