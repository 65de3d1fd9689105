import type { Contestants } from './contestants';
import { fight } from './duel';
import { loadInside } from './library';
import type { Bench, BenchServer, Part } from './part';
import { atLeast, type Measurement } from './result';
import { compare, cpuPerOperation, operationsPerSecond, type Field } from './slices';

/** Per call, so that looking at the clock, and waiting for the call, cost next to nothing. */
const CHECKOUTS = 200;
const MILLION = 1e6;

const ours = {
  name: 'getConnection + release',
  operation: ({ db }: Contestants) => {
    return async () => {
      for (let count = 0; count < CHECKOUTS; count++) {
        const connection = await db.getConnection();
        await connection.release();
      }
    };
  },
  millions: 1,
};

/** Only to read the number by: the bar is on how many there are a second. */
const base = {
  name: 'mysql2',
  operation: ({ mysql2 }: Contestants) => {
    return async () => {
      for (let count = 0; count < CHECKOUTS; count++) {
        const connection = await mysql2.getConnection();
        connection.release();
      }
    };
  },
};

/** The pool beneath, where a checkout is no promise. */
async function openPool(server: BenchServer): Promise<Field> {
  const { Mysql2Driver, Pool, createLogger, resolveOptions, systemClock } = await loadInside();
  const options = resolveOptions(server.url);
  const driver = new Mysql2Driver(options.driver);
  const pool = new Pool(driver, options, systemClock, createLogger('silent'));
  await (await pool.acquire()).giveBack();
  const operation = async (): Promise<void> => {
    for (let count = 0; count < CHECKOUTS; count++) void pool.tryAcquire()?.giveBack();
  };
  return { variants: [{ operation, weight: CHECKOUTS }], close: () => pool.end(0) };
}

async function byItself({ server, blocks }: Bench): Promise<Measurement> {
  const comparison = await compare(() => openPool(server), 1, blocks);
  const millions = operationsPerSecond(comparison, 0) / MILLION;
  return {
    part: 'checkout',
    name: 'pool.tryAcquire + giveBack',
    concurrency: 1,
    figures: `${millions.toFixed(2)} M/s ${cpuPerOperation(comparison, 0).toFixed(2)} µs`,
    bars: [atLeast('M/s', millions, 1)],
  };
}

export const checkoutPart: Part = {
  name: 'checkout',
  summary: 'taking a connection and giving it back, without a statement',
  run: async (bench) => {
    const duel = { part: 'checkout', concurrency: 1, weight: CHECKOUTS, ours };
    return [...(await fight({ ...duel, bases: [base] }, bench)), await byItself(bench)];
  },
};
