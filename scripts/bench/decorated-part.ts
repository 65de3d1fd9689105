import type { RetryingPooledDatabase } from '../../src/index';
import type { Contestants } from './contestants';
import { fight } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import type { Bench, Library, Part } from './part';
import type { Measurement } from './result';

const WHERE = { part: 'decorated', concurrency: 16 };

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

function one(bench: Bench): Promise<Measurement[]> {
  const ours = {
    name: 'decorated, 1 statement',
    operation: ({ db }: Contestants) => {
      const items = decoratedRepository(bench.library, db);
      return () => items.one();
    },
  };
  const base = {
    name: 'mysql2 pool.execute',
    operation: ({ mysql2 }: Contestants) => {
      return () => mysql2.execute(SELECT_ITEM, [randomItem()]);
    },
    speed: 1,
  };
  return fight({ ...WHERE, ours, bases: [base] }, bench);
}

function five(bench: Bench): Promise<Measurement[]> {
  const ours = {
    name: 'decorated, 5 statements',
    operation: ({ db }: Contestants) => {
      const items = decoratedRepository(bench.library, db);
      return () => items.five();
    },
  };
  const base = {
    name: '5 × mysql2 pool.execute',
    operation: ({ mysql2 }: Contestants) => {
      return async () => {
        for (let count = 0; count < 5; count++) await mysql2.execute(SELECT_ITEM, [randomItem()]);
      };
    },
    speed: 1.15,
  };
  return fight({ ...WHERE, ours, bases: [base] }, bench);
}

export const decoratedPart: Part = {
  name: 'decorated',
  summary: 'a decorated method with 1 and 5 statements',
  run: async (bench) => [...(await one(bench)), ...(await five(bench))],
};
