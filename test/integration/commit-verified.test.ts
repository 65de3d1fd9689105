import { CommitInDoubtError, connectionScope, type RetryingPooledDatabase } from '../../src/index';
import type { AtomicOptions } from '../../src/transaction/atomic-options';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { notesIn, onEachServer } from '../support/servers';
import { failure, longEnough } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  let db: RetryingPooledDatabase;
  let hooks: string[];
  let asked: number;
  beforeEach(async () => {
    hooks = [];
    asked = 0;
    proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const retry = { minDelay: 1, maxDelay: 2 };
    db = bench.open({ host, port, connectionLimit: 1, validateAfter: 0, retry });
  });
  afterEach(() => proxy.close());

  const keep = (options: AtomicOptions): Promise<string> =>
    db.atomic(async (tx) => {
      const { attempt } = tx;
      tx.afterCommit(() => hooks.push(`${attempt} committed`));
      tx.afterRollback(() => hooks.push(`${attempt} rolled back`));
      await tx.query('INSERT INTO notes VALUES (1, NULL)');
      return `result ${attempt}`;
    }, options);
  const sent = (): number => proxy.statements.filter((text) => text.startsWith('INSERT')).length;

  /** As the documentation says: it looks with a lock, because the old session may still be at it. */
  const look = async (): Promise<boolean> => {
    asked++;
    const [rows] = await db.query('SELECT id FROM notes WHERE id = 1 FOR UPDATE');
    return rows.length > 0;
  };

  it('true: the block resolves to its result, and the afterCommit hooks run', async () => {
    const trap = proxy.swallow(/^COMMIT/, 'cut');
    expect(await keep({ verify: look, retries: 2 })).toBe('result 1');
    await trap.sprung;
    expect({ asked, hooks, sent: sent() }).toEqual({ asked: 1, hooks: ['1 committed'], sent: 1 });
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('false: the block rejects with the driver’s own error, and the afterRollback hooks run', async () => {
    proxy.lose(/^COMMIT/, 'cut');
    const error = await failure(keep({ verify: look }));
    expect(error).not.toBeInstanceOf(CommitInDoubtError);
    expect(['ECONNRESET', 'PROTOCOL_CONNECTION_LOST']).toContain(error['code']);
    expect({ asked, hooks }).toEqual({ asked: 1, hooks: ['1 rolled back'] });
    expect(await notesIn(bench)).toEqual([]);
  });

  it('false, with retries: it is run again, and the row is there exactly once', async () => {
    proxy.lose(/^COMMIT/, 'cut');
    expect(await keep({ verify: look, retries: 1 })).toBe('result 2');
    expect({ asked, hooks, sent: sent() }).toEqual({
      asked: 1,
      hooks: ['1 rolled back', '2 committed'],
      sent: 2,
    });
    expect(await notesIn(bench)).toEqual([1]);
  });

  it.each<[string, AtomicOptions['verify']]>([
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no idea'))],
    ['gives nothing', (() => undefined) as never],
    ['gives a string', (async () => 'yes') as never],
    ['gives 1', (() => 1) as never],
    ['is not there', undefined],
  ])(
    'a verify that %s: CommitInDoubtError, no hook, and nothing is sent twice',
    async (_, verify) => {
      const trap = proxy.swallow(/^COMMIT/, 'cut');
      const options = { retries: 3, ...(verify === undefined ? {} : { verify }) };
      const error = await failure(keep(options));
      await trap.sprung;
      expect(error).toBeInstanceOf(CommitInDoubtError);
      expect({ hooks, sent: sent() }).toEqual({ hooks: [], sent: 1 });
      expect(await notesIn(bench)).toEqual([1]);
      expect(db.stats().active).toBe(0);
    },
  );

  it('it is asked only where COMMIT is in doubt', async () => {
    await keep({ verify: look });
    await bench.sql(`DELETE FROM ${bench.schema}.notes`);
    proxy.lose(/^INSERT/, 'cut');
    await failure(keep({ verify: look }));
    await failure(db.atomic(() => Promise.reject(new Error('own')), { verify: look }));
    expect(asked).toBe(0);
  });

  it('it runs outside the transaction, in the scope around it, on a pool of 1', async () => {
    proxy.swallow(/^COMMIT/, 'cut');
    let registered = true;
    await connectionScope(() =>
      keep({
        verify: async () => {
          // No transaction is open: a hook runs at once.
          registered = false;
          await db.afterCommit(() => {
            registered = true;
          });
          expect(registered).toBe(true);
          return look();
        },
      }),
    );
    expect({ asked, registered, hooks }).toEqual({
      asked: 1,
      registered: true,
      hooks: ['1 committed'],
    });
  });

  it('it settles a COMMIT that was not answered by the deadline as well', async () => {
    await longEnough(async (timeout) => {
      await db.query('DELETE FROM notes');
      hooks = [];
      const trap = proxy.swallow(/^COMMIT/);
      const kept = keep({ verify: look, timeout }).catch((error: unknown) => error);
      const isSwallowed = await Promise.race([trap.sprung.then(() => true), kept]);
      trap.remove();
      if (isSwallowed !== true) return false;
      expect(await kept).toBe('result 1');
      expect(hooks).toEqual(['1 committed']);
      return true;
    });
  });

  it('of a transaction beside another one it is asked inside that one', async () => {
    const wide = bench.open({ host: proxy.host, port: proxy.port, connectionLimit: 2 });
    await wide.atomic(async (tx) => {
      await tx.query('INSERT INTO notes VALUES (1, NULL)');
      proxy.swallow(/^COMMIT/, 'cut');
      await wide.atomic((inner) => inner.query('INSERT INTO notes VALUES (2, NULL)'), {
        requiresNew: true,
        verify: async () => {
          const [rows] = await wide.query('SELECT id FROM notes ORDER BY id FOR UPDATE');
          return rows.length === 2;
        },
      });
    });
    expect(await notesIn(bench)).toEqual([1, 2]);
  });
});
