import { LeaseReleasedError, type RetryingPooledDatabase } from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  beforeEach(() => {
    // One connection: whoever comes next gets what the borrower before left behind.
    db = bench.open({ connectionLimit: 1 });
  });

  const one = async (sql: string): Promise<unknown> => {
    const [rows] = await db.query<Record<string, unknown>[]>(sql);
    return Object.values(rows[0] ?? {})[0];
  };

  describe('what a borrower leaves behind does not reach the next one', () => {
    it('an open transaction is rolled back', async () => {
      const connection = await db.getConnection();
      await connection.beginTransaction();
      await connection.query('INSERT INTO notes VALUES (1, NULL)');
      await connection.release();
      await db.query('INSERT INTO notes VALUES (2, NULL)');
      expect(await notesIn(bench)).toEqual([2]);
      expect(db.stats().created).toBe(1);
    });

    it.each([
      ['SET @x', 'SET @x = 1', 'SELECT @x', null],
      ['@x :=', 'SELECT @x := 5', 'SELECT @x', null],
      ['SELECT … INTO @x', 'SELECT 7 INTO @x', 'SELECT @x', null],
      [
        'SET SESSION',
        'SET SESSION sort_buffer_size = 65536',
        'SELECT @@sort_buffer_size = 65536',
        0,
      ],
      ['SET NAMES', 'SET NAMES latin1', 'SELECT @@character_set_client', 'utf8mb4'],
      [
        'GET_LOCK',
        "SELECT GET_LOCK('returning.left', 0)",
        "SELECT IS_USED_LOCK('returning.left')",
        null,
      ],
      ['SET TRANSACTION', 'SET SESSION TRANSACTION READ ONLY', 'SELECT 1', 1],
    ])('%s', async (_, leave, look, expected) => {
      await db.query(leave);
      const value = await one(look);
      expect(value).toEqual(expected);
      expect(db.stats().created).toBe(1);
    });

    it('SET TRANSACTION READ ONLY for the next transaction', async () => {
      await db.query('SET TRANSACTION READ ONLY');
      await db.query('INSERT INTO notes VALUES (1, NULL)');
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('USE: the configured database is back', async () => {
      await db.query('USE information_schema');
      expect(await one('SELECT DATABASE()')).toBe(bench.schema);
    });

    it('USE where no database is configured: the connection is replaced', async () => {
      const { database: _, ...address } = bench.address;
      const bare = bench.open({ ...address, connectionLimit: 1, database: undefined as never });
      await bare.query('USE information_schema');
      const [rows] = await bare.query('SELECT DATABASE() AS db');
      expect(rows).toEqual([{ db: null }]);
      expect(bare.stats()).toMatchObject({ created: 2, destroyed: 1 });
    });

    it('LOCK TABLES', async () => {
      await db.query('LOCK TABLES notes WRITE');
      await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (1, NULL)`);
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('HANDLER … OPEN', async () => {
      await db.query('HANDLER notes OPEN AS h');
      expect(await failure(db.query('HANDLER h READ FIRST'))).toMatchObject({ errno: 1109 });
    });

    it('a temporary table', async () => {
      await db.query('CREATE TEMPORARY TABLE scratch (id INT)');
      expect(await failure(db.query('SELECT * FROM scratch'))).toMatchObject({ errno: 1146 });
    });
  });

  describe('the session', () => {
    it('is reset only when it is dirty: a clean return costs no round trip', async () => {
      const questions = (): Promise<unknown> =>
        one(
          "SELECT SUM(VARIABLE_VALUE) FROM performance_schema.session_status WHERE VARIABLE_NAME = 'Questions'",
        ).catch(() =>
          one(
            "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Questions'",
          ),
        );
      await questions();
      const before = Number(await questions());
      await db.execute('SELECT 1');
      await db.query('INSERT INTO notes VALUES (1, NULL)');
      const after = Number(await questions());
      // Ours are the two statements, the preparation of one, and the look itself.
      expect(after - before).toBeLessThanOrEqual(4);
    });

    it('initSql runs before the first statement and again after a reset', async () => {
      const prepared = bench.open({
        connectionLimit: 1,
        initSql: ['SET @who = 7', "SET @where = 'here'"],
      });
      const look = (): Promise<unknown> =>
        prepared.query('SELECT @who AS who, @where AS place').then(([rows]) => rows);
      expect(await look()).toEqual([{ who: 7, place: 'here' }]);
      await prepared.query('SET @who = 8');
      expect(await look()).toEqual([{ who: 7, place: 'here' }]);
      expect(prepared.stats().created).toBe(1);
    });

    it('a failing initSql is told as the cause of the acquire that got nothing', async () => {
      const broken = bench.open({ initSql: 'SELECT * FROM nowhere', acquireTimeout: 2500 });
      const error = await failure(broken.query('DO 0'));
      expect(error).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
      expect(error.cause).toMatchObject({ errno: 1146 });
    });

    it("resetOnRelease 'always' resets each time, 'never' leaves what was left", async () => {
      const never = bench.open({ connectionLimit: 1, resetOnRelease: 'never' });
      await never.query('SET @x = 1');
      expect((await never.query('SELECT @x AS x'))[0]).toEqual([{ x: 1 }]);
      const always = bench.open({ connectionLimit: 1, resetOnRelease: 'always' });
      const prepared = await always.execute('SELECT ? AS v', [1]);
      expect((await always.execute('SELECT ? AS v', [1]))[0]).toEqual(prepared[0]);
    });

    it('keeps its character set where the server’s own is latin1, also after a reset', async () => {
      const [row] = await bench.sql('SELECT @@global.character_set_server AS cs');
      await bench.sql('SET GLOBAL character_set_server = latin1');
      try {
        await db.query('SET @x = 1');
        await db.query('INSERT INTO notes VALUES (1, ?)', ['é😀']);
        await db.execute('INSERT INTO notes VALUES (2, ?)', ['é😀']);
        const rows = await bench.sql(`SELECT HEX(text) AS hex FROM ${bench.schema}.notes`);
        const hex = Buffer.from('é😀').toString('hex').toUpperCase();
        expect(rows).toEqual([{ hex }, { hex }]);
        expect((await db.query('SELECT text FROM notes WHERE id = 1'))[0]).toEqual([
          { text: 'é😀' },
        ]);
      } finally {
        await bench.sql(`SET GLOBAL character_set_server = ${String(row?.['cs'])}`);
      }
    });
  });

  describe('getConnection()', () => {
    it('is outside the scope, and every use after release() rejects', async () => {
      const connection = await db.getConnection();
      await connection.release();
      await connection.release();
      const next = await db.getConnection();
      expect(await failure(connection.query('DO 0'))).toBeInstanceOf(LeaseReleasedError);
      expect(await failure(connection.execute('DO 0'))).toBeInstanceOf(LeaseReleasedError);
      expect(await failure(connection.ping())).toBeInstanceOf(LeaseReleasedError);
      expect(await failure(connection.atomic(async () => 1))).toBeInstanceOf(LeaseReleasedError);
      // The stale object neither uses nor frees what somebody else has by now.
      connection.destroy();
      await connection.release();
      expect(db.stats().active).toBe(1);
      await next.query('DO 0');
      await next.release();
    });

    it('release() waits for what is still running', async () => {
      const connection = await db.getConnection();
      const running = connection.query('DO SLEEP(0.1)');
      await connection.release();
      await running;
      expect(db.stats()).toMatchObject({ active: 0, idle: 1 });
    });

    it('atomic() on it nests, rolls back, and keeps the connection', async () => {
      const connection = await db.getConnection();
      await connection.atomic(async (tx) => {
        await tx.query('INSERT INTO notes VALUES (1, NULL)');
        await failure(
          connection.atomic(async () => {
            await connection.query('INSERT INTO notes VALUES (2, NULL)');
            throw new Error('inner');
          }),
        );
      });
      expect(await notesIn(bench)).toEqual([1]);
      expect(db.stats().active).toBe(1);
      await connection.release();
    });

    it('destroy() closes it; what is running rejects at once', async () => {
      const connection = await db.getConnection();
      const running = failure(connection.query('DO SLEEP(25)'));
      const begun = performance.now();
      connection.destroy();
      expect((await running).message).toContain('destroyed');
      expect(performance.now() - begun).toBeLessThan(10_000);
      expect(db.stats()).toMatchObject({ active: 0, idle: 0, destroyed: 1 });
    });

    it('await using gives it back', async () => {
      const connection = await db.getConnection();
      await connection.query('DO 0');
      await connection[Symbol.asyncDispose]();
      expect(db.stats().active).toBe(0);
    });

    it('an aborted wait rejects with the signal’s reason and leaves no waiter behind', async () => {
      const held = await db.getConnection();
      const aborter = new AbortController();
      const waiting = failure(db.getConnection({ signal: aborter.signal }));
      aborter.abort(new Error('enough'));
      expect((await waiting).message).toBe('enough');
      expect(db.stats().waiting).toBe(0);
      await held.release();
      expect(db.stats()).toMatchObject({ active: 0, idle: 1 });
    });
  });

  describe('the end', () => {
    it('closes every session with a goodbye (COM_QUIT), idle ones and at the end', async () => {
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const wide = bench.open({ host, port, connectionLimit: 2, idleTimeout: 30 });
      const both = await Promise.all([wide.getConnection(), wide.getConnection()]);
      const goodbye = proxy.saw('quit');
      await both[0].release();
      await goodbye;
      const another = proxy.saw('quit');
      await both[1].release();
      await another;
      await until('idle connections are closed', () => proxy.connections === 0);
      expect(wide.stats()).toMatchObject({ total: 0, created: 2, destroyed: 2 });
      const last = proxy.saw('quit');
      await wide.query('DO 0');
      await wide.end();
      await last;
      await proxy.close();
    });

    it('waits for leases, then every call rejects with PoolClosedError, and a second end() is the first', async () => {
      const connection = await db.getConnection();
      const ended = db.end();
      expect(db.end()).toBe(ended);
      expect(await failure(db.query('DO 0'))).toMatchObject({ code: 'ERR_POOL_CLOSED' });
      await connection.query('DO 0');
      await connection.release();
      await ended;
      expect(await failure(db.getConnection())).toMatchObject({ code: 'ERR_POOL_CLOSED' });
      expect(db.stats().total).toBe(0);
    });

    it('closes what is still out at the deadline', async () => {
      const connection = await db.getConnection();
      const running = failure(connection.query('DO SLEEP(5)'));
      await db.end({ deadline: 50 });
      expect((await running).name).toBe('PoolClosedError');
      await connection.release();
      expect(db.stats()).toMatchObject({ active: 0, total: 0 });
    });
  });

  it('ping() answers', async () => {
    await db.ping();
    expect(db.stats().active).toBe(0);
    expect(await session(db)).toBeGreaterThan(0);
  });

  it('format, escape and escapeId quote as the driver does', () => {
    expect(db.format('SELECT ?, ??', ["o'k", 'a`b'])).toBe("SELECT 'o\\'k', `a``b`");
    expect(db.escape(null)).toBe('NULL');
    expect(db.escapeId('a.b')).toBe('`a`.`b`');
  });
});
