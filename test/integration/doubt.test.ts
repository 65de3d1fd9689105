import {
  CommitInDoubtError,
  StatementTimeoutError,
  type RetryingPooledDatabase,
} from '../../src/index';
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

  const open = (connectionLimit = 1): ReturnType<typeof bench.connected> => {
    const { host, port } = proxy;
    return bench.connected({ host, port, connectionLimit, retry: { minDelay: 1, maxDelay: 2 } });
  };
  const sent = (text: RegExp): number => proxy.statements.filter((sql) => text.test(sql)).length;

  it.each(['cut', 'reset'] as const)(
    'COMMIT whose answer is lost by a %s is in doubt: neither `retries` nor `idempotent` repeats it',
    async (aftermath) => {
      const db = await open();
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
    const db = await open();
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
    const stopped = (db: RetryingPooledDatabase): Promise<Error & Record<string, unknown>> =>
      failure(db.query('SELECT SLEEP(60)', [], { timeout: 100 }));

    /** A statement is stopped on the server: the way there is open, and its own connection stays. */
    async function stoppedThere(db: RetryingPooledDatabase): Promise<void> {
      // Where opening the way takes longer than is waited for, the next one finds it open.
      await until('it is stopped on the server', async () => {
        await db.query('DO 0');
        expect(await stopped(db)).toBeInstanceOf(StatementTimeoutError);
        const { active, total, auxiliary } = db.stats();
        expect(active).toBe(0);
        return total === 1 && auxiliary === 1;
      });
    }

    it('that cannot be opened costs the statement’s connection, and nobody any time', async () => {
      const db = await open();
      let soonest = Infinity;
      // Somebody who waited for the server would do so each time.
      for (let tries = 0; soonest >= 500 && tries < 5; tries++) {
        proxy.refuse();
        const took = await elapsed(async () => {
          expect(await stopped(db)).toBeInstanceOf(StatementTimeoutError);
        });
        soonest = Math.min(soonest, took);
        expect(db.stats()).toMatchObject({ active: 0, total: 0, auxiliary: 0 });
        await proxy.heal();
        await db.query('DO 0');
      }
      expect(soonest).toBeLessThan(500);
      // What nobody could stop runs on.
      for (const { id, statement } of await bench.processes()) {
        if (statement?.includes('SLEEP') === true) await bench.sql(`KILL ${id}`).catch(() => {});
      }
      await until('it ends', async () => (await bench.sessions()).length === 1);
    });

    it('that fell silent delays one statement; the next one is stopped on the server again', async () => {
      const db = await open(2);
      await stoppedThere(db);
      // The server is told, and its confirmation never comes: a black hole on this way alone.
      const silent = proxy.swallow(/^KILL/);
      const took = await elapsed(async () => {
        expect(await stopped(db)).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT' });
      });
      await silent.sprung;
      expect(took).toBeLessThan(10_000);
      expect(db.stats()).toMatchObject({ active: 0, total: 0 });
      await until('the silent one is given up', () => db.stats().auxiliary === 0);
      const before = sent(/^KILL/);
      await stoppedThere(db);
      expect(sent(/^KILL/)).toBeGreaterThan(before);
      // PROCESSLIST is a little behind.
      await until('gone', async () => (await running(bench, 'SLEEP(60)')) === 0);
    });

    it('does not survive end()', async () => {
      const db = await open();
      await stoppedThere(db);
      await until('there are two', async () => (await bench.sessions()).length === 2);
      await db.end();
      await until('no session is left', async () => (await bench.sessions()).length === 0);
    });
  });
});
