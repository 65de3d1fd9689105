import type { Pool as Mysql2Pool } from 'mysql2/promise';
import { withContestants, type Contestants } from './contestants';
import { fight } from './duel';
import { CHANGE_ITEM, randomItem } from './item-table';
import type { Part } from './part';
import type { Measurement } from './result';

/** At 16 the aim is 1.15; the bar is not to be slower. */
const CONCURRENCIES = [1, 16];

async function byHand(pool: Mysql2Pool): Promise<void> {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    await connection.execute(CHANGE_ITEM, [randomItem()]);
    await connection.commit();
  } catch (error) {
    await connection.rollback();
    throw error;
  } finally {
    connection.release();
  }
}

async function measure({ db, mysql2 }: Contestants, blocks: number): Promise<Measurement[]> {
  const ours = {
    name: 'db.atomic',
    operation: () => db.atomic(() => db.execute(CHANGE_ITEM, [randomItem()])),
  };
  const base = { name: 'by hand on mysql2', operation: () => byHand(mysql2), speed: 1 };
  const rows: Measurement[] = [];
  for (const concurrency of CONCURRENCIES) {
    rows.push(...(await fight({ part: 'transaction', concurrency, ours, bases: [base] }, blocks)));
  }
  return rows;
}

export const transactionPart: Part = {
  name: 'transaction',
  summary: 'BEGIN, UPDATE, COMMIT',
  run: ({ library, server, blocks }) =>
    withContestants(library, server, (contestants) => measure(contestants, blocks)),
};
