import type { RetryingPooledDatabase } from '../../src/index';
import { withContestants, type Contestants } from './contestants';
import { fight } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import type { Bench, Library, Part } from './part';
import type { Measurement } from './result';

const CONCURRENCY = 16;

interface Repository {
  one(): Promise<unknown>;
  five(): Promise<void>;
}

function decoratedRepository(
  { releaseConnection }: Library,
  db: RetryingPooledDatabase,
): Repository {
  class Items implements Repository {
    @releaseConnection
    async one(): Promise<unknown> {
      return db.execute(SELECT_ITEM, [randomItem()]);
    }

    @releaseConnection
    async five(): Promise<void> {
      for (let count = 0; count < 5; count++) await db.execute(SELECT_ITEM, [randomItem()]);
    }
  }
  return new Items();
}

async function measure(
  { db, mysql2 }: Contestants,
  { library, blocks }: Bench,
): Promise<Measurement[]> {
  const items = decoratedRepository(library, db);
  const single = {
    part: 'decorated',
    concurrency: CONCURRENCY,
    ours: { name: 'decorated, 1 statement', operation: () => items.one() },
    bases: [
      {
        name: 'mysql2 pool.execute',
        operation: () => mysql2.execute(SELECT_ITEM, [randomItem()]),
        speed: 1,
      },
    ],
  };
  const five = {
    part: 'decorated',
    concurrency: CONCURRENCY,
    ours: { name: 'decorated, 5 statements', operation: () => items.five() },
    bases: [
      {
        name: '5 × mysql2 pool.execute',
        operation: async () => {
          for (let count = 0; count < 5; count++) await mysql2.execute(SELECT_ITEM, [randomItem()]);
        },
        speed: 1.15,
      },
    ],
  };
  return [...(await fight(single, blocks)), ...(await fight(five, blocks))];
}

export const decoratedPart: Part = {
  name: 'decorated',
  summary: 'a decorated method with 1 and 5 statements',
  run: (bench) =>
    withContestants(bench.library, bench.server, (contestants) => measure(contestants, bench)),
};
