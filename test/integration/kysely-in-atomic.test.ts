import type { ControlledTransaction, Kysely } from 'kysely';
import {
  TransactionDoomedError,
  TransactionOpenError,
  type RetryingPooledDatabase,
} from '../../src/index';
import { add, kyselyOver, type Tables } from '../support/kysely';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure } from '../support/until';
import { warm } from '../support/warm';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let kysely: Kysely<Tables>;

  beforeEach(() => {
    db = bench.open({ connectionLimit: 3 });
    kysely = kyselyOver(db);
  });

  /** The same over a database where nobody waits for long for a turn. */
  const hurried = async (): Promise<void> => {
    db = await warm(bench.open({ connectionLimit: 3, acquireTimeout: 500 }));
    kysely = kyselyOver(db);
  };

  describe('inside db.atomic', () => {
    it('all that Kysely runs is part of it, and commits with it', async () => {
      await db.atomic(async () => {
        await db.execute('INSERT INTO notes VALUES (1, NULL)');
        await add(kysely, 2);
        await kysely.transaction().execute((trx) => add(trx, 3));
        await kysely.connection().execute((one) => add(one, 4));
        const rows = await kysely.selectFrom('notes').select('id').execute();
        expect(rows).toHaveLength(4);
        expect(db.stats().active).toBe(1);
        expect(await notesIn(bench)).toEqual([]);
      });
      expect(await notesIn(bench)).toEqual([1, 2, 3, 4]);
      expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
    });

    it('is rolled back with it, Kysely’s own committed transactions included', async () => {
      await failure(
        db.atomic(async () => {
          await kysely.transaction().execute((trx) => add(trx, 1));
          await add(kysely, 2);
          throw new Error('undo');
        }),
      );
      expect(await notesIn(bench)).toEqual([]);
      expect(db.stats().active).toBe(0);
    });

    it('a failed transaction of Kysely’s is undone alone', async () => {
      await db.atomic(async () => {
        await add(kysely, 1);
        const own = new Error('own');
        const failed = kysely.transaction().execute(async (trx) => {
          await add(trx, 2);
          throw own;
        });
        expect(await failure(failed)).toBe(own);
        await add(kysely, 3);
      });
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('savepoints of Kysely’s nest in it', async () => {
      await db.atomic(async () => {
        const trx = await kysely.startTransaction().execute();
        await add(trx, 1);
        const inner = await trx.savepoint('x').execute();
        await add(inner, 2);
        await inner.rollbackToSavepoint('x').execute();
        await inner.commit().execute();
        await db.execute('INSERT INTO notes VALUES (3, NULL)');
      });
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('hooks run when db.atomic commits, not when Kysely says commit', async () => {
      const told: string[] = [];
      await db.atomic(async () => {
        await kysely.transaction().execute(async (trx) => {
          await add(trx, 1);
          await db.afterCommit(() => told.push('committed'));
        });
        told.push('kysely is done');
      });
      expect(told).toEqual(['kysely is done', 'committed']);
    });

    it('two transactions of Kysely’s at once have it one after the other', async () => {
      await db.atomic(async () => {
        const both = [1, 3].map((id) =>
          kysely.transaction().execute(async (trx) => {
            await add(trx, id);
            await add(trx, id + 1);
            if (id === 1) throw new Error('undo the first');
          }),
        );
        await Promise.allSettled([...both, add(kysely, 5)]);
      });
      expect(await notesIn(bench)).toEqual([3, 4, 5]);
    });

    it('a statement of the block’s in the middle of Kysely’s transaction is refused in time', async () => {
      await hurried();
      const error = await failure(
        db.atomic(() =>
          kysely.transaction().execute(async (trx) => {
            await add(trx, 1);
            await db.execute('INSERT INTO notes VALUES (2, NULL)');
          }),
        ),
      );
      expect(error).toMatchObject({
        code: 'ERR_TURN_TIMEOUT',
        message: expect.stringContaining('BEGIN as text'),
      });
      expect(await notesIn(bench)).toEqual([]);
    });

    it('another isolation level than the open one cannot be had', async () => {
      const error = await failure(
        db.atomic(() =>
          kysely
            .transaction()
            .setIsolationLevel('read uncommitted')
            .execute((trx) => add(trx, 1)),
        ),
      );
      expect(error).toBeInstanceOf(TransactionOpenError);
      expect(db.stats().active).toBe(0);
    });

    it('streams are part of it', async () => {
      await db.atomic(async () => {
        await add(kysely, 1);
        const ids: number[] = [];
        for await (const { id } of kysely.selectFrom('notes').select('id').stream()) ids.push(id);
        expect(ids).toEqual([1]);
        await add(kysely, 2);
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('a transaction of Kysely’s that nobody ends fails the block around it, in time', async () => {
      await hurried();
      let forgotten: ControlledTransaction<Tables> | undefined;
      const error = await failure(
        db.atomic(async () => {
          forgotten = await kysely.startTransaction().execute();
          await add(forgotten, 1);
        }),
      );
      expect(error).toBeInstanceOf(TransactionDoomedError);
      expect(error['cause']).toMatchObject({ code: 'ERR_TURN_TIMEOUT' });
      expect(await notesIn(bench)).toEqual([]);
      expect(db.stats().active).toBe(0);
      expect(await failure(add(forgotten!, 2))).toMatchObject({ code: 'ERR_TRANSACTION_CLOSED' });
      await forgotten!.rollback().execute();
    });

    it('a block that fails while Kysely’s is open rolls both back', async () => {
      let open: ControlledTransaction<Tables> | undefined;
      await failure(
        db.atomic(async () => {
          open = await kysely.startTransaction().execute();
          await add(open, 1);
          throw new Error('undo');
        }),
      );
      expect(await failure(add(open!, 2))).toMatchObject({ code: 'ERR_TRANSACTION_CLOSED' });
      await open!.rollback().execute();
      expect(await notesIn(bench)).toEqual([]);
      expect(db.stats().active).toBe(0);
    });

    it('a transaction that is used from elsewhere stays where it was begun', async () => {
      const handed = deferred<ControlledTransaction<Tables>>();
      const done = deferred();
      const elsewhere = handed.promise.then(async (trx) => {
        await add(trx, 2);
        await trx.commit().execute();
        done.resolve();
      });
      await db.atomic(async () => {
        await add(kysely, 1);
        handed.resolve(await kysely.startTransaction().execute());
        await done.promise;
        expect(await notesIn(bench)).toEqual([]);
      });
      await elsewhere;
      expect(await notesIn(bench)).toEqual([1, 2]);
    });
  });
});
