import type { Pool as Mysql2Pool } from 'mysql2/promise';
import type { Contestants } from './contestants';
import { fight } from './duel';
import { CHANGE_ITEM, randomItem } from './item-table';
import type { Part } from './part';

const ours = {
  name: 'db.atomic',
  operation: ({ db }: Contestants) => {
    return () => db.atomic(() => db.execute(CHANGE_ITEM, [randomItem()]));
  },
};

/** At 16 the aim is 1.15; the bar is not to be slower. */
const base = {
  name: 'by hand on mysql2',
  operation: ({ mysql2 }: Contestants) => {
    return () => byHand(mysql2);
  },
  speed: 1,
};

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

export const transactionPart: Part = {
  name: 'transaction',
  summary: 'BEGIN, UPDATE, COMMIT',
  run: async (bench) => [
    ...(await fight({ part: 'transaction', concurrency: 1, ours, bases: [base] }, bench)),
    ...(await fight({ part: 'transaction', concurrency: 16, ours, bases: [base] }, bench)),
  ],
};
