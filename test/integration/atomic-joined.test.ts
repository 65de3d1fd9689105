import {
  StatementAbortedError,
  TransactionClosedError,
  TransactionDoomedError,
  TransactionOpenError,
  TransactionTimeoutError,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  let db: RetryingPooledDatabase;
  let hooks: string[];
  beforeEach(async () => {
    hooks = [];
    proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    db = bench.open({ host, port, connectionLimit: 2 });
  });
  afterEach(() => proxy.close());

  const insert = (id: number): Promise<unknown> =>
    db.query('INSERT INTO notes VALUES (?, NULL)', [id]);
  const own = new Error('own');
  const joined = (id: number, fails: boolean): Promise<void> =>
    db.atomic(
      async (tx) => {
        tx.afterCommit(() => hooks.push(`${id} committed`));
        tx.afterRollback(() => hooks.push(`${id} rolled back`));
        await insert(id);
        if (fails) throw own;
      },
      { savepoint: false },
    );

  describe('savepoint: false', () => {
    it('is part of the block around it, and sends nothing of its own', async () => {
      await db.atomic(async () => {
        await insert(1);
        await joined(2, false);
        expect(hooks).toEqual([]);
      });
      expect(proxy.statements.filter((text) => /^(BEGIN|SAVE|REL|COMMIT)/.test(text))).toEqual([
        'BEGIN',
        'COMMIT',
      ]);
      expect(hooks).toEqual(['2 committed']);
      expect(await notesIn(bench)).toEqual([1, 2]);
    });

    it('is a transaction where none is open', async () => {
      await joined(1, false);
      expect(await failure(joined(2, true))).toBe(own);
      expect(await notesIn(bench)).toEqual([1]);
      expect(hooks).toEqual(['1 committed', '2 rolled back']);
    });

    it('that fails dooms the block around it, also where its error is caught there', async () => {
      let refused: unknown;
      const error = await failure(
        db.atomic(async (tx) => {
          tx.afterCommit(() => hooks.push('root committed'));
          await insert(1);
          expect(await failure(joined(2, true))).toBe(own);
          expect(hooks).toEqual([]);
          refused = await failure(insert(3));
        }),
      );
      expect(refused).toBeInstanceOf(TransactionDoomedError);
      expect(error).toBeInstanceOf(TransactionDoomedError);
      expect(error.cause).toBe(own);
      expect(hooks).toEqual(['2 rolled back']);
      expect(await notesIn(bench)).toEqual([]);
    });

    it('that fails inside a savepoint takes that one with it; the root goes on where it is caught outside', async () => {
      await db.atomic(async () => {
        await insert(1);
        const error = await failure(
          db.atomic(async () => {
            await insert(2);
            await failure(joined(3, true));
          }),
        );
        expect(error).toBeInstanceOf(TransactionDoomedError);
        expect(error.cause).toBe(own);
        expect(hooks).toEqual(['3 rolled back']);
        await joined(4, false);
        await insert(5);
      });
      expect(hooks).toEqual(['3 rolled back', '4 committed']);
      expect(await notesIn(bench)).toEqual([1, 4, 5]);
    });

    it('that fails in one that joined as well: up to the first savepoint', async () => {
      await db.atomic(async () => {
        await insert(1);
        await failure(
          db.atomic(() =>
            db.atomic(
              async () => {
                await insert(2);
                await failure(joined(3, true));
              },
              { savepoint: false },
            ),
          ),
        );
      });
      expect(await notesIn(bench)).toEqual([1]);
    });

    it('that fails: what waited behind it is not sent any more, be it a statement or a block', async () => {
      let waited: PromiseSettledResult<unknown>[] = [];
      await failure(
        db.atomic(async () => {
          await insert(1);
          waited = await Promise.allSettled([
            joined(2, true),
            insert(3),
            db.atomic(() => insert(4)),
            joined(5, false),
          ]);
        }),
      );
      const reasons = waited.map((one) => (one.status === 'rejected' ? one.reason : undefined));
      expect(reasons[0]).toBe(own);
      for (const reason of reasons.slice(1)) expect(reason).toBeInstanceOf(TransactionDoomedError);
      expect(proxy.statements.filter((text) => text.startsWith('INSERT'))).toHaveLength(2);
    });
  });

  it('durable: true inside a transaction is refused, and nothing is sent', async () => {
    let ran = false;
    await db.atomic(async () => {
      await insert(1);
      const before = proxy.statements.length;
      const error = await failure(
        db.atomic(
          () => {
            ran = true;
            return insert(2);
          },
          { durable: true },
        ),
      );
      expect(error).toBeInstanceOf(TransactionOpenError);
      expect(proxy.statements.length).toBe(before);
    });
    expect(ran).toBe(false);
    await db.atomic(() => insert(3), { durable: true });
    expect(await notesIn(bench)).toEqual([1, 3]);
  });

  describe('tx.signal', () => {
    it('is aborted by the block’s timeout, by its signal, by a block around it that fails', async () => {
      const reasons: unknown[] = [];
      const waiting = (tx: { signal: AbortSignal }): Promise<never> =>
        new Promise((_, reject) => {
          tx.signal.addEventListener('abort', () => {
            reasons.push(tx.signal.reason);
            reject(own);
          });
        });
      await failure(db.atomic(waiting, { timeout: 300 }));
      const controller = new AbortController();
      const called = failure(db.atomic(waiting, { signal: controller.signal }));
      controller.abort();
      await called;
      const nested = deferred<unknown>();
      await failure(
        db.atomic(async () => {
          db.atomic(waiting).catch(nested.resolve);
          await db.withoutScope(() => db.query('DO 0'));
          throw own;
        }),
      );
      expect(await nested.promise).toBe(own);
      expect(reasons[0]).toBeInstanceOf(TransactionTimeoutError);
      expect(reasons[1]).toBeInstanceOf(StatementAbortedError);
      expect(reasons[2]).toBeInstanceOf(TransactionClosedError);
      expect(reasons).toHaveLength(3);
    });

    it('is not aborted while all is well, nor by COMMIT', async () => {
      const signals: AbortSignal[] = [];
      await db.atomic(
        async (tx) => {
          signals.push(tx.signal);
          await insert(1);
        },
        { timeout: 60_000 },
      );
      expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    });
  });
});
