import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ConfigurationError,
  PoolExhaustedError,
  connectionScope,
  releaseConnection,
  type LeakReport,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { onEachServer, session } from '../support/servers';
import { longForm } from '../support/long-form';
import { failure, until } from '../support/until';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** In seconds: compressed here; `npm run test:long rhythm` takes the original's own. */
const RHYTHM = longForm('BOOMERANG_RHYTHM', { waitTimeout: 2, pause: 2.5, rounds: 3 });

onEachServer((bench) => {
  const fill = async (db: RetryingPooledDatabase, count: number): Promise<void> => {
    const all = await Promise.all(Array.from({ length: count }, () => db.getConnection()));
    await Promise.all(all.map((connection) => connection.release()));
  };

  describe('resize()', () => {
    it('a lower limit closes idle connections now and others when they come back', async () => {
      const db = bench.open({ connectionLimit: 4 });
      const held = await db.getConnection();
      const second = await db.getConnection();
      await fill(db, 2);
      expect(db.stats()).toMatchObject({ total: 4, idle: 2, active: 2 });
      db.resize({ connectionLimit: 1 });
      expect(db.stats()).toMatchObject({ total: 2, idle: 0, active: 2 });
      await held.release();
      await second.release();
      expect(db.stats()).toMatchObject({ total: 1, idle: 1, active: 0 });
    });

    it('a higher limit serves those who wait already', async () => {
      const db = bench.open({ connectionLimit: 1 });
      const held = await db.getConnection();
      const waiting = db.getConnection();
      expect(db.stats().waiting).toBe(1);
      db.resize({ connectionLimit: 2 });
      await (await waiting).release();
      await held.release();
    });

    it.each([
      [{ connectionLimit: 0 }, 'connectionLimit'],
      [{ minIdle: 9 }, 'minIdle'],
      [{ maxIdle: 9 }, 'maxIdle'],
      [{ idleTimeout: 5 }, 'idleTimeout'],
      [null, 'limits'],
    ])('%j is refused, and nothing changes', (limits, named) => {
      const db = bench.open({ connectionLimit: 3 });
      expect(() => db.resize(limits as never)).toThrow(ConfigurationError);
      expect(() => db.resize(limits as never)).toThrow(named);
    });
  });

  it('evictAll(): idle connections are replaced now, others when they come back', async () => {
    const db = bench.open({ connectionLimit: 2 });
    const held = await db.getConnection();
    const idle = await session(db);
    db.evictAll();
    expect(await session(db)).not.toBe(idle);
    const { threadId } = held;
    await held.release();
    const [a, b] = await Promise.all([db.getConnection(), db.getConnection()]);
    expect([a.threadId, b.threadId]).not.toContain(threadId);
    await Promise.all([a.release(), b.release()]);
  });

  describe('warmUp()', () => {
    it('opens minIdle connections before the first statement', async () => {
      const db = bench.open({ connectionLimit: 5, minIdle: 3 });
      await db.warmUp();
      expect(db.stats()).toMatchObject({ idle: 3, active: 0 });
    });

    it('that fails half-way closes what came and says why', async () => {
      const user = `few_${bench.schema}`;
      await bench.sql(`CREATE USER ${user} IDENTIFIED BY 'few' WITH MAX_USER_CONNECTIONS 2`);
      await bench.sql(`GRANT ALL ON ${bench.schema}.* TO ${user}`);
      const db = bench.open({ user, password: 'few', minIdle: 3, acquireTimeout: 2500 });
      const error = await failure(db.warmUp());
      expect(error).toBeInstanceOf(PoolExhaustedError);
      expect(error).toMatchObject({ cause: { errno: 1226 } });
      expect(db.stats()).toMatchObject({ active: 0, total: 0, created: 2 });
      await db.end();
      await bench.sql(`DROP USER ${user}`);
    });

    it('while others hold connections: those count, since they come back', async () => {
      const db = bench.open({ connectionLimit: 3, minIdle: 3 });
      const held = await Promise.all([db.getConnection(), db.getConnection(), db.getConnection()]);
      await db.warmUp();
      expect(db.stats()).toMatchObject({ active: 3, waiting: 0 });
      await Promise.all(held.map((connection) => connection.release()));
    });
  });

  describe('health()', () => {
    it('ready, with how long the answer took and no complaint', async () => {
      const health = await bench.open().health();
      expect(health).toMatchObject({ ready: true, reasons: [] });
      expect(health.latency).toBeGreaterThan(0);
    });

    it('not ready while the server is away or silent, within its limit, and it says why', async () => {
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const db = bench.open({ host, port, connectionLimit: 1 });
      await db.query('DO 0');
      proxy.blackHole();
      const begun = performance.now();
      const health = await db.health({ within: 100 });
      // The server would be waited for by everybody else for 10 s.
      expect(performance.now() - begun).toBeLessThan(8000);
      expect(health).toMatchObject({ ready: false, latency: undefined });
      expect(health.reasons[0]).toMatch(/ETIMEDOUT|ERR_POOL_EXHAUSTED/);
      await proxy.heal();
      await proxy.close();
    });
  });

  describe('passwords', () => {
    it('a function is asked at each connect, sync or async: tokens may change', async () => {
      let asked = 0;
      const { password } = bench.server;
      const db = bench.open({
        connectionLimit: 2,
        password: async () => {
          asked++;
          await delay(1);
          return password;
        },
      });
      await fill(db, 2);
      expect(asked).toBe(2);
      const sync = bench.open({ password: () => password });
      await sync.query('DO 0');
    });

    it('one that throws, or gives no string, is the cause of the error; its value is nowhere', async () => {
      for (const password of [
        () => Promise.reject(new Error('vault is sealed')),
        () => 424242424242 as never,
      ]) {
        const db = bench.open({ password, acquireTimeout: 400 });
        const error = await failure(db.query('DO 0'));
        expect(error).toBeInstanceOf(PoolExhaustedError);
        expect((error.cause as Error).message).toMatch(/vault is sealed|must give a string/);
        expect(JSON.stringify(error) + error.message).not.toContain('424242424242');
      }
    });

    it('credentials that change while connections live: evictAll() brings the new ones into use', async () => {
      const user = `r_${bench.schema}`;
      await bench.sql(`CREATE USER ${user}@'%' IDENTIFIED BY 'first-one'`);
      await bench.sql(`GRANT ALL ON ${bench.schema}.* TO ${user}@'%'`);
      let current = 'first-one';
      const db = bench.open({ user, password: () => current, connectionLimit: 1 });
      await db.query('DO 0');
      await bench.sql(`ALTER USER ${user}@'%' IDENTIFIED BY 'second-one'`);
      current = 'second-one';
      db.evictAll();
      await db.query('DO 0');
      expect(db.stats().created).toBe(2);
      await db.end();
      await bench.sql(`DROP USER ${user}@'%'`);
    });
  });

  it('ssl: statements, the loss of a connection and its repeat over TLS', async () => {
    const [row] = await bench.sql('SELECT @@have_ssl AS have').catch(() => [{ have: 'YES' }]);
    if (row?.['have'] !== 'YES') {
      // This server was started without a certificate: it must refuse, and say so.
      const error = await failure(bench.open({ ssl: {}, acquireTimeout: 2500 }).query('DO 0'));
      expect((error.cause as Error).message).toMatch(/secure connection/i);
      return;
    }
    const db = bench.open({ connectionLimit: 1, ssl: { rejectUnauthorized: false } });
    const cipher = async (): Promise<unknown> => {
      const [rows] = await db.query<{ Value: string }[]>("SHOW STATUS LIKE 'Ssl_cipher'", [], {
        idempotent: true,
      });
      return rows[0]?.Value;
    };
    expect(await cipher()).toMatch(/TLS|AES|CHACHA/);
    await bench.sql(`KILL CONNECTION ${await session(db)}`);
    expect(await cipher()).toMatch(/TLS|AES|CHACHA/);
    // A certificate nobody vouches for is refused unless that is switched off.
    const strict = bench.open({ ssl: {}, acquireTimeout: 1500 });
    const error = await failure(strict.query('DO 0'));
    expect(error).toBeInstanceOf(PoolExhaustedError);
  });

  describe('leaks', () => {
    const reportsOf = (db: RetryingPooledDatabase): LeakReport[] => {
      const reports: LeakReport[] = [];
      db.on('leak', (report) => reports.push(report));
      return reports;
    };

    it('a lease that is out for long is reported once, with where it was taken, and again when it comes back', async () => {
      const db = bench.open({ leakDetectionThreshold: 30 });
      const reports = reportsOf(db);
      const connection = await db.getConnection();
      await until('it is reported', () => reports.length > 0);
      await delay(80);
      expect(reports.map(({ kind }) => kind)).toEqual(['held']);
      expect(reports[0]?.stack).toContain('operation.test');
      await connection.release();
      expect(reports.map(({ kind }) => kind)).toEqual(['held', 'returned']);
    });

    it('bears the label of the decorated method', async () => {
      const db = bench.open({ leakDetectionThreshold: 20 });
      const reports = reportsOf(db);
      class Slow {
        @releaseConnection({ label: 'Slow.wait' })
        async wait(): Promise<void> {
          await db.query('DO 0');
          await until('it is reported', () => reports.length > 0);
        }
      }
      await new Slow().wait();
      expect(reports[0]).toMatchObject({ kind: 'held', label: 'Slow.wait' });
    });

    it('a connection whose holder was garbage-collected is reclaimed and reported', async () => {
      const db = bench.open({ connectionLimit: 1 });
      const reports = reportsOf(db);
      await (async () => {
        const connection = await db.getConnection();
        await connection.query('DO 0');
      })();
      await until('it is collected', async () => {
        collect();
        await delay(1);
        return reports.length > 0;
      });
      expect(reports[0]?.kind).toBe('reclaimed');
      await until('it is back', () => db.stats().idle === 1);
      await db.query('DO 0');
    });

    it('an abandoned decorated generator is reclaimed and reported', async () => {
      const db = bench.open({ connectionLimit: 1 });
      const reports = reportsOf(db);
      class Rows {
        @releaseConnection({ label: 'Rows.all' })
        async *all(): AsyncGenerator<number> {
          await db.query('DO 0');
          yield 1;
          yield 2;
        }
      }
      await (async () => {
        await new Rows().all().next();
      })();
      expect(db.stats().active).toBe(1);
      await until('it is collected', async () => {
        collect();
        await delay(1);
        return reports.length > 0;
      });
      expect(reports[0]).toMatchObject({ kind: 'reclaimed', label: 'Rows.all' });
      await until('it is back', () => db.stats().idle === 1);
    });
  });

  it('events: a listener that throws throws into nobody’s statement', async () => {
    const db = bench.open();
    const queue = jest.spyOn(globalThis, 'queueMicrotask');
    const seen: unknown[] = [];
    const uncaught = new Promise((resolve) => {
      db.on('acquire', () => {
        throw new Error('listener');
      });
      queue.mockImplementation((callback) => {
        try {
          callback();
        } catch (error) {
          resolve(error);
        }
      });
    });
    db.on('remove', (threadId, reason) => seen.push([threadId > 0, reason]));
    await db.query('DO 0');
    expect(await uncaught).toMatchObject({ message: 'listener' });
    queue.mockRestore();
    await db.end();
    expect(seen).toEqual([[true, 'retired']]);
  });

  it("selfDeadlock 'fail': a caller that would wait for itself is told at once, in words", async () => {
    const db = bench.open({ connectionLimit: 1, acquireTimeout: 25_000, selfDeadlock: 'fail' });
    await connectionScope(
      async () => {
        await db.query('DO 0');
        const begun = performance.now();
        const error = await failure(db.getConnection());
        expect(performance.now() - begun).toBeLessThan(10_000);
        expect(error).toBeInstanceOf(PoolExhaustedError);
        expect(error.message).toContain("own scope 'mine' already holds");
      },
      { label: 'mine' },
    );
  });

  it('the rhythm that lost data: pauses longer than wait_timeout, never an error', async () => {
    const { waitTimeout, pause, rounds } = RHYTHM;
    const db = bench.open({
      connectionLimit: 2,
      initSql: `SET SESSION wait_timeout = ${waitTimeout}`,
    });
    for (let round = 0; round < rounds; round++) {
      await db.atomic(async (tx) => {
        await tx.query('INSERT INTO notes VALUES (?, NULL)', [round]);
      });
      await db.query('SELECT 1');
      await delay(pause * 1000);
    }
    const [row] = await bench.sql(`SELECT COUNT(*) AS n FROM ${bench.schema}.notes`);
    expect(Number(row?.['n'])).toBe(rounds);
  }, 3_600_000);
});
