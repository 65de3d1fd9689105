import {
  CommitInDoubtError,
  StatementAbortedError,
  StatementTimeoutError,
  TransactionClosedError,
  TransactionTimeoutError,
  connectionScope,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { notesIn, onEachServer, session } from '../support/servers';
import { deferred, failure, until } from '../support/until';

/* A slow statement that a KILL ends, and that both flavours answer with an error. */
const SLOW = 'SELECT COUNT(*) FROM notes a WHERE SLEEP(60) = 0 AND a.id >= 0';

onEachServer((bench) => {
  /** Rows so that SLOW has something to sleep over. */
  const fill = (): Promise<unknown> =>
    bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (900, NULL)`);

  async function running(text: string): Promise<number> {
    const rows = await bench.sql(
      'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE ? AND ID <> CONNECTION_ID()',
      [bench.schema, `%${text}%`],
    );
    return Number(rows[0]?.['n']);
  }

  async function elapsed(work: () => Promise<unknown>): Promise<number> {
    const begun = performance.now();
    await work();
    return performance.now() - begun;
  }

  it('a statement with a time limit is gone from the server, its connection is used again', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const id = await session(db);
    const took = await elapsed(async () => {
      const error = await failure(db.query('SELECT SLEEP(60)', [], { timeout: 200 }));
      expect(error).toBeInstanceOf(StatementTimeoutError);
      expect(error).toMatchObject({ message: expect.stringContaining('200 ms') as string });
    });
    expect(took).toBeGreaterThan(190);
    expect(took).toBeLessThan(1200);
    expect(await running('SLEEP(60)')).toBe(0);
    expect(await session(db)).toBe(id);
    expect(db.stats()).toMatchObject({ created: 1, active: 0, auxiliary: 1 });
  });

  it('the same with all connections of the pool busy in the same way', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const took = await elapsed(async () => {
      const all = Array.from({ length: 4 }, () =>
        failure(db.query('SELECT SLEEP(60)', [], { timeout: 200 })),
      );
      for (const error of await Promise.all(all))
        expect(error).toBeInstanceOf(StatementTimeoutError);
    });
    expect(took).toBeLessThan(1200);
    await until('gone from PROCESSLIST', async () => (await running('SLEEP(60)')) === 0, 1000);
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
    await db.query('DO 0');
  });

  it('no innocent statement is hit: those that follow on the same connection all succeed', async () => {
    const db = bench.open({ connectionLimit: 2 });
    for (let round = 0; round < 40; round++) {
      // About as long as its limit, so that the KILL often comes too late.
      const close = db.query('SELECT SLEEP(0.02)', [], { timeout: 20 }).catch((error: Error) => {
        expect(error).toBeInstanceOf(StatementTimeoutError);
      });
      await close;
      await Promise.all([db.query('SELECT SLEEP(0.003)'), db.query('SELECT SLEEP(0.003)')]);
    }
  });

  it('outcome: an update that was stopped has no effect', async () => {
    await fill();
    const db = bench.open();
    const blocker = await db.getConnection();
    await blocker.beginTransaction();
    await blocker.query('SELECT * FROM notes FOR UPDATE');
    const update = db.query("UPDATE notes SET text = 'changed'", [], { timeout: 100 });
    expect(await failure(update)).toMatchObject({ outcome: 'notExecuted' });
    await blocker.rollback();
    await blocker.release();
    expect(await bench.sql(`SELECT text FROM ${bench.schema}.notes`)).toEqual([{ text: null }]);
  });

  it('while it waits for a connection: notExecuted, and the cause says what it waited for', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const taken = await db.getConnection();
    const error = await failure(db.query('DO 0', [], { timeout: 50, label: 'report' }));
    expect(error).toBeInstanceOf(StatementTimeoutError);
    expect(error).toMatchObject({
      outcome: 'notExecuted',
      message: expect.stringMatching(/50 ms of this statement 'report'/) as string,
      cause: { code: 'ERR_POOL_EXHAUSTED' },
    });
    expect(db.stats().waiting).toBe(0);
    await taken.release();
  });

  it('acquireTimeout before the limit: PoolExhaustedError', async () => {
    const db = bench.open({ connectionLimit: 1, acquireTimeout: 50 });
    const taken = await db.getConnection();
    const error = await failure(db.query('DO 0', [], { timeout: 5000 }));
    expect(error).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
    await taken.release();
  });

  it('a signal stops a statement; its reason is the cause', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const aborter = new AbortController();
    const statement = failure(db.query('SELECT SLEEP(60)', [], { signal: aborter.signal }));
    await until('it runs', async () => (await running('SLEEP(60)')) === 1);
    const reason = new Error('the browser is gone');
    aborter.abort(reason);
    const error = await statement;
    expect(error).toBeInstanceOf(StatementAbortedError);
    expect(error['cause']).toBe(reason);
    expect(await failure(db.query('DO 0', [], { signal: aborter.signal }))).toMatchObject({
      outcome: 'notExecuted',
    });
    await db.query('DO 0');
    expect(db.stats().created).toBe(1);
  });

  it('the database’s timeout holds for every statement that does not say otherwise', async () => {
    const db = bench.open({ timeout: 100, connectionLimit: 1 });
    expect(await failure(db.execute('SELECT SLEEP(60)'))).toBeInstanceOf(StatementTimeoutError);
    await db.execute('SELECT SLEEP(0.2)', [], { timeout: 0 });
    await db.atomic(async () => {
      expect(await failure(db.query('SELECT SLEEP(60)'))).toBeInstanceOf(StatementTimeoutError);
      await db.query('INSERT INTO notes VALUES (1, NULL)');
    });
    expect(await notesIn(bench)).toEqual([1]);
    const connection = await db.getConnection();
    expect(await failure(connection.query('SELECT SLEEP(60)'))).toBeInstanceOf(
      StatementTimeoutError,
    );
    await connection.release();
  });

  it('in a transaction only the statement is stopped; the transaction goes on', async () => {
    const db = bench.open();
    await db.atomic(async (tx) => {
      await tx.query('INSERT INTO notes VALUES (1, NULL)');
      const slow = tx.query('INSERT INTO notes SELECT 2, SLEEP(60) FROM notes', [], {
        timeout: 100,
      });
      const error = await failure(slow);
      expect(error).toBeInstanceOf(StatementTimeoutError);
      await tx.query('INSERT INTO notes VALUES (3, NULL)');
    });
    const notes = await notesIn(bench);
    expect(notes).toEqual(expect.arrayContaining([1, 3]));
  });

  it('connectionScope({ timeout }): what runs is stopped, nothing more is run, the call rejects', async () => {
    const db = bench.open({ connectionLimit: 1 });
    let after: unknown;
    const late = deferred();
    const took = await elapsed(async () => {
      const error = await failure(
        connectionScope(
          async () => {
            await db.query('INSERT INTO notes VALUES (1, NULL)');
            await db.query('SELECT SLEEP(60)').catch(() => {});
            after = await failure(db.query('INSERT INTO notes VALUES (2, NULL)'));
            late.resolve();
            await new Promise(() => {});
          },
          { timeout: 200, label: 'export' },
        ),
      );
      expect(error).toBeInstanceOf(StatementTimeoutError);
      expect(error.message).toContain("200 ms of this scope 'export'");
    });
    await late.promise;
    expect(took).toBeLessThan(1200);
    expect(after).toBeInstanceOf(StatementTimeoutError);
    expect(await notesIn(bench)).toEqual([1]);
    expect(db.stats().active).toBe(0);
  });

  it('@releaseConnection({ timeout }) bounds a method and a generator', async () => {
    const db = bench.open({ connectionLimit: 1 });
    class Reports {
      @releaseConnection({ timeout: 100 })
      async slow(): Promise<void> {
        await db.query('SELECT SLEEP(60)');
      }

      @releaseConnection({ timeout: 100 })
      async *rows(): AsyncGenerator<number> {
        await db.query('DO 0');
        yield 1;
        await db.query('SELECT SLEEP(60)');
        yield 2;
      }
    }
    const reports = new Reports();
    expect(await failure(reports.slow())).toBeInstanceOf(StatementTimeoutError);
    const seen: number[] = [];
    const loop = async (): Promise<void> => {
      for await (const row of reports.rows()) seen.push(row);
    };
    expect(await failure(loop())).toBeInstanceOf(StatementTimeoutError);
    expect([seen, db.stats().active]).toEqual([[1], 0]);
  });

  it('a scope’s signal stops its statement', async () => {
    const db = bench.open();
    const aborter = new AbortController();
    const scope = failure(
      connectionScope(() => db.query('SELECT SLEEP(60)'), { signal: aborter.signal }),
    );
    await until('it runs', async () => (await running('SLEEP(60)')) === 1);
    aborter.abort();
    expect(await scope).toBeInstanceOf(StatementAbortedError);
    expect(await running('SLEEP(60)')).toBe(0);
  });

  it('atomic({ timeout }): stopped, rolled back, and nothing late gets in', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const late = deferred<unknown>();
    const events: string[] = [];
    const took = await elapsed(async () => {
      const error = await failure(
        db.atomic(
          async (tx) => {
            tx.afterRollback(() => events.push('rolled back'));
            tx.signal.addEventListener('abort', () => events.push('signal'));
            await tx.query('INSERT INTO notes VALUES (1, NULL)');
            await tx.query('SELECT SLEEP(60)').catch(() => {});
            await new Promise((resolve) => setTimeout(resolve, 700));
            late.resolve(await failure(tx.query('INSERT INTO notes VALUES (2, NULL)')));
          },
          { timeout: 200, label: 'transfer' },
        ),
      );
      expect(error).toBeInstanceOf(TransactionTimeoutError);
      expect(error.message).toContain("200 ms of this transaction 'transfer'");
    });
    expect(took).toBeLessThan(1000);
    expect(events).toEqual(['signal', 'rolled back']);
    expect(await late.promise).toBeInstanceOf(TransactionClosedError);
    expect([await notesIn(bench), db.stats().active]).toEqual([[], 0]);
  });

  it('atomic({ signal }) while nothing runs: rolled back at once', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const aborter = new AbortController();
    const inside = deferred();
    const block = failure(
      db.atomic(
        async (tx) => {
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          inside.resolve();
          await new Promise(() => {});
        },
        { signal: aborter.signal },
      ),
    );
    await inside.promise;
    aborter.abort();
    expect(await block).toBeInstanceOf(StatementAbortedError);
    expect([await notesIn(bench), db.stats().active]).toEqual([[], 0]);
  });

  it('a COMMIT is not sent past the deadline', async () => {
    const db = bench.open();
    const error = await failure(
      db.atomic(
        async (tx) => {
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          const until = performance.now() + 150;
          while (performance.now() < until);
        },
        { timeout: 100 },
      ),
    );
    expect(error).toBeInstanceOf(TransactionTimeoutError);
    expect(await notesIn(bench)).toEqual([]);
  });

  it('a COMMIT whose answer does not come by the deadline is in doubt; an abort is not heard then', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const db = bench.open({ host, port });
    await db.query('DO 0');
    const aborter = new AbortController();
    const swallowed = proxy.swallow(/COMMIT/);
    const begun = performance.now();
    const block = failure(
      db.atomic((tx) => tx.query('INSERT INTO notes VALUES (1, NULL)'), {
        timeout: 400,
        signal: aborter.signal,
      }),
    );
    await swallowed.sprung;
    aborter.abort();
    expect(await block).toBeInstanceOf(CommitInDoubtError);
    expect(performance.now() - begun).toBeGreaterThan(390);
    expect(await notesIn(bench)).toEqual([1]);
    await db.end({ deadline: 0 });
    await proxy.close();
  });

  describe('on a network that swallows everything', () => {
    async function swallowed(
      work: (db: RetryingPooledDatabase) => Promise<unknown>,
    ): Promise<[Error & Record<string, unknown>, number]> {
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const db = bench.open({ host, port, connectionLimit: 1 });
      await db.query('DO 0');
      proxy.blackHole();
      const begun = performance.now();
      const error = await failure(work(db));
      const took = performance.now() - begun;
      expect(db.stats().active).toBe(0);
      proxy.heal();
      await db.query('DO 0');
      await db.end({ deadline: 0 });
      await proxy.close();
      return [error, took];
    }

    it('a statement settles soon after its deadline: outcome unknown', async () => {
      const [error, took] = await swallowed((db) => db.query('DO 1', [], { timeout: 100 }));
      expect(error).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT', outcome: 'unknown' });
      expect(took).toBeLessThan(900);
    });

    it('a scope does', async () => {
      const [error, took] = await swallowed((db) =>
        connectionScope(() => db.query('DO 1'), { timeout: 100 }),
      );
      expect(error).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT' });
      expect(took).toBeLessThan(900);
    });

    it('a transaction does, nested blocks and all', async () => {
      const [error, took] = await swallowed((db) =>
        db.atomic(() => db.atomic(() => db.query('DO 1')), { timeout: 100 }),
      );
      expect(error).toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' });
      expect(took).toBeLessThan(1500);
    });
  });

  it('waiting behind a nested block ends with the waiter’s own limit', async () => {
    const db = bench.open();
    const done = deferred();
    await connectionScope(async () => {
      const block = db.atomic(async (tx) => {
        await tx.query('DO 0');
        await done.promise;
      });
      const error = await failure(db.query('DO 0', [], { timeout: 50 }));
      expect(error).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT', outcome: 'notExecuted' });
      done.resolve();
      await block;
    });
  });

  it('a slow statement that nobody limits is left alone by limits of others', async () => {
    await fill();
    const db = bench.open({ connectionLimit: 3 });
    const patient = db.query('SELECT SLEEP(0.4) AS done');
    const others = Array.from({ length: 2 }, () => failure(db.query(SLOW, [], { timeout: 100 })));
    await Promise.all(others);
    expect((await patient)[0]).toEqual([{ done: 0 }]);
  });
});
