import {
  CommitInDoubtError,
  ImplicitCommitError,
  TransactionDoomedError,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { withRival } from '../support/rival';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  let db: RetryingPooledDatabase;
  let attempts: number[];
  let hooks: string[];
  beforeEach(async () => {
    attempts = [];
    hooks = [];
    proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const retry = { minDelay: 1, maxDelay: 2 };
    db = bench.open({ host, port, connectionLimit: 2, validateAfter: 0, retry });
  });
  afterEach(() => proxy.close());

  const insert = (id: number): Promise<unknown> =>
    db.query('INSERT INTO notes VALUES (?, NULL)', [id]);

  /** Notes which attempts there were, and what became of each. */
  const noted = (tx: Parameters<Parameters<typeof db.atomic>[0]>[0]): number => {
    const { attempt } = tx;
    attempts.push(attempt);
    tx.afterCommit(() => hooks.push(`${attempt} committed`));
    tx.afterRollback(() => hooks.push(`${attempt} rolled back`));
    return attempt;
  };

  it('a deadlock inside a savepoint: run again from the outermost block, which counts; the dead attempt’s hooks are its own', async () => {
    let nestedRuns = 0;
    await withRival(bench, [2, 3, 4], async (rival) => {
      await db.atomic(
        async (tx) => {
          const attempt = noted(tx);
          await insert(10 + attempt);
          await db.atomic(async (nested) => {
            nestedRuns++;
            if (attempt === 1) await rival.collide(nested);
            else await insert(20);
          });
        },
        { retries: 2 },
      );
    });
    expect({ attempts, hooks, nestedRuns }).toEqual({
      attempts: [1, 2],
      hooks: ['1 rolled back', '2 committed'],
      nestedRuns: 2,
    });
    expect(await notesIn(bench)).toEqual([1, 2, 3, 4, 12, 20]);
    expect(db.stats()).toMatchObject({ retries: 1, created: 1 });
  });

  it('a deadlock that the callback swallowed dooms the root: what follows is refused, and all is run again', async () => {
    let refused: unknown;
    await withRival(bench, [2, 3, 4], async (rival) => {
      await db.atomic(
        async (tx) => {
          if (noted(tx) > 1) return;
          await failure(db.atomic((nested) => rival.collide(nested)));
          refused = await failure(insert(99));
        },
        { retries: 1 },
      );
    });
    expect(refused).toBeInstanceOf(TransactionDoomedError);
    expect(attempts).toEqual([1, 2]);
    expect(await notesIn(bench)).toEqual([1, 2, 3, 4]);
  });

  it('without retries nothing is run again, nor by retries of a nested block', async () => {
    let nestedRuns = 0;
    await withRival(bench, [2, 3, 4], async (rival) => {
      const error = await failure(
        db.atomic(async (tx) => {
          noted(tx);
          await db.atomic(
            (nested) => {
              nestedRuns++;
              return rival.collide(nested);
            },
            { retries: 5 },
          );
        }),
      );
      expect(error).toMatchObject({ errno: 1213 });
    });
    expect({ attempts, nestedRuns, hooks }).toEqual({
      attempts: [1],
      nestedRuns: 1,
      hooks: ['1 rolled back'],
    });
    expect(db.stats().retries).toBe(0);
  });

  it('a lock wait that ended in 1205: rolled back and run again, the row of the first attempt is gone', async () => {
    await withRival(bench, [1], async (rival) => {
      await db.atomic(
        async (tx) => {
          const attempt = noted(tx);
          tx.afterRollback(() => rival.yield());
          await tx.query('SET SESSION innodb_lock_wait_timeout = 1');
          await insert(10 + attempt);
          await tx.query("UPDATE notes SET text = 'mine' WHERE id = 1");
        },
        { retries: 1 },
      );
    });
    expect({ attempts, hooks }).toEqual({
      attempts: [1, 2],
      hooks: ['1 rolled back', '2 committed'],
    });
    expect(await notesIn(bench)).toEqual([1, 2, 3, 4, 12]);
  });

  it('a connection that was lost before COMMIT: run again on another one', async () => {
    const sessions = new Set<number>();
    await db.atomic(
      async (tx) => {
        const attempt = noted(tx);
        sessions.add(await session(db));
        await insert(attempt);
        // The server runs this one, and then rolls it back.
        if (attempt === 1) proxy.swallow(/^INSERT INTO notes VALUES \(9/, 'cut');
        await insert(9);
      },
      { retries: 1 },
    );
    expect(sessions.size).toBe(2);
    expect(hooks).toEqual(['1 rolled back', '2 committed']);
    expect(await notesIn(bench)).toEqual([2, 9]);
  });

  it('a session that was killed between two statements: run again', async () => {
    await db.atomic(
      async (tx) => {
        const attempt = noted(tx);
        await insert(attempt);
        if (attempt > 1) return;
        await bench.sql(`KILL CONNECTION ${await session(db)}`);
        await tx.query('DO 0');
      },
      { retries: 1 },
    );
    expect(attempts).toEqual([1, 2]);
    expect(await notesIn(bench)).toEqual([2]);
  });

  it('the attempts are used up: the last error, which bears their number', async () => {
    for (let n = 0; n < 3; n++) proxy.lose(/^INSERT/, 'cut');
    const error = await failure(
      db.atomic(
        async (tx) => {
          noted(tx);
          await insert(1);
        },
        { retries: 2 },
      ),
    );
    expect(error).toMatchObject({ attempts: 3 });
    expect(['ECONNRESET', 'PROTOCOL_CONNECTION_LOST']).toContain(error['code']);
    expect(hooks).toEqual(['1 rolled back', '2 rolled back', '3 rolled back']);
    expect(await notesIn(bench)).toEqual([]);
  });

  it('once COMMIT was sent it is never run again', async () => {
    const trap = proxy.swallow(/^COMMIT/, 'cut');
    const error = await failure(
      db.atomic(
        async (tx) => {
          noted(tx);
          await insert(1);
        },
        { retries: 3 },
      ),
    );
    await trap.sprung;
    expect(error).toBeInstanceOf(CommitInDoubtError);
    expect({ attempts, hooks }).toEqual({ attempts: [1], hooks: [] });
    expect(await notesIn(bench)).toEqual([1]);
  });

  const inDoubt = new CommitInDoubtError('of another transaction', {
    cause: Object.assign(new Error('lost'), { code: 'ECONNRESET' }),
  });
  it.each<[string, () => unknown]>([
    ['an error of the callback’s own', () => new Error('own')],
    [
      'one that bears a network’s code',
      () => Object.assign(new Error('http'), { code: 'ECONNRESET' }),
    ],
    [
      'one that looks like a deadlock',
      () => Object.assign(new Error('no'), { errno: 1213, sqlState: '40001' }),
    ],
    ['what is no error', () => 'text'],
    ['a COMMIT in doubt of another transaction', () => inDoubt],
    ['one with a COMMIT in doubt as its cause', () => new Error('wrapped', { cause: inDoubt })],
  ])('%s is never a reason to run it again', async (_, make) => {
    const own = make();
    const thrown = await failure(
      db.atomic(
        async (tx) => {
          noted(tx);
          await insert(1);
          throw own;
        },
        { retries: 3 },
      ),
    );
    expect(thrown).toBe(own);
    expect(attempts).toEqual([1]);
    expect(await notesIn(bench)).toEqual([]);
  });

  it('a refusal of the server, or a statement that has committed by itself, is none either', async () => {
    const run = (work: () => Promise<unknown>): Promise<Error & Record<string, unknown>> =>
      failure(
        db.atomic(
          async (tx) => {
            noted(tx);
            await insert(1);
            await work();
          },
          { retries: 3 },
        ),
      );
    expect(await run(() => insert(1))).toMatchObject({ errno: 1062 });
    expect(await run(() => db.query('CREATE TABLE more (id INT)'))).toBeInstanceOf(
      ImplicitCommitError,
    );
    await bench.sql(`DROP TABLE ${bench.schema}.more`);
    expect(attempts).toEqual([1, 1]);
  });

  it('an error of the callback’s own with the loss as its cause is one', async () => {
    proxy.lose(/^INSERT/, 'cut');
    await db.atomic(
      async (tx) => {
        noted(tx);
        await insert(1).catch((cause: unknown) => {
          throw new Error('the note could not be kept', { cause });
        });
      },
      { retries: 1 },
    );
    expect(attempts).toEqual([1, 2]);
    expect(await notesIn(bench)).toEqual([1]);
  });
});
