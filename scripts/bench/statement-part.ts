import type { Contestants } from './contestants';
import { fight, type Duel } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import type { Part } from './part';
import type { Measurement } from './result';

const ours = {
  name: 'db.execute',
  operation: ({ db }: Contestants) => {
    return () => db.execute(SELECT_ITEM, [randomItem()]);
  },
};

const mysql2 = {
  name: 'mysql2 pool.execute',
  operation: ({ mysql2: pool }: Contestants) => {
    return () => pool.execute(SELECT_ITEM, [randomItem()]);
  },
};

const mariadb = {
  name: "mariadb's pool.execute",
  operation: ({ mariadb: pool }: Contestants) => {
    return () => pool.execute(SELECT_ITEM, [randomItem()]);
  },
  speed: 1,
};

/** The bars are of concurrency 16; at the others we must not be slower. */
const duels: readonly Duel[] = [
  { part: 'statement', concurrency: 1, ours, bases: [{ ...mysql2, speed: 1 }] },
  {
    part: 'statement',
    concurrency: 16,
    ours,
    bases: [{ ...mysql2, speed: 1.15, cpu: 0.8 }, mariadb],
  },
  { part: 'statement', concurrency: 64, ours, bases: [{ ...mysql2, speed: 1 }] },
];

export const statementPart: Part = {
  name: 'statement',
  summary: 'one statement outside a scope',
  run: async (bench) => {
    const rows: Measurement[] = [];
    for (const duel of duels) rows.push(...(await fight(duel, bench)));
    return rows;
  },
};
