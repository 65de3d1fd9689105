import { once } from 'node:events';
import type { Pool, PoolConnection } from 'mysql2';
import type { ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import { mysql2Pool } from '../../src/adapters/mysql2';
import {
  InvalidArgumentError,
  LeaseReleasedError,
  NoTransactionError,
  PoolClosedError,
  PoolExhaustedError,
  TransactionControlError,
  TransactionOpenError,
  connectionScope,
  type RetryingPooledDatabase,
} from '../../src/index';
import { notesIn, onEachServer } from '../support/servers';
import { elapsed, running } from '../support/running';
import { failure, until } from '../support/until';
import { warm } from '../support/warm';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let pool: Pool;

  beforeEach(() => {
    db = bench.open({ connectionLimit: 2 });
    pool = mysql2Pool(db);
  });

  const checkout = (): Promise<PoolConnection> =>
    new Promise((resolve, reject) => {
      pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)));
    });

  const idle = (): Promise<void> => until('all are back', () => db.stats().active === 0);

  describe('the pool', () => {
    it('calls back with what mysql2 calls back with', async () => {
      const [error, rows, fields] = await new Promise<unknown[]>((resolve) => {
        pool.query('SELECT ? AS a', [7], (...results) => resolve(results));
      });
      expect(error).toBeNull();
      expect(rows).toEqual([{ a: 7 }]);
      expect((fields as { name: string }[]).map(({ name }) => name)).toEqual(['a']);
      const [failed] = await new Promise<unknown[]>((resolve) => {
        pool.execute('SELECT missing', (...results: unknown[]) => resolve(results));
      });
      expect(failed).toMatchObject({ errno: 1054 });
    });

    it('takes a statement as an object, with its options', async () => {
      const promised = pool.promise();
      const [rows] = await promised.query({ sql: 'SELECT ? AS a', rowsAsArray: true }, ['x']);
      expect(rows).toEqual([['x']]);
      const cast = { sql: 'SELECT 1 AS a', typeCast: () => 'cast' };
      expect((await promised.query(cast))[0]).toEqual([{ a: 'cast' }]);
      const named = { sql: 'SELECT :a AS a', namedPlaceholders: true };
      expect((await promised.execute(named, { a: 5 }))[0]).toEqual([{ a: 5 }]);
      const [header] = await promised.query<ResultSetHeader>("INSERT INTO notes VALUES (1, 'x')");
      expect(header).toMatchObject({ affectedRows: 1, insertId: 0, changedRows: 0 });
    });

    it('runs its own statements on the connection of the scope that is open', async () => {
      const ids = await connectionScope(async () => [
        await pool.promise().query('SELECT CONNECTION_ID() AS id'),
        await db.query('SELECT CONNECTION_ID() AS id'),
      ]);
      const [first, second] = ids.map(([rows]) => (rows as { id: number }[])[0]?.id);
      expect(first).toBe(second);
      expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
    });

    it('refuses transaction control on no connection in particular', async () => {
      expect(await failure(pool.promise().query('BEGIN'))).toBeInstanceOf(TransactionControlError);
    });

    it('without a callback a statement is sent all the same, and tells by events', async () => {
      const command = pool.query("INSERT INTO notes VALUES (1, 'x')");
      const [header] = (await once(command, 'result')) as [ResultSetHeader];
      expect(header.affectedRows).toBe(1);
      const [error] = (await once(
        pool.query('SELECT missing').on('error', () => {}),
        'error',
      ).catch((reason: unknown) => [reason])) as [{ errno: number }];
      expect(error.errno).toBe(1054);
    });

    it('streams rows', async () => {
      const ids: number[] = [];
      for await (const { id } of pool.query('SELECT 1 AS id UNION SELECT 2').stream()) ids.push(id);
      expect(ids).toEqual([1, 2]);
      await idle();
    });

    it('says so where no connection is to be had', async () => {
      db = await warm(bench.open({ connectionLimit: 2, acquireTimeout: 300 }), 2);
      pool = mysql2Pool(db);
      const taken = [await checkout(), await checkout()];
      expect(await failure(checkout())).toBeInstanceOf(PoolExhaustedError);
      for (const connection of taken) pool.releaseConnection(connection);
      await idle();
    });

    it('is made of a database, with options that exist', () => {
      expect(() => mysql2Pool({} as never)).toThrow(InvalidArgumentError);
      expect(() => mysql2Pool(db, { size: 3 } as object)).toThrow(/'size'/);
      expect(() => mysql2Pool(db, { endsDatabase: 1 } as object)).toThrow(InvalidArgumentError);
    });
  });

  describe('a connection', () => {
    it('runs what is issued at once in that order, transaction control included', async () => {
      const connection = await checkout();
      connection.beginTransaction(() => {});
      connection.query('INSERT INTO notes VALUES (1, NULL)', () => {});
      connection.query('SAVEPOINT one', () => {});
      connection.execute('INSERT INTO notes VALUES (2, NULL)', () => {});
      connection.query('ROLLBACK TO one', () => {});
      connection.query('INSERT INTO notes VALUES (3, NULL)', () => {});
      await new Promise((resolve) => connection.commit(resolve));
      connection.release();
      expect(await notesIn(bench)).toEqual([1, 3]);
      await idle();
    });

    it('that is given back uncommitted is rolled back, savepoints and all', async () => {
      const connection = await pool.promise().getConnection();
      await connection.beginTransaction();
      await connection.query('INSERT INTO notes VALUES (1, NULL)');
      await connection.query('SAVEPOINT a');
      await connection.query('INSERT INTO notes VALUES (2, NULL)');
      connection.release();
      await idle();
      expect(await notesIn(bench)).toEqual([]);
    });

    it('that is given back in a block of ours loses its own transaction and not the block’s', async () => {
      await db.atomic(async () => {
        await db.execute('INSERT INTO notes VALUES (1, NULL)');
        const connection = await pool.promise().getConnection();
        await connection.beginTransaction();
        await connection.query('INSERT INTO notes VALUES (2, NULL)');
        connection.release();
        await db.execute('INSERT INTO notes VALUES (3, NULL)');
      });
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('rejects every use after its release, also where it was a view of a block', async () => {
      const use = async (): Promise<void> => {
        const connection = await pool.promise().getConnection();
        connection.release();
        connection.release();
        expect(await failure(connection.query('DO 0'))).toBeInstanceOf(LeaseReleasedError);
        expect(await failure(connection.commit())).toBeInstanceOf(LeaseReleasedError);
        const core = connection.connection as unknown as PoolConnection;
        const stream = core.query('SELECT 1').stream();
        expect(await failure(stream.toArray())).toBeInstanceOf(LeaseReleasedError);
      };
      await use();
      await db.atomic(use);
      await idle();
    });

    it('a stream that its connection’s release cuts short is an error and no short result', async () => {
      await db.bulkInsert(
        'notes',
        Array.from({ length: 3000 }, (_, id) => ({ id, text: 'x'.repeat(90) })),
      );
      const connection = await checkout();
      const stream = connection.query('SELECT * FROM notes').stream();
      await once(stream, 'readable');
      connection.release();
      expect(await failure(stream.toArray())).toBeInstanceOf(LeaseReleasedError);
      await idle();
    });

    it('in a block of ours its unread stream is not in the way once it is released', async () => {
      await db.atomic(async () => {
        await db.query('INSERT INTO notes VALUES (1, NULL), (2, NULL)');
        const connection = await checkout();
        const rows = connection.query('SELECT * FROM notes').stream({ highWaterMark: 1 });
        await once(rows, 'readable');
        expect(await failure(db.query('DO 0'))).toMatchObject({ code: 'ERR_STREAM_OPEN' });
        connection.release();
        await until('it is left', () =>
          db.query('DO 0').then(
            () => true,
            () => false,
          ),
        );
      });
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('COMMIT and ROLLBACK with nothing open do nothing, as on a server', async () => {
      const connection = await pool.promise().getConnection();
      await connection.commit();
      await connection.rollback();
      const [header] = await connection.query<ResultSetHeader>('ROLLBACK');
      expect(header).toMatchObject({ affectedRows: 0, insertId: 0 });
      connection.release();
    });

    it('refuses what would commit unseen, and what it cannot translate', async () => {
      const connection = await pool.promise().getConnection();
      expect(await failure(connection.query('SAVEPOINT a'))).toBeInstanceOf(NoTransactionError);
      await connection.beginTransaction();
      const refused = [
        ['BEGIN', TransactionOpenError],
        ['COMMIT AND CHAIN', TransactionControlError],
        ['/* hidden */ XA START "x"', TransactionControlError],
        ['SET autocommit = 0', TransactionControlError],
        ['ROLLBACK TO nowhere', TransactionControlError],
        ['RELEASE SAVEPOINT nowhere', TransactionControlError],
      ] as const;
      for (const [text, type] of refused) {
        expect(await failure(connection.query(text))).toBeInstanceOf(type);
      }
      await connection.query('INSERT INTO notes VALUES (1, NULL)');
      // The server's own refusal.
      expect(
        await failure(connection.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')),
      ).toMatchObject({ errno: 1568 });
      await connection.query('/* a tag */ COMMIT -- done');
      connection.release();
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('says ping, formats and escapes', async () => {
      const connection = await pool.promise().getConnection();
      await connection.ping();
      expect(connection.threadId).toBeGreaterThan(0);
      expect(connection.format('SELECT ?', ["a'b"])).toBe("SELECT 'a\\'b'");
      expect(pool.escape('x') + pool.escapeId('y')).toBe("'x'`y`");
      await connection[Symbol.asyncDispose]();
      await idle();
    });

    it('destroy() closes the session, and what was begun on it is gone', async () => {
      const connection = await pool.promise().getConnection();
      await connection.beginTransaction();
      await connection.query('INSERT INTO notes VALUES (1, NULL)');
      const { threadId } = connection;
      connection.destroy();
      expect(await failure(connection.query('DO 0'))).toBeInstanceOf(LeaseReleasedError);
      await until('it is gone', async () => !(await bench.sessions()).includes(threadId));
      expect(await notesIn(bench)).toEqual([]);
      expect(db.stats().active).toBe(0);
    });

    it('in a block of ours destroy() gives it back and leaves the block alone', async () => {
      await db.atomic(async () => {
        const connection = await pool.promise().getConnection();
        await connection.query('INSERT INTO notes VALUES (1, NULL)');
        connection.destroy();
        expect(await failure(connection.query('DO 0'))).toBeInstanceOf(LeaseReleasedError);
      });
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('a transaction whose session was killed fails, and the connection goes back', async () => {
      const connection = await pool.promise().getConnection();
      await connection.beginTransaction();
      await connection.query('INSERT INTO notes VALUES (1, NULL)');
      await bench.sql(`KILL ${connection.threadId}`);
      await failure(connection.query<RowDataPacket[]>('SELECT 1'));
      await failure(connection.commit());
      await connection.rollback();
      connection.release();
      await idle();
      expect(await notesIn(bench)).toEqual([]);
    });

    it('the scope’s time limit holds for a transaction that was begun by text in it', async () => {
      await warm(db);
      let connection: Awaited<ReturnType<ReturnType<Pool['promise']>['getConnection']>> | undefined;
      const within = await elapsed(() =>
        failure(
          connectionScope(
            async () => {
              connection = await pool.promise().getConnection();
              await connection.beginTransaction();
              await connection.query('INSERT INTO notes VALUES (1, NULL)');
              await connection.query('DO SLEEP(60)');
            },
            { timeout: 1500 },
          ),
        ),
      );
      expect(within).toBeLessThan(20_000);
      await failure(connection!.commit());
      connection!.release();
      await idle();
      expect(await notesIn(bench)).toEqual([]);
    });
  });

  describe('end()', () => {
    it('waits for what runs, rolls back what is open, and takes no more', async () => {
      const connection = await pool.promise().getConnection();
      await connection.beginTransaction();
      await connection.query('INSERT INTO notes VALUES (1, NULL)');
      // It runs for as long as somebody else has the lock.
      await bench.sql('DO GET_LOCK(?, 0)', [bench.schema]);
      const runs = connection.query('SELECT GET_LOCK(?, 60) AS got', [bench.schema]);
      await until('it runs', async () => (await running(bench, 'GET_LOCK')) === 1);
      const ended = pool.promise().end();
      const endedAgain = new Promise((resolve) => pool.end(resolve));
      await bench.sql('DO RELEASE_LOCK(?)', [bench.schema]);
      expect((await runs)[0]).toEqual([{ got: 1 }]);
      await endedAgain;
      await ended;
      expect(db.stats().active).toBe(0);
      expect(await notesIn(bench)).toEqual([]);
      expect(await failure(checkout())).toBeInstanceOf(PoolClosedError);
      expect(await failure(pool.promise().query('DO 0'))).toBeInstanceOf(PoolClosedError);
      // The database is somebody else's.
      await db.query('DO 0');
    });

    it('who was waiting for a connection gets none any more, and the connection is not lost', async () => {
      const held = await Promise.all([db.getConnection(), db.getConnection()]);
      const late = failure(checkout());
      await until('it waits', () => db.stats().waiting === 1);
      const ended = pool.promise().end();
      await Promise.all(held.map((connection) => connection.release()));
      expect(await late).toBeInstanceOf(PoolClosedError);
      await ended;
      await idle();
    });
  });
});
