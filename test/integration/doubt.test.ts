import { CommitInDoubtError, StatementTimeoutError } from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { elapsed, running } from '../support/running';
import { notesIn, onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  beforeEach(async () => {
    proxy = await startProxy(bench.server);
  });
  afterEach(() => proxy.close());

  const open = (connectionLimit = 1): ReturnType<typeof bench.open> => {
    const { host, port } = proxy;
    return bench.open({ host, port, connectionLimit, retry: { minDelay: 1, maxDelay: 2 } });
  };
  const sent = (text: RegExp): number => proxy.statements.filter((sql) => text.test(sql)).length;

  it.each(['cut', 'reset'] as const)(
    'COMMIT whose answer is lost by a %s is in doubt: neither `retries` nor `idempotent` repeats it',
    async (aftermath) => {
      const db = open();
      const trap = proxy.swallow(/^COMMIT/, aftermath);
      let runs = 0;
      const block = db.atomic(
        async (tx) => {
          runs++;
          await tx.query('INSERT INTO notes VALUES (1, NULL)', [], {
            idempotent: true,
            retries: 5,
          });
        },
        { retries: 5 },
      );
      expect(await failure(block)).toBeInstanceOf(CommitInDoubtError);
      await trap.sprung;
      expect([runs, sent(/^BEGIN/), sent(/^INSERT/), sent(/^COMMIT/)]).toEqual([1, 1, 1, 1]);
      expect(await notesIn(bench)).toEqual([1]);
      expect(db.stats()).toMatchObject({ active: 0, retries: 0 });
      await db.query('DO 0');
    },
  );

  it('a statement of a transaction that is lost is not repeated by itself, idempotent or not', async () => {
    const db = open();
    await db.query('DO 0');
    const trap = proxy.swallow(/^INSERT/, 'cut');
    const error = await failure(
      db.atomic((tx) =>
        tx.query('INSERT INTO notes VALUES (1, NULL)', [], { idempotent: true, retries: 5 }),
      ),
    );
    await trap.sprung;
    expect(error).not.toBeInstanceOf(CommitInDoubtError);
    expect([sent(/^INSERT/), sent(/^COMMIT/), await notesIn(bench)]).toEqual([1, 0, []]);
  });

  describe('the control connection', () => {
    it('that cannot be opened costs the statement’s connection, and nobody any time', async () => {
      const db = open();
      await db.query('DO 0');
      const statement = failure(db.query('SELECT SLEEP(1)', [], { timeout: 150 }));
      await until('it runs', async () => (await running(bench, 'SLEEP(1)')) === 1);
      proxy.refuse();
      const took = await elapsed(async () => {
        expect(await statement).toBeInstanceOf(StatementTimeoutError);
      });
      expect(took).toBeLessThan(500);
      expect(db.stats()).toMatchObject({ active: 0, total: 0, auxiliary: 0 });
      await proxy.heal();
      await db.query('DO 0');
      // What nobody could stop ends by itself.
      await until('it ends', async () => (await bench.sessions()).length === 1);
    });

    it('that fell silent delays one statement; the next one is stopped on the server again', async () => {
      const db = open(2);
      const stopped = (): Promise<Error & Record<string, unknown>> =>
        failure(db.query('SELECT SLEEP(60)', [], { timeout: 100 }));
      await stopped();
      expect(db.stats()).toMatchObject({ total: 1, auxiliary: 1 });
      // The server is told, and its confirmation never comes: a black hole on this way alone.
      const silent = proxy.swallow(/^KILL/);
      const took = await elapsed(async () => {
        expect(await stopped()).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT' });
      });
      await silent.sprung;
      expect(took).toBeLessThan(1200);
      expect(db.stats()).toMatchObject({ active: 0, total: 0 });
      await until('the silent one is given up', () => db.stats().auxiliary === 0, 2000);
      await stopped();
      expect(sent(/^KILL/)).toBe(3);
      expect(db.stats()).toMatchObject({ active: 0, total: 1, auxiliary: 1 });
      // PROCESSLIST is a little behind.
      await until('gone', async () => (await running(bench, 'SLEEP(60)')) === 0, 1000);
    });

    it('does not survive end()', async () => {
      const db = open();
      await failure(db.query('SELECT SLEEP(60)', [], { timeout: 100 }));
      expect((await bench.sessions()).length).toBe(2);
      await db.end();
      await until('no session is left', async () => (await bench.sessions()).length === 0);
    });
  });
});
