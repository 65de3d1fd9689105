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
import { running, elapsed } from '../support/running';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure, longEnough, until } from '../support/until';

/** What nobody ever settles. */
const never = new Promise<void>(() => {});

onEachServer((bench) => {
  it('connectionScope({ timeout }): what runs is stopped, nothing more is run, the call rejects', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    await longEnough(async (timeout) => {
      let isBegun = false;
      let after: unknown;
      const late = deferred();
      const took = await elapsed(async () => {
        const error = await failure(
          connectionScope(
            async () => {
              await db.query('INSERT INTO notes VALUES (1, NULL)').then(
                () => (isBegun = true),
                () => {},
              );
              await db.query('SELECT SLEEP(60)').catch(() => {});
              after = await failure(db.query('INSERT INTO notes VALUES (2, NULL)'));
              late.resolve();
              await never;
            },
            { timeout, label: 'export' },
          ),
        );
        expect(error).toBeInstanceOf(StatementTimeoutError);
        expect(error.message).toContain(`${timeout} ms of this scope 'export'`);
      });
      await late.promise;
      expect(took).toBeLessThan(timeout + 10_000);
      expect(after).toBeInstanceOf(StatementTimeoutError);
      expect(db.stats().active).toBe(0);
      if (isBegun) expect(await notesIn(bench)).toEqual([1]);
      await bench.sql(`DELETE FROM ${bench.schema}.notes`);
      return isBegun;
    });
  }, 60_000);

  it('@releaseConnection({ timeout }) bounds a method and a generator', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    await longEnough(async (timeout) => {
      class Reports {
        @releaseConnection({ timeout })
        async slow(): Promise<void> {
          await db.query('SELECT SLEEP(60)');
        }

        @releaseConnection({ timeout })
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
      expect([seen.includes(2), db.stats().active]).toEqual([false, 0]);
      return seen.includes(1);
    });
  }, 60_000);

  it('a scope’s signal stops its statement', async () => {
    const db = bench.open();
    const aborter = new AbortController();
    const scope = failure(
      connectionScope(() => db.query('SELECT SLEEP(60)'), { signal: aborter.signal }),
    );
    await until('it runs', async () => (await running(bench, 'SLEEP(60)')) === 1);
    aborter.abort();
    expect(await scope).toBeInstanceOf(StatementAbortedError);
    // The server answers first and is done with it a little later.
    await until('it has stopped', async () => (await running(bench, 'SLEEP(60)')) === 0);
  });

  it('atomic({ timeout }): stopped, rolled back, and nothing late gets in', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    await longEnough(async (timeout) => {
      let isBegun = false;
      const [over, late] = [deferred(), deferred<unknown>()];
      const events: string[] = [];
      const took = await elapsed(async () => {
        const error = await failure(
          db.atomic(
            async (tx) => {
              tx.afterRollback(() => events.push('rolled back'));
              tx.signal.addEventListener('abort', () => events.push('signal'));
              await tx.query('INSERT INTO notes VALUES (1, NULL)').then(
                () => (isBegun = true),
                () => {},
              );
              await tx.query('SELECT SLEEP(60)').catch(() => {});
              await over.promise;
              late.resolve(await failure(tx.query('INSERT INTO notes VALUES (2, NULL)')));
            },
            { timeout, label: 'transfer' },
          ),
        );
        expect(error).toBeInstanceOf(TransactionTimeoutError);
        expect(error.message).toContain(`${timeout} ms of this transaction 'transfer'`);
      });
      over.resolve();
      expect(took).toBeLessThan(timeout + 10_000);
      expect(await late.promise).toBeInstanceOf(TransactionClosedError);
      expect([await notesIn(bench), db.stats().active]).toEqual([[], 0]);
      if (isBegun) expect(events).toEqual(['signal', 'rolled back']);
      return isBegun;
    });
  }, 60_000);

  it('atomic({ signal }) while nothing runs: rolled back at once', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const aborter = new AbortController();
    const inside = deferred();
    const block = failure(
      db.atomic(
        async (tx) => {
          await tx.query('INSERT INTO notes VALUES (1, NULL)');
          inside.resolve();
          await never;
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
    const db = await bench.connected();
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
    const db = await bench.connected({ host, port });
    await longEnough(async (timeout) => {
      await bench.sql(`DELETE FROM ${bench.schema}.notes`);
      const aborter = new AbortController();
      const swallowed = proxy.swallow(/COMMIT/);
      const begun = performance.now();
      const block = failure(
        db.atomic((tx) => tx.query('INSERT INTO notes VALUES (1, NULL)'), {
          timeout,
          signal: aborter.signal,
        }),
      );
      const isSwallowed = await Promise.race([swallowed.sprung.then(() => true), block]);
      swallowed.remove();
      if (isSwallowed !== true) return false;
      aborter.abort();
      expect(await block).toBeInstanceOf(CommitInDoubtError);
      expect(performance.now() - begun).toBeGreaterThan(timeout - 10);
      expect(await notesIn(bench)).toEqual([1]);
      return true;
    });
    await db.end({ deadline: 0 });
    await proxy.close();
  }, 60_000);

  describe('on a network that swallows everything', () => {
    async function swallowed(
      work: (db: RetryingPooledDatabase) => Promise<unknown>,
    ): Promise<[Error & Record<string, unknown>, number]> {
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const db = await bench.connected({ host, port, connectionLimit: 1 });
      proxy.blackHole();
      const begun = performance.now();
      const error = await failure(work(db));
      const took = performance.now() - begun;
      expect(db.stats().active).toBe(0);
      await proxy.heal();
      await db.query('DO 0');
      await db.end({ deadline: 0 });
      await proxy.close();
      return [error, took];
    }

    it('a statement settles soon after its deadline: outcome unknown', async () => {
      const [error, took] = await swallowed((db) => db.query('DO 1', [], { timeout: 100 }));
      expect(error).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT', outcome: 'unknown' });
      expect(took).toBeLessThan(10_000);
    });

    it('a scope does', async () => {
      const [error, took] = await swallowed((db) =>
        connectionScope(() => db.query('DO 1'), { timeout: 100 }),
      );
      expect(error).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT' });
      expect(took).toBeLessThan(10_000);
    });

    it('a transaction does, nested blocks and all', async () => {
      const [error, took] = await swallowed((db) =>
        db.atomic(() => db.atomic(() => db.query('DO 1')), { timeout: 100 }),
      );
      expect(error).toMatchObject({ code: 'ERR_TRANSACTION_TIMEOUT' });
      expect(took).toBeLessThan(10_000);
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
});
