import {
  CommitInDoubtError,
  connectionScope,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { withRival } from '../support/rival';
import { notesIn, onEachServer } from '../support/servers';
import { failure } from '../support/until';

/* Runs in both Jest projects: compiled with standard decorators and with experimentalDecorators. */

let db: RetryingPooledDatabase;
let runs: number;

class Work {
  @releaseConnection({ retries: 2, idempotent: true })
  async again(work: (run: number) => Promise<unknown>): Promise<string> {
    const run = ++runs;
    await db.query('DO 0');
    await work(run);
    return `run ${run}`;
  }

  @releaseConnection
  async once(work: (run: number) => Promise<unknown>): Promise<void> {
    await work(++runs);
  }

  @releaseConnection({ retries: 2, idempotent: true, timeout: 400 })
  async bounded(work: (run: number) => Promise<unknown>): Promise<void> {
    await work(++runs);
  }

  @releaseConnection({ retries: 2, idempotent: true, timeout: 20_000 })
  async patient(work: (run: number) => Promise<unknown>): Promise<void> {
    await work(++runs);
  }

  @releaseConnection({ retries: 1, idempotent: true })
  async *rows(): AsyncGenerator<number> {
    runs++;
    yield 1;
  }
}

onEachServer((bench) => {
  let proxy: FaultProxy;
  const work = new Work();
  beforeEach(async () => {
    runs = 0;
    proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const retry = { attempts: 1, minDelay: 1, maxDelay: 2 };
    db = bench.open({ host, port, connectionLimit: 2, acquireTimeout: 20_000, retry });
  });
  afterEach(() => proxy.close());

  const insert = (id: number): Promise<unknown> =>
    db.query('INSERT IGNORE INTO notes VALUES (?, NULL)', [id]);
  const lose = (): void => void proxy.swallow(/^INSERT/, 'cut');

  it('a lost connection: the whole method is run again, in a scope of its own', async () => {
    lose();
    expect(await work.again(() => insert(1))).toBe('run 2');
    expect(await notesIn(bench)).toEqual([1]);
    expect(db.stats()).toMatchObject({ acquired: 2, active: 0 });
  });

  it('as often as was said, and then with the last error', async () => {
    for (let n = 0; n < 3; n++) lose();
    expect(await failure(work.again(() => insert(1)))).toMatchObject({ attempts: 3 });
    expect({ runs, active: db.stats().active }).toEqual({ runs: 3, active: 0 });
  });

  it('a deadlock of a transaction inside, also where the method has wrapped its error', async () => {
    await withRival(bench, [2, 3, 4], async (rival) => {
      const result = await work.again(async (run) => {
        if (run > 1) return;
        await db
          .atomic((tx) => rival.collide(tx))
          .catch((cause: unknown) => {
            throw new Error('not now', { cause });
          });
      });
      expect(result).toBe('run 2');
    });
  });

  it('a transaction inside that was doomed', async () => {
    const result = await work.again((run) =>
      db.atomic(async () => {
        if (run > 1) return;
        lose();
        await insert(1).catch(() => undefined);
      }),
    );
    expect(result).toBe('run 2');
  });

  it('never inside an open transaction: that is run again as a whole, or not at all', async () => {
    let outer = 0;
    lose();
    await db.atomic(
      () => {
        outer++;
        return work.again(() => insert(1));
      },
      { retries: 1 },
    );
    expect({ outer, runs }).toEqual({ outer: 2, runs: 2 });
    lose();
    await failure(db.atomic(() => work.again(() => insert(2))));
    expect(runs).toBe(3);
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('not without retries, not for an error of one’s own, nor for a refusal of the server', async () => {
    lose();
    await failure(work.once(() => insert(1)));
    expect(runs).toBe(1);
    const own = new Error('own');
    expect(await failure(work.again(() => Promise.reject(own)))).toBe(own);
    expect(runs).toBe(2);
    const syntax = await failure(work.again(() => db.query('SELEC 1')));
    expect(syntax).toMatchObject({ errno: 1064 });
    expect(runs).toBe(3);
    const variable = bench.server.flavour === 'mariadb' ? 'tx_read_only' : 'transaction_read_only';
    const readOnly = await failure(
      work.again(async () => {
        await db.query(`SET @@${variable} = 1`);
        await insert(1);
      }),
    );
    expect(readOnly).toMatchObject({ errno: 1792 });
    expect(runs).toBe(4);
  });

  it('not for a COMMIT in doubt, nor for what has it as its cause', async () => {
    for (const wrap of [false, true]) {
      runs = 0;
      proxy.swallow(/^COMMIT/, 'cut');
      const error = await failure(
        work.again(() =>
          db
            .atomic(() => insert(1))
            .catch((cause: unknown) => {
              throw wrap ? new Error('wrapped', { cause }) : cause;
            }),
        ),
      );
      expect(wrap ? error.cause : error).toBeInstanceOf(CommitInDoubtError);
      expect(runs).toBe(1);
    }
  });

  it('timeout bounds each run, and its end is no reason for another', async () => {
    lose();
    await work.patient((run) => (run === 1 ? insert(1) : db.query('DO 0')));
    expect(runs).toBe(2);
    const error = await failure(work.bounded(() => db.query('DO SLEEP(20)')));
    expect(error).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT' });
    expect(runs).toBe(3);
  });

  it('not once the signal, or the scope around it, has called it off', async () => {
    const controller = new AbortController();
    class Called {
      @releaseConnection({ retries: 5, idempotent: true, signal: controller.signal })
      async off(): Promise<void> {
        runs++;
        lose();
        await insert(1).finally(() => controller.abort(new Error('enough')));
      }
    }
    expect(await failure(new Called().off())).toMatchObject({ code: 'ERR_STATEMENT_ABORTED' });
    expect(runs).toBe(1);
    const around = new AbortController();
    await failure(
      connectionScope(
        () =>
          work.again(async () => {
            lose();
            await insert(1).finally(() => around.abort());
          }),
        { signal: around.signal },
      ),
    );
    expect(runs).toBe(2);
  });

  it('an async generator cannot be run again: TypeError at the call, and its body does not run', () => {
    expect(() => work.rows()).toThrow(/rows.*iterates, and cannot be run again/);
    expect({ runs, acquired: db.stats().acquired }).toEqual({ runs: 0, acquired: 0 });
  });
});
