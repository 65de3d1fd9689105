import { eq, inArray, sql } from 'drizzle-orm';
import {
  bigint,
  datetime,
  decimal,
  int,
  json,
  mysqlTable,
  timestamp,
  varchar,
} from 'drizzle-orm/mysql-core';
import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import { createPool } from 'mysql2';
import { mysql2Pool } from '../../src/adapters/mysql2';
import {
  TransactionDoomedError,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { notesIn, onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

const notes = mysqlTable('notes', { id: int().primaryKey(), text: varchar({ length: 100 }) });

const kinds = mysqlTable('kinds', {
  id: int().primaryKey().autoincrement(),
  made: datetime(),
  seen: timestamp(),
  price: decimal({ precision: 10, scale: 2 }),
  large: bigint({ mode: 'bigint' }),
  data: json(),
});

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let drizzled: MySql2Database;

  beforeAll(async () => {
    await bench.sql(
      `CREATE TABLE ${bench.schema}.kinds (id INT AUTO_INCREMENT PRIMARY KEY, made DATETIME, ` +
        'seen TIMESTAMP NULL, price DECIMAL(10, 2), large BIGINT, data JSON)',
    );
  });

  beforeEach(() => {
    db = bench.open({ connectionLimit: 3, supportBigNumbers: true });
    drizzled = drizzle({ client: mysql2Pool(db) });
  });

  type Runner = Pick<MySql2Database, 'insert' | 'select' | 'update' | 'execute'>;

  const add = (on: Runner, id: number): Promise<unknown> =>
    Promise.resolve(on.insert(notes).values({ id, text: 'x' }));

  const idle = (): Promise<void> => until('all are back', () => db.stats().active === 0);

  describe('statements', () => {
    it('give what they give over mysql2’s own pool', async () => {
      const theirs = createPool({ ...bench.theirAddress, supportBigNumbers: true });
      const work = async (on: MySql2Database): Promise<unknown[]> => {
        const made = new Date('2026-02-03T04:05:06Z');
        const row = { made, seen: made, price: '12.30', large: 2n ** 60n, data: { a: [1] } };
        await bench.sql(`TRUNCATE TABLE ${bench.schema}.kinds`);
        const byId = on
          .select()
          .from(kinds)
          .where(eq(kinds.id, sql.placeholder('id')))
          .prepare();
        return [
          await on.insert(kinds).values([row, row]),
          await on.insert(kinds).values([row, row]).$returningId(),
          await on
            .select()
            .from(kinds)
            .where(inArray(kinds.id, [1, 3])),
          await byId.execute({ id: 2 }),
          await on.select({ only: kinds.price }).from(kinds),
          await on.update(kinds).set({ price: '12.30' }).where(eq(kinds.id, 1)),
          (await on.execute(sql`SELECT id, made FROM kinds WHERE id = ${1}`))[0],
          await on.$count(kinds),
          await on.delete(kinds),
        ];
      };
      try {
        expect(await work(drizzled)).toEqual(await work(drizzle({ client: theirs })));
      } finally {
        await theirs.promise().end();
      }
    });

    it('take the promise face as well as the one with callbacks', async () => {
      const promised = drizzle({ client: mysql2Pool(db).promise() });
      await add(promised, 1);
      await promised.transaction((tx) => add(tx, 2));
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('an error of the server is the cause of Drizzle’s', async () => {
      await add(drizzled, 1);
      const error = await failure(add(drizzled, 1));
      expect(error.cause).toMatchObject({ code: 'ER_DUP_ENTRY', errno: 1062 });
    });

    it('in a decorated method those outside transactions are on its connection', async () => {
      class Notes {
        @releaseConnection
        async add(): Promise<void> {
          await db.execute('INSERT INTO notes VALUES (1, NULL)');
          await add(drizzled, 2);
          expect(db.stats()).toMatchObject({ active: 1, acquired: 1 });
          await drizzled.transaction((tx) => add(tx, 3));
        }
      }
      await new Notes().add();
      expect(await notesIn(bench)).toEqual([1, 2, 3]);
      await idle();
    });

    it('iterator() gives rows one by one, and its connection back', async () => {
      await db.bulkInsert(
        'notes',
        Array.from({ length: 200 }, (_, id) => ({ id, text: 'x' })),
      );
      const query = drizzled.select().from(notes).orderBy(notes.id).limit(150).prepare();
      const ids: number[] = [];
      for await (const { id } of query.iterator()) ids.push(id);
      expect(ids).toEqual(Array.from({ length: 150 }, (_, id) => id));
      for await (const { id } of query.iterator()) if (id === 5) break;
      await idle();
    });
  });

  describe('transaction()', () => {
    it('commits, and rolls back with the callback’s own error', async () => {
      await drizzled.transaction(async (tx) => {
        await add(tx, 1);
        expect(await notesIn(bench)).toEqual([]);
      });
      const own = new Error('own');
      const failed = drizzled.transaction(async (tx) => {
        await add(tx, 2);
        throw own;
      });
      expect(await failure(failed)).toBe(own);
      await failure(
        drizzled.transaction(async (tx) => {
          await add(tx, 3);
          tx.rollback();
        }),
      );
      expect(await notesIn(bench)).toEqual([1]);
      await idle();
    });

    it('nests, and a nested one that fails is undone alone, again and again', async () => {
      await drizzled.transaction(async (tx) => {
        await add(tx, 1);
        for (const id of [10, 20, 30]) {
          await failure(
            tx.transaction(async (inner) => {
              await add(inner, id);
              await inner.transaction((innermost) => add(innermost, id + 1));
              throw new Error('undo');
            }),
          );
          await tx.transaction((inner) => add(inner, id + 2));
        }
        await add(tx, 2);
      });
      expect(await notesIn(bench)).toEqual([1, 2, 12, 22, 32]);
      await idle();
    });

    it('takes isolation level, access mode and a consistent snapshot', async () => {
      const readOnly = drizzled.transaction((tx) => add(tx, 1), {
        isolationLevel: 'read committed',
        accessMode: 'read only',
      });
      expect((await failure(readOnly)).cause).toMatchObject({ errno: 1792 });
      const seen = await drizzled.transaction(
        async (tx) => {
          await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (9, NULL)`);
          return tx.select().from(notes);
        },
        { isolationLevel: 'repeatable read', withConsistentSnapshot: true },
      );
      expect(seen).toEqual([]);
      await idle();
    });

    it('a doomed one stays doomed, and the first error is the one that is told', async () => {
      const deadlock = sql`SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213`;
      const told: unknown[] = [];
      const failed = drizzled.transaction(async (tx) => {
        await add(tx, 1);
        const nested = tx.transaction(async (inner) => {
          await add(inner, 2);
          await inner.execute(deadlock);
        });
        told.push((await failure(nested)).cause);
        await add(tx, 3);
      });
      expect((await failure(failed)).cause).toBeInstanceOf(TransactionDoomedError);
      expect(told).toEqual([expect.objectContaining({ errno: 1213 })]);
      expect(await notesIn(bench)).toEqual([]);
      await idle();
    });
  });

  describe('inside db.atomic', () => {
    it('all that Drizzle runs is part of it, nested or not', async () => {
      await db.atomic(async () => {
        await add(drizzled, 1);
        await drizzled.transaction(async (tx) => {
          await add(tx, 2);
          await failure(
            tx.transaction(async (inner) => {
              await add(inner, 3);
              throw new Error('undo');
            }),
          );
        });
        await db.execute('INSERT INTO notes VALUES (4, NULL)');
        expect(await drizzled.select().from(notes)).toHaveLength(3);
        expect(await notesIn(bench)).toEqual([]);
      });
      expect(await notesIn(bench)).toEqual([1, 2, 4]);
      expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
    });

    it('is rolled back with it', async () => {
      await failure(
        db.atomic(async () => {
          await add(drizzled, 1);
          await drizzled.transaction((tx) => add(tx, 2));
          throw new Error('undo');
        }),
      );
      expect(await notesIn(bench)).toEqual([]);
    });

    it('iterator() is part of it', async () => {
      await db.atomic(async () => {
        await add(drizzled, 1);
        const ids: number[] = [];
        for await (const { id } of drizzled.select().from(notes).prepare().iterator()) ids.push(id);
        expect(ids).toEqual([1]);
        await add(drizzled, 2);
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });
  });
});
