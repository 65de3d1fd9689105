import { createConnection } from 'mysql2/promise';
import type { BenchServer } from './part';

export const ITEMS = 100_000;
const ITEMS_PER_INSERT = 5000;

export const SELECT_ITEM = 'SELECT id, name, amount FROM bench_item WHERE id = ?';
export const CHANGE_ITEM = 'UPDATE bench_item SET amount = amount + 1 WHERE id = ?';

/** Makes the table that statements are measured on. */
export async function createItems(server: BenchServer): Promise<void> {
  const connection = await createConnection(server.url);
  try {
    await connection.query('DROP TABLE IF EXISTS bench_item');
    await connection.query(
      `CREATE TABLE bench_item (
         id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, amount INT NOT NULL
       ) ENGINE=InnoDB`,
    );
    for (let first = 1; first <= ITEMS; first += ITEMS_PER_INSERT) {
      const rows = Array.from({ length: ITEMS_PER_INSERT }, (_, at) => [
        first + at,
        `item number ${first + at}`,
        0,
      ]);
      await connection.query('INSERT INTO bench_item VALUES ?', [rows]);
    }
  } finally {
    await connection.end();
  }
}

/** Any of them. */
export function randomItem(): number {
  return 1 + Math.floor(Math.random() * ITEMS);
}
