import { withContestants, type Contestants } from './contestants';
import { fight } from './duel';
import { loadInside } from './library';
import type { Bench, BenchServer, Part } from './part';
import { atLeast, type Measurement } from './result';
import { compare, cpuPerOperation, operationsPerSecond, type Variant } from './slices';

/** Per call, so that looking at the clock costs next to nothing. */
const CHECKOUTS = 200;
const MILLION = 1e6;

/** The pool beneath, where a checkout is no promise. */
async function poolByItself(
  server: BenchServer,
): Promise<Variant & { readonly end: () => Promise<void> }> {
  const { Mysql2Driver, Pool, createLogger, resolveOptions, systemClock } = await loadInside();
  const options = resolveOptions(server.url);
  const driver = new Mysql2Driver(options.driver);
  const pool = new Pool(driver, options, systemClock, createLogger('silent'));
  await (await pool.acquire()).giveBack();
  return {
    name: 'pool.tryAcquire + giveBack',
    weight: CHECKOUTS,
    operation: async () => {
      for (let count = 0; count < CHECKOUTS; count++) void pool.tryAcquire()?.giveBack();
    },
    end: () => pool.end(0),
  };
}

async function againstMysql2({ db, mysql2 }: Contestants, blocks: number): Promise<Measurement[]> {
  // Loops within, because one more promise per checkout would hide half of the difference.
  const ours = {
    name: 'getConnection + release',
    weight: CHECKOUTS,
    operation: async () => {
      for (let count = 0; count < CHECKOUTS; count++) {
        const connection = await db.getConnection();
        await connection.release();
      }
    },
  };
  const base = {
    name: 'mysql2',
    weight: CHECKOUTS,
    operation: async () => {
      for (let count = 0; count < CHECKOUTS; count++) {
        const connection = await mysql2.getConnection();
        connection.release();
      }
    },
  };
  const duel = { part: 'checkout', concurrency: 1, ours, bases: [{ ...base, speed: 1 }] };
  return fight(duel, blocks);
}

async function byItself(server: BenchServer, blocks: number): Promise<Measurement> {
  const inside = await poolByItself(server);
  const comparison = await compare([inside], 1, blocks).finally(() => inside.end());
  const millions = operationsPerSecond(comparison, 0) / MILLION;
  return {
    part: 'checkout',
    name: inside.name,
    concurrency: 1,
    figures: `${millions.toFixed(2)} M/s ${cpuPerOperation(comparison, 0).toFixed(2)} µs`,
    bars: [atLeast('M/s', millions, 1)],
  };
}

async function run({ library, server, blocks }: Bench): Promise<Measurement[]> {
  const rows = await withContestants(library, server, (contestants) =>
    againstMysql2(contestants, blocks),
  );
  return [...rows, await byItself(server, blocks)];
}

export const checkoutPart: Part = {
  name: 'checkout',
  summary: 'taking a connection and giving it back, without a statement',
  run,
};
