import { TransactionOpenError, type RetryingPooledDatabase } from '../../src/index';
import type { AtomicOptions } from '../../src/transaction/atomic-options';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  let db: RetryingPooledDatabase;
  let resets: number;
  beforeEach(async () => {
    resets = 0;
    proxy = await startProxy(bench.server);
    void proxy.saw('reset').then(() => resets++);
    const { host, port } = proxy;
    db = bench.open({ host, port, connectionLimit: 1, validateAfter: 0 });
  });
  afterEach(() => proxy.close());

  const insert = (id: number): Promise<unknown> =>
    db.query('INSERT INTO notes VALUES (?, NULL)', [id]);

  /** Whether a transaction sees what another has not committed yet, and what it commits meanwhile. */
  async function visibility(options: AtomicOptions): Promise<{ dirty: boolean; later: boolean }> {
    const notes = `${bench.schema}.notes`;
    return db.atomic(async (tx) => {
      const sees = async (): Promise<boolean> => {
        const [rows] = await tx.query('SELECT id FROM notes WHERE id = 50');
        return rows.length > 0;
      };
      await sees();
      await bench.sql('BEGIN');
      await bench.sql(`INSERT INTO ${notes} VALUES (50, NULL)`);
      const dirty = await sees();
      await bench.sql('COMMIT');
      const later = await sees();
      await bench.sql(`DELETE FROM ${notes}`);
      return { dirty, later };
    }, options);
  }

  /** True where a plain read of the transaction locks what it has read. */
  async function readsLock(options: AtomicOptions): Promise<boolean> {
    await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (60, NULL)`);
    return db.atomic(async (tx) => {
      await tx.query('SELECT id FROM notes WHERE id = 60');
      const taken = bench.sql(
        `SELECT id FROM ${bench.schema}.notes WHERE id = 60 FOR UPDATE NOWAIT`,
      );
      return taken.then(
        () => false,
        (error: unknown) => {
          // Only MySQL has a number for NOWAIT.
          expect([1205, 3572]).toContain((error as { errno: number }).errno);
          return true;
        },
      );
    }, options);
  }

  const SNAPSHOT = { dirty: false, later: false };

  describe('isolationLevel', () => {
    it.each([
      ['READ UNCOMMITTED', { dirty: true, later: true }],
      ['READ COMMITTED', { dirty: false, later: true }],
      ['REPEATABLE READ', SNAPSHOT],
    ] as const)(
      '%s is in force for that transaction, and not for the next',
      async (level, seen) => {
        expect(await visibility({ isolationLevel: level })).toEqual(seen);
        expect(await visibility({})).toEqual(SNAPSHOT);
        expect(await visibility({ isolationLevel: level, readOnly: true })).toEqual(seen);
        expect(db.stats()).toMatchObject({ created: 1, acquired: 3 });
        expect(resets).toBe(0);
      },
    );

    it('SERIALIZABLE is in force for that transaction, and not for the next', async () => {
      expect(await readsLock({ isolationLevel: 'SERIALIZABLE' })).toBe(true);
      await bench.sql(`DELETE FROM ${bench.schema}.notes`);
      expect(await readsLock({})).toBe(false);
      expect(db.stats().created).toBe(1);
      expect(resets).toBe(0);
    });

    it('holds for each attempt of retries', async () => {
      proxy.lose(/^DO 1/, 'cut');
      const sent = (): string[] => proxy.statements.filter((text) => text.startsWith('SET TRANS'));
      await db.atomic((tx) => tx.query('DO 1'), { isolationLevel: 'READ COMMITTED', retries: 1 });
      expect(sent()).toEqual(Array(2).fill('SET TRANSACTION ISOLATION LEVEL READ COMMITTED'));
    });
  });

  describe('readOnly', () => {
    it('a write is the caller’s error at once: nothing is run again, no connection is replaced', async () => {
      const before = await session(db);
      let runs = 0;
      const error = await failure(
        db.atomic(
          () => {
            runs++;
            return insert(1);
          },
          { readOnly: true, retries: 3 },
        ),
      );
      expect(error).toMatchObject({ errno: 1792 });
      expect(error['attempts']).toBeUndefined();
      expect({ runs, after: await session(db), retries: db.stats().retries }).toEqual({
        runs: 1,
        after: before,
        retries: 0,
      });
      expect(await notesIn(bench)).toEqual([]);
    });

    it('holds for exactly that transaction; the session needs no reset', async () => {
      await db.atomic((tx) => tx.query('SELECT * FROM notes'), { readOnly: true });
      await insert(2);
      await db.atomic(() => insert(3), { readOnly: false });
      expect(await notesIn(bench)).toEqual([2, 3]);
      expect(db.stats()).toMatchObject({ created: 1, destroyed: 0 });
      expect(resets).toBe(0);
    });

    it('a session that the caller made read-only: the error at once, also with retries', async () => {
      const own = bench.open({ connectionLimit: 2, validateAfter: 0 });
      const connection = await own.getConnection();
      const bystander = await session(own);
      await connection.query('SET SESSION TRANSACTION READ ONLY');
      let runs = 0;
      const error = await failure(
        connection.atomic(
          (tx) => {
            runs++;
            return tx.query('INSERT INTO notes VALUES (1, NULL)');
          },
          { retries: 3 },
        ),
      );
      expect(error).toMatchObject({ errno: 1792 });
      expect({ runs, bystander: await session(own) }).toEqual({ runs: 1, bystander });
      await connection.release();
      expect(own.stats().created).toBe(2);
    });
  });

  describe('consistentSnapshot', () => {
    it('what is read is as of the first statement, whether or not that read anything', async () => {
      const seen = async (options: AtomicOptions): Promise<number> =>
        db.atomic(async (tx) => {
          await tx.query('DO 0');
          await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (50, NULL)`);
          const [rows] = await tx.query('SELECT id FROM notes');
          await bench.sql(`DELETE FROM ${bench.schema}.notes`);
          return rows.length;
        }, options);
      expect(await seen({ consistentSnapshot: true })).toBe(0);
      expect(await seen({ consistentSnapshot: true, readOnly: true })).toBe(0);
      // Of exactly that transaction; without it a snapshot is of the first read.
      expect(await seen({})).toBe(1);
      expect(resets).toBe(0);
    });
  });

  describe('in a nested block', () => {
    const LEVEL = { isolationLevel: 'READ COMMITTED' } as const;
    it.each<[string, AtomicOptions, AtomicOptions]>([
      ['the same level', LEVEL, LEVEL],
      ['read-only in read-only', { readOnly: true }, { readOnly: true }],
      ['not read-only, where nothing was said', {}, { readOnly: false }],
      ['the same snapshot', { consistentSnapshot: true }, { consistentSnapshot: true }],
      ['nothing said', { ...LEVEL, readOnly: true }, {}],
    ])('agreeing is let through: %s', async (_, outer, inner) => {
      const [rows] = await db.atomic(
        () => db.atomic((tx) => tx.query('SELECT 7 AS v'), inner),
        outer,
      );
      expect(rows).toEqual([{ v: 7 }]);
    });

    it.each<[string, AtomicOptions, AtomicOptions]>([
      ['isolationLevel', { isolationLevel: 'SERIALIZABLE' }, LEVEL],
      ['isolationLevel', {}, LEVEL],
      ['readOnly', {}, { readOnly: true }],
      ['readOnly', { readOnly: true }, { readOnly: false }],
      ['readOnly', {}, { readOnly: true, savepoint: false }],
      ['consistentSnapshot', {}, { consistentSnapshot: true }],
    ])('another %s is refused before anything is sent (%j, %j)', async (named, outer, inner) => {
      let ran = false;
      const run = (): void => {
        ran = true;
      };
      const error = await failure(db.atomic(() => db.atomic(run, inner), outer));
      expect(error).toBeInstanceOf(TransactionOpenError);
      expect(error.message).toContain(named);
      expect(error.message).toContain('requiresNew');
      expect({ ran, sent: proxy.statements }).toEqual({ ran: false, sent: [] });
    });
  });
});
