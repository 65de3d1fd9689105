import {
  ImplicitCommitError,
  TransactionClosedError,
  TransactionDoomedError,
  TurnTimeoutError,
  atomic,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { elapsed } from '../support/running';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure } from '../support/until';

/* What programs do around transactions without thinking of it. */

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  beforeEach(() => {
    db = bench.open({ connectionLimit: 2 });
  });

  const insert = (id: number): Promise<unknown> =>
    db.query('INSERT INTO notes VALUES (?, NULL)', [id]);
  const own = new Error('own');

  /** A cache that is made with its first use, wherever that is, and refreshes itself. */
  class Settings {
    static #one: Settings | undefined;
    readonly #timer: NodeJS.Timeout;
    readonly ticks: Promise<unknown>[] = [];
    readonly ticked = deferred();

    static get(): Settings {
      return (this.#one ??= new Settings());
    }

    private constructor() {
      this.#timer = setInterval(() => {
        const tick = db.query('SELECT 1 AS v');
        tick.catch(() => undefined);
        if (this.ticks.push(tick) === 2) this.ticked.resolve();
      }, 10);
    }

    forget(): void {
      clearInterval(this.#timer);
      Settings.#one = undefined;
    }
  }

  describe('a singleton with a timer, made inside a transaction', () => {
    it('belongs to that transaction: after it each tick is refused, and says how not to', async () => {
      await db.atomic(async () => {
        await insert(1);
        Settings.get();
      });
      const settings = Settings.get();
      await settings.ticked.promise;
      settings.forget();
      const outcomes = await Promise.allSettled(settings.ticks);
      for (const outcome of outcomes) {
        const reason: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
        expect(reason).toBeInstanceOf(TransactionClosedError);
        expect((reason as Error).message).toContain('db.withoutScope(fn)');
      }
    });

    it('under withoutScope belongs to none: each tick is answered, also while that is open', async () => {
      await db.atomic(async () => {
        await insert(1);
        await db.withoutScope(() => Settings.get()).ticked.promise;
      });
      const settings = Settings.get();
      settings.forget();
      for (const tick of settings.ticks)
        expect((await tick) as unknown[]).toContainEqual([{ v: 1 }]);
      expect(settings.ticks.length).toBeGreaterThanOrEqual(2);
    });
  });

  it('a fire-and-forget decorated call of several statements: what was begun is committed with the rest, what comes late is refused', async () => {
    const go = deferred();
    class Audit {
      @releaseConnection
      async write(first: number, second: number): Promise<void> {
        await insert(first);
        await go.promise;
        await insert(second);
      }
    }
    const audit = new Audit();
    let late: Promise<Error> | undefined;
    await db.atomic(async () => {
      late = failure(audit.write(1, 2));
      await insert(3);
    });
    expect(await notesIn(bench)).toEqual([1, 3]);
    go.resolve();
    expect(await late).toBeInstanceOf(TransactionClosedError);
    expect(await notesIn(bench)).toEqual([1, 3]);
    expect(db.stats().active).toBe(0);
  });

  it('a fire-and-forget transaction inside one is waited for, whole', async () => {
    const seen: string[] = [];
    await db.atomic(async () => {
      void db.atomic(async (tx) => {
        tx.afterCommit(() => seen.push('nested'));
        await insert(1);
        await db.withoutScope(() => db.query('DO SLEEP(0.02)'));
        await insert(2);
      });
      await insert(3);
      seen.push('left');
    });
    expect(seen).toEqual(['left', 'nested']);
    expect(await notesIn(bench)).toEqual([1, 2, 3]);
  });

  it('Promise.all whose first branch fails: neither statements nor nested blocks of its siblings write after ROLLBACK', async () => {
    const go = deferred();
    const late: Promise<unknown>[] = [];
    const error = await failure(
      db.atomic(() =>
        Promise.all([
          insert(1).then(() => Promise.reject(own)),
          ...[10, 20].map((id) => {
            const branch = db.atomic(async () => {
              await insert(id);
              await go.promise;
              await insert(id + 1);
            });
            late.push(failure(branch));
            return branch;
          }),
          (async () => {
            await go.promise;
            late.push(failure(insert(30)), failure(db.atomic(() => insert(31))));
          })(),
        ]),
      ),
    );
    expect(error).toBe(own);
    go.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(late).toHaveLength(4);
    for (const reason of await Promise.all(late)) {
      expect(reason).toBeInstanceOf(TransactionClosedError);
    }
    expect(await notesIn(bench)).toEqual([]);
    expect(db.stats()).toMatchObject({ active: 0, created: 1 });
  });

  it('nested blocks in parallel, nested again: one after the other, each undone alone', async () => {
    const order: string[] = [];
    const pair = (name: string, base: number): Promise<unknown> =>
      db.atomic(async () => {
        order.push(`${name} in`);
        const halves = await Promise.allSettled([
          db.atomic(() => insert(base)),
          db.atomic(async () => {
            await insert(base + 1);
            throw own;
          }),
          db.atomic(() => insert(base + 2)),
        ]);
        order.push(`${name} out`);
        expect(halves.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        if (name === 'b') throw own;
      });
    await db.atomic(() => Promise.allSettled([pair('a', 10), pair('b', 20), pair('c', 30)]));
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    expect(await notesIn(bench)).toEqual([10, 12, 30, 32]);
  });

  it('DDL in a nested block: that statement raises ImplicitCommitError, and nothing more of the root is run', async () => {
    const hooks: string[] = [];
    let nested: unknown;
    let refused: unknown;
    const error = await failure(
      db.atomic(
        async (tx) => {
          tx.afterCommit(() => hooks.push('committed'));
          tx.afterRollback(() => hooks.push('rolled back'));
          await insert(1);
          nested = await failure(
            db.atomic(async () => {
              await insert(2);
              await db.query('CREATE TABLE extra (id INT)');
            }),
          );
          refused = await failure(insert(3));
        },
        { retries: 3 },
      ),
    );
    await bench.sql(`DROP TABLE ${bench.schema}.extra`);
    expect(nested).toBeInstanceOf(ImplicitCommitError);
    expect(refused).toBeInstanceOf(TransactionDoomedError);
    expect(error.cause).toBe(nested);
    // The error says what hooks cannot: what came before is committed.
    expect(await notesIn(bench)).toEqual([1, 2]);
    expect({ hooks, retries: db.stats().retries }).toEqual({ hooks: [], retries: 0 });
  });

  it('a nested block that waits for the outer block’s helper: TurnTimeoutError at its deadline, in both, and the outer one goes on', async () => {
    const impatient = await bench.connected({ acquireTimeout: 400 });
    const add = (id: number): Promise<unknown> =>
      impatient.query('INSERT INTO notes VALUES (?, NULL)', [id]);
    let inner: Error | undefined;
    const took = await elapsed(() =>
      impatient.atomic(async () => {
        const nestedIsOpen = deferred();
        const helper = (async (): Promise<void> => {
          await add(1);
          await nestedIsOpen.promise;
          await add(2);
        })();
        inner = await failure(
          impatient.atomic(
            async () => {
              await add(3);
              nestedIsOpen.resolve();
              await helper;
            },
            { label: 'waits for a helper' },
          ),
        );
        await add(4);
      }),
    );
    expect(inner).toBeInstanceOf(TurnTimeoutError);
    expect(inner?.message).toContain("'waits for a helper'");
    expect(took).toBeGreaterThan(390);
    expect(took).toBeLessThan(10_000);
    expect(await notesIn(bench)).toEqual([1, 4]);
  });

  it('hooks of a savepoint that was released into one that is rolled back: afterRollback then, afterCommit never', async () => {
    const seen: string[] = [];
    await db.atomic(async (root) => {
      root.afterCommit(() => seen.push('root committed'));
      const outer = db.atomic(async () => {
        await db.atomic(async (tx) => {
          tx.afterCommit(() => seen.push('inner committed'));
          tx.afterRollback(() => seen.push('inner rolled back'));
          await insert(1);
        });
        expect(seen).toEqual([]);
        throw own;
      });
      await failure(outer);
      expect(seen).toEqual(['inner rolled back']);
      await insert(2);
    });
    expect(seen).toEqual(['inner rolled back', 'root committed']);
    expect(await notesIn(bench)).toEqual([2]);
  });

  it('tx itself is refused once its block is over, for statements and hooks', async () => {
    const kept = await db.atomic((tx) => tx);
    expect(await failure(kept.query('DO 0'))).toBeInstanceOf(TransactionClosedError);
    expect(() => kept.afterCommit(() => undefined)).toThrow(TransactionClosedError);
    expect(() => kept.afterRollback(() => undefined)).toThrow(TransactionClosedError);
  });

  it('@atomic({ db: (self) => self.#db }), as standard decorators allow it', async () => {
    class Keeper {
      readonly #db: RetryingPooledDatabase;
      constructor(private_: RetryingPooledDatabase) {
        this.#db = private_;
      }
      @atomic({ db: (self: Keeper) => self.#db })
      async keep(id: number): Promise<void> {
        await this.#db.query('INSERT INTO notes VALUES (?, NULL)', [id]);
        if (id > 1) throw own;
      }
    }
    const keeper = new Keeper(db);
    await keeper.keep(1);
    expect(await failure(keeper.keep(2))).toBe(own);
    expect(await notesIn(bench)).toEqual([1]);
  });
});
