import {
  PoolExhaustedError,
  TransactionClosedError,
  connectionScope,
  type DatabaseOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import type { AtomicCallback } from '../../src/transaction/atomic';
import { startProxy } from '../support/fault-proxy';
import { elapsed } from '../support/running';
import { notesIn, onEachServer, session } from '../support/servers';
import { deferred, failure } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  const retry = { minDelay: 1, maxDelay: 2 };
  beforeEach(async () => {
    db = await opened({ connectionLimit: 3, retry });
  });

  /** Has all its connections: for a further one nobody waits longer than a second. */
  async function opened(options: DatabaseOptions): Promise<RetryingPooledDatabase> {
    const on = bench.open({ validateAfter: 0, ...options });
    const all = await Promise.all(
      Array.from({ length: options.connectionLimit ?? 1 }, () => on.getConnection()),
    );
    await Promise.all(all.map((connection) => connection.release()));
    return on;
  }

  const insert = (id: number, on = db): Promise<unknown> =>
    on.query('INSERT INTO notes VALUES (?, NULL)', [id]);
  const beside = <T>(fn: AtomicCallback<T>, on = db): Promise<T> =>
    on.atomic(fn, { requiresNew: true });
  const own = new Error('own');

  it('commits on a second connection, although the outer transaction is rolled back', async () => {
    const error = await failure(
      db.atomic(async () => {
        await insert(1);
        const outer = await session(db);
        await beside(async () => {
          await insert(2);
          expect(await session(db)).not.toBe(outer);
        });
        expect(await notesIn(bench)).toEqual([2]);
        expect(await session(db)).toBe(outer);
        throw own;
      }),
    );
    expect(error).toBe(own);
    expect(await notesIn(bench)).toEqual([2]);
  });

  it('that fails leaves the outer transaction as it was', async () => {
    await db.atomic(async () => {
      await insert(1);
      const failed = beside(async () => {
        await insert(2);
        throw own;
      });
      expect(await failure(failed)).toBe(own);
      await insert(3);
    });
    expect(await notesIn(bench)).toEqual([1, 3]);
  });

  it('does not hold up the statements and blocks of the outer one', async () => {
    const inside = deferred();
    const go = deferred();
    await db.atomic(async (tx) => {
      await insert(1);
      const inner = beside(async () => {
        await insert(2);
        inside.resolve();
        await go.promise;
      });
      await inside.promise;
      await tx.query('INSERT INTO notes VALUES (3, NULL)');
      await db.atomic(() => insert(4));
      go.resolve();
      await inner;
    });
    expect(await notesIn(bench)).toEqual([1, 2, 3, 4]);
  });

  describe('where no second connection is to be had', () => {
    it.each([
      [10_000, 1000],
      [150, 150],
    ])('acquireTimeout %d: refused after %d ms', async (acquireTimeout, limit) => {
      const single = await bench.connected({ connectionLimit: 1, acquireTimeout });
      let ran = false;
      await single.atomic(async () => {
        await insert(1, single);
        const took = await elapsed(async () => {
          const error = await failure(
            beside(() => insert(2, single).then(() => (ran = true)), single),
          );
          expect(error).toBeInstanceOf(PoolExhaustedError);
          expect(error.message).toContain('requiresNew');
          expect(error.message).toContain(`No connection within ${limit} ms`);
        });
        expect(took).toBeGreaterThan(limit - 10);
        expect(took).toBeLessThan(9000);
        await insert(3, single);
      });
      expect(ran).toBe(false);
      expect(await notesIn(bench)).toEqual([1, 3]);
    });

    it('it is plain atomic on a pool of 1 where no transaction is open, and its hook may query', async () => {
      const single = await bench.connected({ connectionLimit: 1, acquireTimeout: 300 });
      let seen: unknown;
      await connectionScope(async () => {
        const outer = await session(single);
        await beside(async (tx) => {
          expect(await session(single)).toBe(outer);
          await insert(1, single);
          tx.afterCommit(async () => {
            [seen] = await single.query('SELECT id FROM notes');
          });
        }, single);
      });
      expect(seen).toEqual([{ id: 1 }]);
    });
  });

  describe('a lock that its own outer transaction has', () => {
    const patient = { initSql: 'SET innodb_lock_wait_timeout = 1', retry: { attempts: 1 } };

    /** Runs `inner` beside a transaction that has written the row `id`. */
    const blocked = async (
      id: number,
      inner: (on: RetryingPooledDatabase) => Promise<unknown>,
    ): Promise<Error & Record<string, unknown>> => {
      const on = await opened({ connectionLimit: 2, ...patient });
      return failure(
        on.atomic(async () => {
          await insert(id, on);
          await beside(() => inner(on), on);
        }),
      );
    };

    it('ends in 1205, with a hint on the driver’s error that names the outer one; other lock waits bear none', async () => {
      const rival = await db.getConnection();
      await rival.beginTransaction();
      await rival.query('INSERT INTO notes VALUES (30, NULL)');
      const alone = bench.open(patient);
      const [bare, wrapped, plain] = await Promise.all([
        blocked(10, (on) => insert(10, on)),
        blocked(20, (on) =>
          on.atomic(async () => {
            const update = on.query("UPDATE notes SET text = 'secret' WHERE id = 20");
            throw new Error('wrapped', { cause: await failure(update) });
          }),
        ),
        failure(alone.atomic(() => insert(30, alone))),
      ]);
      await rival.release();
      for (const error of [bare, wrapped.cause, plain])
        expect(error).toMatchObject({ errno: 1205 });
      for (const error of [bare, wrapped.cause] as { hint: string }[]) {
        expect(error.hint).toMatch(/blocked by its own outer transaction/);
        expect(error.hint).not.toContain('secret');
      }
      for (const error of [wrapped, plain]) expect('hint' in error).toBe(false);
    });

    it('another error beside a transaction bears no such hint', async () => {
      const other = await failure(db.atomic(() => beside(() => db.query('SELECT nothing'))));
      expect(other).toMatchObject({ errno: 1054 });
      expect('hint' in other).toBe(false);
    });
  });

  it('its lease is back before its hooks, which run in the outer transaction', async () => {
    const seen: unknown[] = [];
    await db.atomic(async () => {
      const outer = await session(db);
      await beside(async (tx) => {
        await insert(1);
        expect(db.stats().active).toBe(2);
        tx.afterCommit(async () => {
          seen.push(db.stats().active, (await session(db)) === outer, await notesIn(bench));
        });
      });
      expect(seen).toEqual([1, true, [1]]);
      await failure(
        beside(async (tx) => {
          await insert(2);
          tx.afterRollback(() => seen.push(db.stats().active));
          throw own;
        }),
      );
    });
    expect(seen).toEqual([1, true, [1], 1]);
    expect(db.stats()).toMatchObject({ active: 0, created: 3 });
  });

  it('nests: savepoints inside belong to it, and inside it a third transaction may stand', async () => {
    await failure(
      db.atomic(async () => {
        await insert(1);
        await db.atomic(() =>
          beside(async () => {
            await insert(2);
            await failure(
              db.atomic(async () => {
                await insert(3);
                await beside(() => insert(4));
                expect(db.stats().active).toBe(3);
                throw own;
              }),
            );
          }),
        );
        throw own;
      }),
    );
    expect(await notesIn(bench)).toEqual([2, 4]);
  });

  it('may be durable, and of another mode than the outer one', async () => {
    await db.atomic(
      async () => {
        await db.query('SELECT 1');
        await db.atomic(() => insert(1), { requiresNew: true, durable: true, readOnly: false });
      },
      { readOnly: true },
    );
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('runs beside an outer one that is doomed: to keep why; not once that is over', async () => {
    let late: (() => Promise<unknown>) | undefined;
    const error = await failure(
      db.atomic(async () => {
        await insert(1);
        await failure(db.atomic(() => Promise.reject(own), { savepoint: false }));
        await beside(() => insert(2));
        const go = deferred();
        const waiting = go.promise.then(() => beside(() => insert(3)));
        waiting.catch(() => {});
        late = () => {
          go.resolve();
          return waiting;
        };
      }),
    );
    expect(error.cause).toBe(own);
    expect(await failure(late?.() ?? Promise.resolve())).toBeInstanceOf(TransactionClosedError);
    expect(await notesIn(bench)).toEqual([2]);
  });

  it('with retries it is run again by itself; the outer one is not touched', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const on = await opened({ host, port, connectionLimit: 3, retry });
    const runs: string[] = [];
    await on.atomic(async () => {
      runs.push('outer');
      await insert(1, on);
      proxy.lose(/VALUES \(2/, 'cut');
      await on.atomic(
        (tx) => {
          runs.push(`inner ${tx.attempt}`);
          return insert(2, on);
        },
        { requiresNew: true, retries: 1 },
      );
    });
    expect(runs).toEqual(['outer', 'inner 1', 'inner 2']);
    expect(await notesIn(bench)).toEqual([1, 2]);
    await on.end();
    await proxy.close();
  });

  it('on a connection of one’s own it takes another one, and gives it back', async () => {
    const connection = await db.getConnection();
    await connection.atomic(async (tx) => {
      await tx.query('INSERT INTO notes VALUES (1, NULL)');
      const other = await connection.atomic(
        async (inner) => {
          await inner.query('INSERT INTO notes VALUES (2, NULL)');
          const [rows] = await inner.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id');
          return rows[0]?.id;
        },
        { requiresNew: true },
      );
      expect(other).not.toBe(connection.threadId);
      expect(await notesIn(bench)).toEqual([2]);
      expect(db.stats().active).toBe(1);
    });
    await connection.release();
    expect(await notesIn(bench)).toEqual([1, 2]);
  });
});
