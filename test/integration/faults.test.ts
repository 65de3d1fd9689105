import {
  CommitInDoubtError,
  PoolExhaustedError,
  TransactionDoomedError,
  connectionScope,
  type DatabaseOptions,
  type LogFields,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  let db: RetryingPooledDatabase;
  let lines: { fields: LogFields; message: string }[];

  const open = (options: DatabaseOptions = {}): RetryingPooledDatabase => {
    const note = (fields: LogFields, message: string): void => void lines.push({ fields, message });
    const logger = { debug: note, info: note, warn: note, error: note };
    const { host, port } = proxy;
    return bench.open({
      host,
      port,
      connectionLimit: 2,
      acquireTimeout: 10_000,
      logger,
      ...options,
    });
  };

  beforeEach(async () => {
    lines = [];
    proxy = await startProxy(bench.server);
    db = open();
  });
  afterEach(() => proxy.close());

  const heard = (what: string): boolean => lines.some(({ message }) => message === what);
  const insert = (id: number, idempotent = false): Promise<unknown> =>
    db.query('INSERT INTO notes VALUES (?, NULL)', [id], { idempotent });

  describe('a statement whose answer is lost', () => {
    it('is never repeated: the row is there once, and the error is the driver’s own', async () => {
      await db.query('DO 0');
      const trap = proxy.swallow(/^INSERT/, 'reset');
      const error = await failure(insert(1));
      await trap.sprung;
      expect(['ECONNRESET', 'PROTOCOL_CONNECTION_LOST']).toContain(error['code']);
      expect(error['attempts']).toBeUndefined();
      expect(await notesIn(bench)).toEqual([1]);
      expect(db.stats()).toMatchObject({ active: 0 });
    });

    it('is repeated where it is declared idempotent, and succeeds', async () => {
      await db.query('DO 0');
      const trap = proxy.swallow(/^INSERT IGNORE/, 'reset');
      await db.query('INSERT IGNORE INTO notes VALUES (?, NULL)', [1], { idempotent: true });
      await trap.sprung;
      expect(await notesIn(bench)).toEqual([1]);
      expect(lines.filter(({ message }) => message === 'statement repeated')).toHaveLength(1);
    });

    it('inside a scope too: the scope goes on with another connection', async () => {
      await connectionScope(async () => {
        const before = await session(db);
        proxy.swallow(/^SELECT 'again'/, 'cut');
        const [rows] = await db.query("SELECT 'again' AS v", [], { idempotent: true });
        expect(rows).toEqual([{ v: 'again' }]);
        expect(await session(db)).not.toBe(before);
      });
      expect(db.stats()).toMatchObject({ active: 0 });
    });
  });

  describe('connections that were closed behind our back', () => {
    it('leave the pool while they are idle; the next statement has a fresh one', async () => {
      const both = await Promise.all([db.getConnection(), db.getConnection()]);
      for (const one of both) await one.release();
      expect(db.stats()).toMatchObject({ total: 2, idle: 2 });
      proxy.cut();
      await until('the loss is noticed', () => db.stats().total === 0);
      await insert(1);
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('the caller’s own fault is not repeated, idempotent or not', async () => {
      await insert(1);
      const error = await failure(insert(1, true));
      expect(error).toMatchObject({ errno: 1062 });
      expect(error['attempts']).toBeUndefined();
    });
  });

  describe('attempts', () => {
    it('are counted on the error that ends them', async () => {
      const twice = open({ retry: { attempts: 2, minDelay: 1, maxDelay: 2 } });
      await twice.query('DO 0');
      proxy.swallow(/^SELECT 'lost'/, 'cut');
      proxy.swallow(/^SELECT 'lost'/, 'cut');
      const error = await failure(twice.query("SELECT 'lost'", [], { idempotent: true }));
      expect(error).toMatchObject({ attempts: 2 });
    });

    it('1 switches repeating off', async () => {
      const once = open({ retry: { attempts: 1 } });
      await once.query('DO 0');
      proxy.swallow(/^SELECT 'lost'/, 'cut');
      await failure(once.query("SELECT 'lost'", [], { idempotent: true }));
      expect(proxy.statements.filter((text) => text.includes("'lost'"))).toHaveLength(1);
    });
  });

  describe('COMMIT', () => {
    it('with its answer swallowed: CommitInDoubtError, the row is there, nothing is sent twice, no hook runs', async () => {
      const trap = proxy.swallow(/^COMMIT/, 'reset');
      const hooks: string[] = [];
      const error = await failure(
        db.atomic(async (tx) => {
          tx.afterCommit(() => hooks.push('commit'));
          tx.afterRollback(() => hooks.push('rollback'));
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
        }),
      );
      await trap.sprung;
      expect(error).toBeInstanceOf(CommitInDoubtError);
      expect(error['outcome']).toBe('unknown');
      expect(['ECONNRESET', 'PROTOCOL_CONNECTION_LOST']).toContain(
        (error.cause as { code?: string }).code,
      );
      expect(await notesIn(bench)).toEqual([1]);
      expect(hooks).toEqual([]);
      expect(proxy.statements.filter((text) => text.startsWith('INSERT'))).toHaveLength(1);
      expect(proxy.statements.filter((text) => text.startsWith('COMMIT'))).toHaveLength(1);
      expect(db.stats()).toMatchObject({ active: 0 });
    });

    it('lost on its way: CommitInDoubtError as well, and the row is not there', async () => {
      proxy.lose(/^COMMIT/, 'cut');
      const error = await failure(
        db.atomic((tx) => tx.query('INSERT INTO notes VALUES (1, NULL)')),
      );
      expect(error).toBeInstanceOf(CommitInDoubtError);
      expect(await notesIn(bench)).toEqual([]);
    });
  });

  describe('a transaction whose connection is lost', () => {
    it('rejects with the loss; no statement of it is repeated, and the connection is not reused', async () => {
      const error = await failure(
        db.atomic(async (tx) => {
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          proxy.lose(/^INSERT INTO notes VALUES \(2/, 'cut');
          await tx.query('INSERT INTO notes VALUES (2, NULL)');
        }),
      );
      expect(['ECONNRESET', 'PROTOCOL_CONNECTION_LOST']).toContain(error['code']);
      expect(await notesIn(bench)).toEqual([]);
      expect(db.stats()).toMatchObject({ active: 0, idle: 0 });
    });

    it('that swallows the loss rejects with TransactionDoomedError, cause the loss', async () => {
      const error = await failure(
        db.atomic(async (tx) => {
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          proxy.lose(/^INSERT INTO notes VALUES \(2/, 'cut');
          await failure(tx.query('INSERT INTO notes VALUES (2, NULL)'));
          await failure(tx.query('INSERT INTO notes VALUES (3, NULL)'));
        }),
      );
      expect(error).toBeInstanceOf(TransactionDoomedError);
      expect(await notesIn(bench)).toEqual([]);
    });

    it('BEGIN whose answer is lost is sent again: nothing of the user’s had run', async () => {
      await db.query('DO 0');
      const trap = proxy.swallow(/^BEGIN/, 'cut');
      let runs = 0;
      await db.atomic(async (tx) => {
        runs++;
        await tx.query('INSERT INTO notes VALUES (1, NULL)');
      });
      await trap.sprung;
      expect(runs).toBe(1);
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('COMMIT after a loss that was noticed is not sent: the loss is certain, and not in doubt', async () => {
      const error = await failure(
        db.atomic(async (tx) => {
          const [rows] = await tx.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id');
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          await bench.sql(`KILL CONNECTION ${rows[0]?.id ?? 0}`);
          // The goodbye arrives while the block is busy with something else.
          await until('it is heard', () => heard('connection lost'));
        }),
      );
      expect(error).not.toBeInstanceOf(CommitInDoubtError);
      expect(await notesIn(bench)).toEqual([]);
      expect(db.stats()).toMatchObject({ active: 0 });
    });
  });

  describe('the server is away', () => {
    it('waiters are served when it is back inside the deadline', async () => {
      proxy.refuse();
      const waiting = [1, 2, 3].map((id) => insert(id));
      await until('a connect was refused', () => heard('connect failed'));
      await proxy.heal();
      await Promise.all(waiting);
      expect(await notesIn(bench)).toEqual([1, 2, 3]);
    });

    it('a connection that comes back serves a waiter while the server refuses new ones', async () => {
      const held = await db.getConnection();
      proxy.refuse();
      const waiting = db.getConnection();
      await until('a connect was refused', () => heard('connect failed'));
      await held.release();
      const served = await waiting;
      expect(served.threadId).toBe(held.threadId);
      await served.query('DO 0');
      await served.release();
      expect(db.stats()).toMatchObject({ created: 1, active: 0, waiting: 0 });
    });

    it('waiters fail by their own deadline, with the last connect failure as cause', async () => {
      // Long enough that a busy machine has heard of the refusal by then.
      const impatient = open({ acquireTimeout: 2000 });
      proxy.refuse();
      const begun = performance.now();
      const errors = await Promise.all(
        Array.from({ length: 20 }, () => failure(impatient.query('DO 0'))),
      );
      // One after the other they would take ten times as long.
      expect(performance.now() - begun).toBeLessThan(10_000);
      for (const error of errors) {
        expect(error).toBeInstanceOf(PoolExhaustedError);
        expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
        expect(error.message).toContain('total=0, active=0, idle=0');
      }
      expect(impatient.stats()).toMatchObject({ waiting: 0, timeouts: 20, acquired: 0 });
    });

    it('a black-holed connect ends at connectTimeout, and its waiter at its own deadline', async () => {
      const impatient = open({ acquireTimeout: 3000, connectTimeout: 100 });
      proxy.blackHole();
      const error = await failure(impatient.query('DO 0'));
      expect(error).toBeInstanceOf(PoolExhaustedError);
      expect(error.cause).toMatchObject({ code: 'ETIMEDOUT' });
      await proxy.heal();
    });

    it('a return that meets a black hole is cut, and the lease is not out for ever', async () => {
      const bounded = open({ connectTimeout: 1500 });
      const connection = await bounded.getConnection();
      await connection.beginTransaction();
      proxy.blackHole();
      await connection.release();
      expect(bounded.stats()).toMatchObject({ active: 0, idle: 0, destroyed: 1 });
      await proxy.heal();
    });
  });

  it('no value, password or SQL literal reaches a log line or the text of an error of ours', async () => {
    const chatty = open({ slowStatement: 1, slowAcquire: 1, retry: { minDelay: 1, maxDelay: 1 } });
    await chatty.query("SELECT 'secret-literal', SLEEP(0.01), ?", ['secret-value']);
    proxy.swallow(/secret/, 'cut');
    await chatty.query("SELECT 'secret-literal'", [], { idempotent: true });
    const error = await failure(chatty.query('SELECT ?', 'secret-value' as never));
    const said = JSON.stringify(lines) + error.message + JSON.stringify(error);
    expect(lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['connected', 'slow statement', 'statement repeated']),
    );
    expect(said).not.toContain('secret');
    expect(said).not.toContain(bench.server.password);
    // On a busy machine others are slow as well.
    const slow = lines.find(({ fields }) => String(fields['sql']).includes('SLEEP'));
    expect(slow?.fields).toMatchObject({ total: 1, active: 1, idle: 0, waiting: 0 });
    expect(slow).toMatchObject({ message: 'slow statement' });
    expect(slow?.fields['sql']).toBe('SELECT ?, SLEEP(?), ?');
  });

  it('a driver error keeps its text out of what loggers enumerate', async () => {
    const error = await failure(db.query("SELECT * FROM nowhere WHERE a = 'secret-value'"));
    expect(error).toMatchObject({ errno: 1146 });
    expect(JSON.stringify(error)).not.toContain('secret');
  });
});
