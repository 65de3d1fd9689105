import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sql, type ControlledTransaction, type Kysely } from 'kysely';
import { TransactionDoomedError, type RetryingPooledDatabase } from '../../src/index';
import { add, kyselyOver, type Tables } from '../support/kysely';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure, until } from '../support/until';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let kysely: Kysely<Tables>;

  beforeEach(() => {
    db = bench.open({ connectionLimit: 3 });
    kysely = kyselyOver(db);
  });

  const idle = (): Promise<void> => until('all are back', () => db.stats().active === 0);

  describe('transaction()', () => {
    it('commits, and rolls back with the callback’s own error', async () => {
      await kysely.transaction().execute(async (trx) => {
        await add(trx, 1);
        await add(trx, 2);
        expect(await notesIn(bench)).toEqual([]);
      });
      const own = new Error('own');
      const error = await failure(
        kysely.transaction().execute(async (trx) => {
          await add(trx, 3);
          throw own;
        }),
      );
      expect(error).toBe(own);
      expect(await notesIn(bench)).toEqual([1, 2]);
      await idle();
    });

    it('carries isolation level and access mode', async () => {
      const refused = await failure(
        kysely
          .transaction()
          .setIsolationLevel('serializable')
          .setAccessMode('read only')
          .execute((trx) => add(trx, 1)),
      );
      expect(refused).toMatchObject({ errno: 1792 });
      // Of that one transaction only.
      await kysely.transaction().execute((trx) => add(trx, 1));
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('after a deadlock nothing more of it runs, and all of it is undone', async () => {
      await add(kysely, 1);
      await add(kysely, 2);
      const first = deferred();
      const locked = deferred();
      const touch = (trx: Kysely<Tables>, id: number): Promise<unknown> =>
        trx.updateTable('notes').set({ text: 'touched' }).where('id', '=', id).execute();
      const one = kysely.transaction().execute(async (trx) => {
        await touch(trx, 1);
        first.resolve();
        await locked.promise;
        const hit = await touch(trx, 2).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (hit === undefined) return 'won';
        // Swallowing the deadlock does not make the next statement run by itself.
        expect(await failure(add(trx, 3))).toBeInstanceOf(TransactionDoomedError);
        throw hit;
      });
      const other = kysely.transaction().execute(async (trx) => {
        await first.promise;
        await touch(trx, 2);
        locked.resolve();
        const hit = await touch(trx, 1).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (hit === undefined) return 'won';
        expect(await failure(add(trx, 4))).toBeInstanceOf(TransactionDoomedError);
        throw hit;
      });
      const outcomes = await Promise.allSettled([one, other]);
      const lost = outcomes.filter(({ status }) => status === 'rejected');
      expect(lost).toEqual([
        { status: 'rejected', reason: expect.objectContaining({ errno: 1213 }) },
      ]);
      expect(await notesIn(bench)).toEqual([1, 2]);
      await idle();
    });

    it('that swallowed a deadlock does not commit', async () => {
      await add(kysely, 1);
      const error = await failure(
        kysely.transaction().execute(async (trx) => {
          await add(trx, 2);
          await sql`SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213`.execute(trx).catch(() => {});
        }),
      );
      expect(error).toBeInstanceOf(TransactionDoomedError);
      expect(await notesIn(bench)).toEqual([1]);
      await idle();
    });

    it('whose holder is gone is rolled back, and its connection comes back', async () => {
      await (async () => {
        const trx = await kysely.startTransaction().execute();
        await add(trx, 1);
        const inner = await trx.savepoint('a').execute();
        await add(inner, 2);
      })();
      expect(db.stats().active).toBe(1);
      await until('it is collected', async () => {
        collect();
        await delay(1);
        return db.stats().active === 0;
      });
      expect(await notesIn(bench)).toEqual([]);
    });

    it('has no extent that others could see: a statement of the database’s own is no part of it', async () => {
      await failure(
        kysely.transaction().execute(async (trx) => {
          await add(trx, 1);
          expect(db.inTransaction).toBe(false);
          await db.execute('INSERT INTO notes VALUES (2, NULL)');
          throw new Error('undo');
        }),
      );
      expect(await notesIn(bench)).toEqual([2]);
    });

    it('an implicit commit is told', async () => {
      const error = await failure(
        kysely.transaction().execute(async (trx) => {
          await add(trx, 1);
          await trx.schema.createTable('told').addColumn('id', 'integer').execute();
        }),
      );
      expect(error).toMatchObject({ code: 'ERR_IMPLICIT_COMMIT' });
      await kysely.schema.dropTable('told').execute();
      await idle();
    });
  });

  describe('savepoints', () => {
    const begin = (): Promise<ControlledTransaction<Tables>> => kysely.startTransaction().execute();

    it('roll back to where they were, stay there, and are released', async () => {
      const trx = await begin();
      await add(trx, 1);
      const inner = await trx.savepoint('a').execute();
      await add(inner, 2);
      await inner.rollbackToSavepoint('a').execute();
      await add(inner, 3);
      await inner.rollbackToSavepoint('a').execute();
      await add(inner, 4);
      await inner.releaseSavepoint('a').execute();
      await trx.commit().execute();
      expect(await notesIn(bench)).toEqual([1, 4]);
      await idle();
    });

    it('nest, and commit takes those along that were not released', async () => {
      const trx = await begin();
      const one = await trx.savepoint('one').execute();
      await add(one, 1);
      const two = await one.savepoint('two').execute();
      await add(two, 2);
      const three = await two.savepoint('three').execute();
      await add(three, 3);
      await three.rollbackToSavepoint('two').execute();
      await add(trx, 4);
      await trx.commit().execute();
      expect(await notesIn(bench)).toEqual([1, 4]);
      await idle();
    });

    it('one of a name that is open takes its place, and keeps what was written since', async () => {
      const trx = await begin();
      const one = await trx.savepoint('A').execute();
      await add(one, 1);
      const other = await one.savepoint('b').execute();
      const again = await other.savepoint('a').execute();
      await add(again, 2);
      await again.rollbackToSavepoint('a').execute();
      await again.commit().execute();
      expect(await notesIn(bench)).toEqual([1]);
      await idle();
    });

    it('rollback() takes all of it back', async () => {
      const trx = await begin();
      const one = await trx.savepoint('one').execute();
      await add(one, 1);
      await one.rollback().execute();
      expect(await notesIn(bench)).toEqual([]);
      await idle();
    });
  });
});
