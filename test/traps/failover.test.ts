import {
  TransactionDoomedError,
  type DatabaseOptions,
  type PooledConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { onEachPrivateServer } from '../support/private-servers';
import { withRival } from '../support/rival';
import { notesIn, session, type Workbench } from '../support/servers';
import { elapsed } from '../support/running';
import { deferred, failure, until } from '../support/until';

/* Traps that show only on a server with other settings: read-only since a failover, one that rolls
 * back where others do not, and one that prepares no more statements. */

const SETTINGS = ['--innodb-rollback-on-timeout=ON', '--innodb-lock-wait-timeout=1'];

onEachPrivateServer(SETTINGS, (there) => {
  let bench: Workbench;
  let user: string;
  let repeated: () => void;
  beforeAll(async () => {
    bench = there();
    user = `u_${bench.schema}`;
    // Whoever may do everything may also write to a read-only server.
    await bench.sql(`CREATE USER ${user}@'%' IDENTIFIED BY 'plain'`);
    await bench.sql(`GRANT ALL ON ${bench.schema}.* TO ${user}@'%'`);
  });
  beforeEach(() => {
    repeated = () => {};
  });
  afterEach(() => bench.sql('SET GLOBAL read_only = 0'));

  const readOnly = (): Promise<unknown> => bench.sql('SET GLOBAL read_only = 1');
  const writable = (): Promise<unknown> => bench.sql('SET GLOBAL read_only = 0');

  const open = (options: DatabaseOptions = {}): RetryingPooledDatabase => {
    const note = (_: unknown, message: string): void => {
      if (message.endsWith('repeated')) repeated();
    };
    const logger = { debug: note, info: note, warn: note, error: note };
    return bench.open({
      user,
      password: 'plain',
      logger,
      connectionLimit: 4,
      acquireTimeout: 15_000,
      retry: { minDelay: 2, maxDelay: 20 },
      ...options,
    });
  };
  const insert = (db: RetryingPooledDatabase, id: number): Promise<unknown> =>
    db.query('INSERT INTO notes VALUES (?, NULL)', [id]);

  /** As many idle connections. */
  async function fill(db: RetryingPooledDatabase, count: number): Promise<number[]> {
    const all = await Promise.all(
      Array.from({ length: count }, (): Promise<PooledConnection> => db.getConnection()),
    );
    for (const connection of all) await connection.release();
    return all.map(({ threadId }) => threadId);
  }

  it('trap 18: past the server’s limit of prepared statements they go as text', async () => {
    const db = open({ connectionLimit: 1 });
    const [row] = await bench.sql('SELECT @@global.max_prepared_stmt_count AS n');
    await bench.sql('SET GLOBAL max_prepared_stmt_count = 0');
    try {
      const [rows] = await db.execute('SELECT ? + 100 AS v', [1]);
      expect(Number(rows[0]?.['v'])).toBe(101);
    } finally {
      await bench.sql(`SET GLOBAL max_prepared_stmt_count = ${Number(row?.['n'])}`);
    }
  });

  describe('trap 25: a server that is read-only since a failover', () => {
    it('a write is tried on new connections until acquireTimeout, and ends in the server’s own error', async () => {
      const db = open({ acquireTimeout: 2500 });
      await db.query('DO 0');
      await readOnly();
      let error: Record<string, unknown> = {};
      const took = await elapsed(async () => {
        error = await failure(insert(db, 1));
      });
      expect(error).toMatchObject({ errno: 1290 });
      // More often than the three attempts of other errors, and each on a connection of its own.
      expect(error['attempts']).toBeGreaterThan(3);
      expect(db.stats()).toMatchObject({
        created: error['attempts'],
        destroyed: error['attempts'],
        retries: Number(error['attempts']) - 1,
      });
      expect(took).toBeGreaterThan(2400);
      expect(took).toBeLessThan(20_000);
      await writable();
      expect(await notesIn(bench)).toEqual([]);
    });

    it('goes writable meanwhile: the write succeeds, exactly once, and all older connections are replaced', async () => {
      const db = open();
      const old = await fill(db, 3);
      const held = await db.getConnection();
      await readOnly();
      const again = deferred();
      repeated = again.resolve;
      const write = insert(db, 1);
      await again.promise;
      await writable();
      await write;
      expect(await notesIn(bench)).toEqual([1]);
      // What is out is left to its holder, and closed when it comes back.
      await held.query('DO 0');
      await held.release();
      await until('the old sessions are gone', async () => {
        const sessions = await bench.sessions();
        return !old.some((id) => sessions.includes(id));
      });
      expect(old).not.toContain(await session(db));
    });

    it('reads go on meanwhile, on the connection they have', async () => {
      const db = open({ connectionLimit: 1 });
      const before = await session(db);
      await readOnly();
      expect((await db.query('SELECT COUNT(*) AS n FROM notes'))[0]).toEqual([{ n: 0 }]);
      expect(await session(db)).toBe(before);
      expect(db.stats().retries).toBe(0);
    });

    it('in a transaction with retries: run again on new connections, also more often than that, written exactly once', async () => {
      const db = open();
      const old = await fill(db, 3);
      await readOnly();
      let times = 0;
      repeated = () => {
        if (++times === 4) void writable();
      };
      const hooks: string[] = [];
      const attempts: number[] = [];
      await db.atomic(
        async (tx) => {
          attempts.push(tx.attempt);
          tx.afterCommit(() => hooks.push('committed'));
          await tx.query('SELECT COUNT(*) FROM notes');
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          expect(old).not.toContain(await session(db));
        },
        { retries: 1 },
      );
      expect(attempts.length).toBeGreaterThanOrEqual(5);
      expect(attempts).toEqual(attempts.map((_, place) => place + 1));
      expect(hooks).toEqual(['committed']);
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('in a transaction without: the server’s error at once, and the next one has a new connection', async () => {
      const db = open();
      const old = await fill(db, 3);
      await readOnly();
      let runs = 0;
      const error = await failure(
        db.atomic(() => {
          runs++;
          return insert(db, 1);
        }),
      );
      expect({ errno: error['errno'], runs }).toEqual({ errno: 1290, runs: 1 });
      await writable();
      expect(old).not.toContain(await session(db));
      await until('the old ones are gone', async () => (await bench.sessions()).length === 1);
    });

    it('comes between a write and its COMMIT: certainly rolled back, so retries run it again', async () => {
      const db = open();
      let runs = 0;
      repeated = () => void writable();
      await db.atomic(
        async (tx) => {
          runs++;
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          if (runs === 1) await readOnly();
        },
        { retries: 1 },
      );
      expect(await notesIn(bench)).toEqual([1]);
      expect(runs).toBe(2);
    });
  });

  describe('innodb_rollback_on_timeout=ON', () => {
    const update = "UPDATE notes SET text = 'mine' WHERE id = 1";

    it('a lock wait that was caught dooms the transaction: nothing runs in autocommit', async () => {
      const db = open();
      const hooks: string[] = [];
      await withRival(bench, [1], async () => {
        let refused: unknown;
        const error = await failure(
          db.atomic(async (tx) => {
            tx.afterCommit(() => hooks.push('committed'));
            tx.afterRollback(() => hooks.push('rolled back'));
            await insert(db, 10);
            expect(await failure(tx.query(update))).toMatchObject({ errno: 1205 });
            refused = await failure(insert(db, 11));
            await failure(db.atomic(() => insert(db, 12)));
          }),
        );
        expect(refused).toBeInstanceOf(TransactionDoomedError);
        expect(error).toBeInstanceOf(TransactionDoomedError);
        expect(error.cause).toMatchObject({ errno: 1205 });
      });
      expect(hooks).toEqual(['rolled back']);
      expect(await notesIn(bench)).toEqual([1, 2, 3, 4]);
    });

    it('inside a savepoint, and as the last statement, it dooms the root; retries run that again', async () => {
      const db = open();
      const attempts: number[] = [];
      await withRival(bench, [1], async (rival) => {
        await db.atomic(
          async (tx) => {
            attempts.push(tx.attempt);
            tx.afterRollback(() => rival.yield());
            await insert(db, 10 + tx.attempt);
            await db.atomic((nested) => nested.query(update)).catch(() => undefined);
          },
          { retries: 1 },
        );
      });
      expect(attempts).toEqual([1, 2]);
      expect(await notesIn(bench)).toEqual([1, 2, 3, 4, 12]);
    });
  });
});
