import { withContestants, type Contestants } from './contestants';
import { fight } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import type { Part } from './part';
import type { Measurement } from './result';

/** The bars are of concurrency 16; at the others we must not be slower. */
const BARS = new Map([
  [1, { speed: 1 }],
  [16, { speed: 1.15, cpu: 0.8 }],
  [64, { speed: 1 }],
]);

async function measure(
  { db, mysql2, mariadb }: Contestants,
  blocks: number,
): Promise<Measurement[]> {
  const ours = {
    name: 'db.execute',
    operation: () => db.execute(SELECT_ITEM, [randomItem()]),
  };
  const base = {
    name: 'mysql2 pool.execute',
    operation: () => mysql2.execute(SELECT_ITEM, [randomItem()]),
  };
  const rival = {
    name: "mariadb's pool.execute",
    operation: () => mariadb.execute(SELECT_ITEM, [randomItem()]),
    speed: 1,
  };
  const rows: Measurement[] = [];
  for (const [concurrency, bars] of BARS) {
    const bases = [{ ...base, ...bars }, ...(concurrency === 16 ? [rival] : [])];
    rows.push(...(await fight({ part: 'statement', concurrency, ours, bases }, blocks)));
  }
  return rows;
}

export const statementPart: Part = {
  name: 'statement',
  summary: 'one statement outside a scope',
  run: ({ library, server, blocks }) =>
    withContestants(library, server, (contestants) => measure(contestants, blocks)),
};
