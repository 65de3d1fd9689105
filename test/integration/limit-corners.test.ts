import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  ImplicitCommitError,
  StatementAbortedError,
  StatementTimeoutError,
  TransactionDoomedError,
  connectionScope,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { elapsed } from '../support/running';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure, until } from '../support/until';
import { warm } from '../support/warm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

onEachServer((bench) => {
  const proxies: FaultProxy[] = [];
  const proxied = async (): Promise<FaultProxy> => {
    const proxy = await startProxy(bench.server);
    proxies.push(proxy);
    return proxy;
  };
  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  describe('while the order to stop a statement is still on its way', () => {
    let proxy: FaultProxy;
    let db: RetryingPooledDatabase;
    beforeEach(async () => {
      proxy = await proxied();
      const { host, port } = proxy;
      db = bench.open({ host, port, connectionLimit: 1 });
      await db.query('DO 0');
      // The control connection is opened when it is first needed.
      proxy.delayNewConnections(150);
    });
    afterEach(async () => {
      await db.end({ deadline: 0 });
    });
    const innocent = async (): Promise<unknown> =>
      (await db.query<{ n: number }[]>('SELECT SLEEP(0.4) AS n'))[0];

    it('a transaction that is rolled back does not hand its connection on', async () => {
      const block = failure(
        db.atomic(async () => {
          db.query('SELECT SLEEP(0.15)', [], { timeout: 100 }).catch(() => {});
          await delay(120);
          throw new Error('mine');
        }),
      );
      const next = innocent();
      expect((await block).message).toBe('mine');
      expect(await next).toEqual([{ n: 0 }]);
    });

    it('a stream that is left does not hand its connection on', async () => {
      const sql = "SELECT REPEAT('x', 100000) AS n UNION ALL SELECT SLEEP(0.15)";
      const rows = db.stream(sql, [], { timeout: 100 });
      await rows.next().catch(() => {});
      await delay(60);
      await rows.return();
      expect(await innocent()).toEqual([{ n: 0 }]);
    });

    it('a connection that is released does not go to the next one', async () => {
      const connection = await db.getConnection();
      const block = connection.atomic(async (tx) => {
        await tx.query('SELECT SLEEP(0.15)', [], { timeout: 100 });
      });
      const over = failure(block);
      await delay(120);
      await connection.release();
      expect(await innocent()).toEqual([{ n: 0 }]);
      await over;
    });
  });

  describe('a statement’s own limit, hit by what is sent before the statement', () => {
    let proxy: FaultProxy;
    let db: RetryingPooledDatabase;
    beforeEach(async () => {
      proxy = await proxied();
      const { host, port } = proxy;
      db = bench.open({ host, port, connectionLimit: 1 });
      await db.query('DO 0');
    });
    afterEach(async () => {
      await db.end({ deadline: 0 });
    });

    /** What is held up is let go once the order to stop it comes, which shows that the limit was hit. */
    const holdUp = (): Promise<void> => {
      const known = proxy.accepted;
      proxy.blackHole();
      return until('its limit is hit', () => proxy.accepted > known).then(() => proxy.heal());
    };
    /** The error of `work`, of which nothing is answered before its limit is hit. */
    const tooSlow = async (
      work: () => Promise<unknown>,
    ): Promise<Error & { outcome?: unknown }> => {
      const letGo = holdUp();
      const error = await failure(work());
      await letGo;
      return error;
    };
    const late = (): Promise<unknown> =>
      db.query('INSERT INTO notes VALUES (2, NULL)', [], { timeout: 50 });

    it('SAVEPOINT: that block fails alone, and says that nothing of the statement was run', async () => {
      await db.atomic(async () => {
        await db.query('INSERT INTO notes VALUES (1, NULL)');
        const error = await tooSlow(() => db.atomic(late));
        expect(error).toBeInstanceOf(StatementTimeoutError);
        expect(error.outcome).toBe('notExecuted');
        await db.query('INSERT INTO notes VALUES (3, NULL)');
      });
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('SAVEPOINT: the block may go on, and is rolled back alone', async () => {
      await db.atomic(async () => {
        await db.query('INSERT INTO notes VALUES (1, NULL)');
        await failure(
          db.atomic(async () => {
            await tooSlow(late);
            await db.query('INSERT INTO notes VALUES (3, NULL)');
            throw new Error('mine');
          }),
        );
      });
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('BEGIN: the block goes on', async () => {
      await db.atomic(async () => {
        expect((await tooSlow(late)).outcome).toBe('notExecuted');
        await db.query('INSERT INTO notes VALUES (3, NULL)');
      });
      expect(await notesIn(bench)).toEqual([3]);
    });

    it('the question whether the transaction is still open: it is asked again', async () => {
      await db.atomic(async () => {
        await db.query('INSERT INTO notes VALUES (1, NULL)');
        await failure(db.query('INSERT INTO notes VALUES (1, NULL)'));
        const error = await tooSlow(late);
        expect(error).toBeInstanceOf(StatementTimeoutError);
        expect(error.outcome).toBe('notExecuted');
        await db.query('INSERT INTO notes VALUES (3, NULL)');
      });
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('the question after a statement that may have committed: nothing runs in autocommit', async () => {
      let next: unknown;
      const block = await failure(
        db.atomic(async () => {
          await db.query('INSERT INTO notes VALUES (1, NULL)');
          // The statement is answered, and the question after it is not.
          const letGo = proxy
            .saw(/^ANALYZE/)
            .then(() => proxy.saw('next'))
            .then(holdUp);
          const error = await failure(db.query('ANALYZE TABLE notes', [], { timeout: 2000 }));
          await letGo;
          expect([error.constructor, error['outcome']]).toEqual([
            StatementTimeoutError,
            'executed',
          ]);
          next = await failure(db.query('INSERT INTO notes VALUES (3, NULL)'));
        }),
      );
      expect(next).toBeInstanceOf(TransactionDoomedError);
      expect(next).not.toBeInstanceOf(ImplicitCommitError);
      expect(block).toBeInstanceOf(TransactionDoomedError);
      expect(await notesIn(bench)).toEqual([1]);
    });
  });

  describe('a limit that is hit before anything is begun', () => {
    const signal = AbortSignal.abort(new Error('too late'));

    it('a stream sends nothing, in a transaction and on a connection of one’s own as well', async () => {
      const db = bench.open({ connectionLimit: 1 });
      await db.query('DO 0');
      const insert = ['INSERT INTO notes VALUES (1, NULL)', [], { signal }] as const;
      const error = await failure(db.stream(...insert).next());
      expect(error).toBeInstanceOf(StatementAbortedError);
      expect(error['outcome']).toBe('notExecuted');
      await db.atomic(async (tx) => {
        await tx.query('DO 0');
        expect(await failure(tx.stream(...insert).next())).toBeInstanceOf(StatementAbortedError);
        await tx.query('DO 0');
      });
      await using connection = await db.getConnection();
      expect(await failure(connection.stream(...insert).next())).toBeInstanceOf(
        StatementAbortedError,
      );
      await connection.query('DO 0');
      expect(await notesIn(bench)).toEqual([]);
    });

    it('the function of a scope or transaction is not called', async () => {
      const db = bench.open({ connectionLimit: 1 });
      const fn = jest.fn(async () => {});
      expect(await failure(connectionScope(fn, { signal }))).toBeInstanceOf(StatementAbortedError);
      expect(await failure(db.atomic(fn, { signal }))).toBeInstanceOf(StatementAbortedError);
      await db.atomic(async () => {
        await db.query('INSERT INTO notes VALUES (1, NULL)');
        expect(await failure(db.atomic(fn, { signal }))).toBeInstanceOf(StatementAbortedError);
      });
      expect(fn).not.toHaveBeenCalled();
      expect(await notesIn(bench)).toEqual([1]);
    });
  });

  it('a scope’s limit bounds the statements that nobody awaited; the result stands', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const seen = deferred<unknown>();
    const slow = (): void => void db.query('SELECT SLEEP(60)').catch(seen.resolve);
    class Reports {
      @releaseConnection({ timeout: 500 })
      async *rows(): AsyncGenerator<number> {
        yield 1;
        slow();
      }
    }
    const took = await elapsed(async () => {
      expect(await connectionScope(async () => (slow(), 7), { timeout: 500 })).toBe(7);
      for await (const row of new Reports().rows()) expect(row).toBe(1);
    });
    expect(await seen.promise).toBeInstanceOf(StatementTimeoutError);
    expect(took).toBeLessThan(20_000);
    expect(db.stats().active).toBe(0);
  });

  it('a decorated generator whose time passes between two steps: connection back, body told', async () => {
    const db = await warm(bench.open({ connectionLimit: 1 }));
    const told: unknown[] = [];
    class Reports {
      @releaseConnection({ timeout: 1500 })
      async *rows(): AsyncGenerator<number> {
        await db.query('DO 0');
        try {
          yield 1;
          yield 2;
        } finally {
          told.push(await failure(db.query('DO 0')));
        }
      }
    }
    const rows = new Reports().rows();
    await rows.next();
    expect(db.stats().active).toBe(1);
    await until('it is back', () => db.stats().active === 0);
    expect(await failure(rows.next())).toBeInstanceOf(StatementTimeoutError);
    expect(told).toEqual([expect.any(StatementTimeoutError)]);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
  });

  it('a scope whose connection cannot be cleaned in time settles soon after its limit', async () => {
    const proxy = await proxied();
    const { host, port } = proxy;
    const db = await warm(bench.open({ host, port, connectTimeout: 60_000 }));
    const took = await elapsed(async () => {
      const scope = connectionScope(
        async () => {
          await db.query('SET @x = 1');
          proxy.blackHole();
          await new Promise(() => {});
        },
        { timeout: 1500 },
      );
      expect(await failure(scope)).toBeInstanceOf(StatementTimeoutError);
    });
    expect(took).toBeLessThan(15_000);
    await proxy.heal();
    await until('it is back', () => db.stats().active === 0);
    await db.end();
  });

  it('a decorated generator that nobody holds any more leaves nothing on a signal that lives on', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const { signal } = new AbortController();
    class Reports {
      @releaseConnection({ signal })
      async *rows(): AsyncGenerator<number> {
        await db.query('DO 0');
        yield 1;
      }
    }
    await (async () => {
      await new Reports().rows().next();
    })();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await until('it is collected', () => {
      collectGarbage();
      return db.stats().active === 0 && getEventListeners(signal, 'abort').length === 0;
    });
  });
});
