import {
  ImplicitCommitError,
  TransactionControlError,
  TransactionDoomedError,
  TransactionOpenError,
  connectionScope,
  type RetryingPooledDatabase,
} from '../../src/index';
import { withRival } from '../support/rival';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  beforeEach(() => {
    db = bench.open({ connectionLimit: 2 });
  });

  const insert = (id: number): Promise<unknown> =>
    db.execute('INSERT INTO notes VALUES (?, ?)', [id, 'x']);

  describe('what ends a transaction', () => {
    it.each([
      'BEGIN',
      'START TRANSACTION READ ONLY',
      'COMMIT',
      ' /* c */ rollback',
      'SAVEPOINT a',
      'RELEASE SAVEPOINT a',
      "XA START 'x'",
      'SET autocommit=0',
      '/*!40000 COMMIT */',
    ])('%s as text is refused before it is sent', async (sql) => {
      await db.atomic(async (tx) => {
        await insert(1);
        expect(await failure(tx.query(sql))).toBeInstanceOf(TransactionControlError);
        expect(await failure(db.query(sql))).toBeInstanceOf(TransactionControlError);
      });
      expect(await failure(db.query(sql))).toBeInstanceOf(TransactionControlError);
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('DDL inside a block raises ImplicitCommitError, and nothing runs after it', async () => {
      const hooks: string[] = [];
      const error = await failure(
        db.atomic(async (tx) => {
          tx.afterCommit(() => hooks.push('commit'));
          tx.afterRollback(() => hooks.push('rollback'));
          await insert(1);
          await failure(db.query('CREATE TABLE extra (id INT)'));
          await insert(2);
        }),
      );
      expect(error).toBeInstanceOf(TransactionDoomedError);
      expect(error.cause).toBeInstanceOf(ImplicitCommitError);
      // What came before is committed, as the error says; hooks know of no such outcome.
      expect(await notesIn(bench)).toEqual([1]);
      expect(hooks).toEqual([]);
      await bench.sql(`DROP TABLE ${bench.schema}.extra`);
    });

    it('manualClose() inside a transaction is refused and nothing happens', async () => {
      await db.atomic(async () => {
        await insert(1);
        expect(await failure(db.manualClose())).toBeInstanceOf(TransactionOpenError);
        await insert(2);
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('a caught statement error leaves the transaction usable', async () => {
      await db.atomic(async () => {
        await insert(1);
        expect(await failure(insert(1))).toMatchObject({ errno: 1062 });
        await insert(2);
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });
  });

  describe('doom', () => {
    it('a deadlock inside a savepoint dooms the root: nothing runs in autocommit after it', async () => {
      let inside: unknown;
      let after: unknown;
      await withRival(bench, [2, 3, 4], async (rival) => {
        const error = await failure(
          db.atomic(async () => {
            inside = await failure(db.atomic((nested) => rival.collide(nested)));
            after = await failure(insert(9));
          }),
        );
        expect(error).toBeInstanceOf(TransactionDoomedError);
        expect(error.cause).toMatchObject({ errno: 1213 });
      });
      expect(inside).toMatchObject({ errno: 1213 });
      expect(after).toBeInstanceOf(TransactionDoomedError);
      expect(await notesIn(bench)).toEqual([1, 2, 3, 4]);
    });

    it('a lock wait that was caught leaves the transaction open: COMMIT goes ahead', async () => {
      await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (1, 'a')`);
      const rival = await bench.open().getConnection();
      await rival.beginTransaction();
      await rival.query("UPDATE notes SET text = 'rival' WHERE id = 1");
      await db.atomic(async (tx) => {
        await tx.query('SET SESSION innodb_lock_wait_timeout = 1');
        await insert(2);
        expect(
          await failure(tx.query("UPDATE notes SET text = 'mine' WHERE id = 1")),
        ).toMatchObject({ errno: 1205 });
        await insert(3);
      });
      await rival.rollback();
      await rival.release();
      expect(await notesIn(bench)).toEqual([1, 2, 3]);
    });
  });

  describe('hooks', () => {
    it('afterCommit runs after COMMIT’s answer, in order, awaited, with the lease back', async () => {
      const seen: unknown[] = [];
      await db.atomic(async (tx) => {
        await insert(1);
        tx.afterCommit(async () => {
          seen.push(db.stats().active, await notesIn(bench));
        });
        await db.afterCommit(() => seen.push('second'));
      });
      expect(seen).toEqual([0, [1], 'second']);
    });

    it('an afterCommit hook may query on a pool of 1', async () => {
      const single = bench.open({ connectionLimit: 1 });
      let rows: unknown;
      await single.atomic(async (tx) => {
        await tx.query('INSERT INTO notes VALUES (1, NULL)');
        tx.afterCommit(async () => {
          [rows] = await single.query('SELECT id FROM notes');
        });
      });
      expect(rows).toEqual([{ id: 1 }]);
    });

    it('inside a scope the hook runs in that scope, outside the transaction', async () => {
      await connectionScope(async () => {
        const own = await session(db);
        let hooked = 0;
        await db.atomic(async (tx) => {
          await insert(1);
          tx.afterCommit(async () => {
            hooked = await session(db);
          });
        });
        expect(hooked).toBe(own);
      });
    });

    it('a savepoint’s hooks wait for the root; those of one that failed: afterRollback only', async () => {
      const seen: string[] = [];
      const block = (name: string, fails: boolean): Promise<void> =>
        db.atomic(async (tx) => {
          tx.afterCommit(() => seen.push(`${name} committed`));
          tx.afterRollback(() => seen.push(`${name} rolled back`));
          if (fails) throw new Error(name);
        });
      await db.atomic(async () => {
        await insert(1);
        await block('kept', false);
        await failure(block('lost', true));
        expect(seen).toEqual(['lost rolled back']);
      });
      expect(seen).toEqual(['lost rolled back', 'kept committed']);
    });

    it('on an outer rollback the afterRollback hooks of released savepoints run', async () => {
      const seen: string[] = [];
      await failure(
        db.atomic(async () => {
          await db.atomic(async (tx) => {
            tx.afterCommit(() => seen.push('committed'));
            tx.afterRollback(() => seen.push('rolled back'));
          });
          throw new Error('outer');
        }),
      );
      expect(seen).toEqual(['rolled back']);
    });

    it('outside a transaction afterCommit runs at once and afterRollback never', async () => {
      const seen: string[] = [];
      await db.afterCommit(() => seen.push('commit'));
      await db.afterRollback(() => seen.push('rollback'));
      expect(seen).toEqual(['commit']);
    });

    it('a hook’s error is reported and reaches neither the caller nor the other hooks', async () => {
      const lines: string[] = [];
      const log = (_: unknown, message: string): void => void lines.push(message);
      const loud = bench.open({ logger: { debug: log, info: log, warn: log, error: log } });
      let second = false;
      await loud.atomic(async (tx) => {
        tx.afterCommit(() => {
          throw new Error('hook');
        });
        tx.afterCommit(() => {
          second = true;
        });
      });
      expect(second).toBe(true);
      expect(lines).toContain('a transaction hook failed');
    });
  });
});
