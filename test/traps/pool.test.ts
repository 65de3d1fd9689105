import * as mysql2 from 'mysql2/promise';
import { setTimeout as delay } from 'node:timers/promises';
import { PoolExhaustedError } from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { onEachServer, session, type Workbench } from '../support/servers';
import { failure, until } from '../support/until';

/*
 * Traps of mysql2's pool, one regression test each. Where it takes a few lines the same is shown on
 * mysql2's own pool; such a test fails when mysql2 mends the trap, and the note can go.
 */

/** mysql2's own pool on the same server, ended after the test. */
async function withTheirs(
  bench: Workbench,
  options: mysql2.PoolOptions,
  show: (pool: mysql2.Pool) => Promise<void>,
): Promise<void> {
  const pool = mysql2.createPool({ ...bench.theirAddress, ...options });
  try {
    await show(pool);
  } finally {
    await pool.end().catch(() => undefined);
  }
}

onEachServer((bench) => {
  describe('waiting', () => {
    it('trap 01: an acquire has an absolute deadline, and a waiter that gave up leaves no connection behind', async () => {
      const db = await bench.connected({ connectionLimit: 1, acquireTimeout: 400 });
      const held = await db.getConnection();
      const { timeouts } = db.stats();
      const error = await failure(db.getConnection());
      expect(error).toBeInstanceOf(PoolExhaustedError);
      expect(db.stats().waiting).toBe(0);
      await held.release();
      // What the dead waiter would have been given is there for the next.
      await db.query('DO 0');
      expect(db.stats()).toMatchObject({ active: 0, idle: 1, timeouts: timeouts + 1 });
    });

    it('trap 01, evidence: a timeout raced around mysql2’s getConnection() loses the connection', async () => {
      await withTheirs(bench, { connectionLimit: 1 }, async (pool) => {
        const held = await pool.getConnection();
        const late = pool.getConnection();
        expect(await Promise.race([late, delay(60, 'gave up')])).toBe('gave up');
        held.release();
        expect(await Promise.race([pool.getConnection(), delay(60, 'nothing left')])).toBe(
          'nothing left',
        );
        (await late).release();
      });
    });

    it('trap 13: waiters are not tied to connects: few are opened for a burst that returns soon', async () => {
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const db = bench.open({ host, port, connectionLimit: 50 });
      const five = await Promise.all([1, 2, 3, 4, 5].map(() => db.getConnection()));
      await Promise.all(five.map((connection) => connection.release()));
      const before = db.stats().created;
      // Longer than the burst takes.
      proxy.delayNewConnections(9000);
      await Promise.all(Array.from({ length: 50 }, () => db.query('DO SLEEP(0.002)')));
      expect(before).toBe(5);
      expect(db.stats().created + db.stats().connecting - before).toBeLessThanOrEqual(2);
      await db.end();
      await proxy.close();
    });

    it('trap 14: while the server is away every waiter fails by its own deadline, not one per connect', async () => {
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const db = bench.open({
        host,
        port,
        connectionLimit: 3,
        acquireTimeout: 400,
        connectTimeout: 250,
      });
      proxy.blackHole();
      const begun = performance.now();
      // One per connect, three at a time, would take more than 25 s.
      await Promise.all(Array.from({ length: 300 }, () => failure(db.query('DO 0'))));
      expect(performance.now() - begun).toBeLessThan(10_000);
      await proxy.close();
    });
  });

  describe('idling', () => {
    it('trap 02: idleTimeout closes idle connections with maxIdle at its default', async () => {
      const db = bench.open({ connectionLimit: 3, idleTimeout: 40 });
      const all = await Promise.all([1, 2, 3].map(() => db.getConnection()));
      await Promise.all(all.map((connection) => connection.release()));
      expect(db.stats().idle).toBe(3);
      await until('they are closed', () => db.stats().idle === 0);
      await until('the server knows', async () => (await bench.sessions()).length === 0);
    });

    it('trap 03: minIdle connections stay, maxIdle bounds the rest', async () => {
      const db = bench.open({ connectionLimit: 5, minIdle: 1, maxIdle: 3, idleTimeout: 40 });
      const all = await Promise.all([1, 2, 3, 4, 5].map(() => db.getConnection()));
      await Promise.all(all.map((connection) => connection.release()));
      expect(db.stats().idle).toBe(3);
      await until('down to minIdle', () => db.stats().idle === 1);
      await delay(100);
      expect(db.stats().idle).toBe(1);
    });

    it('trap 15: a connection that rested is asked for a sign of life before it is lent', async () => {
      const db = bench.open({ connectionLimit: 2, validateAfter: 20 });
      const proxy = await startProxy(bench.server);
      const { host, port } = proxy;
      const proxied = bench.open({ host, port, connectionLimit: 1, validateAfter: 20 });
      await proxied.query('DO 0');
      await delay(40);
      const asked = proxy.saw('ping');
      await proxied.query('DO 0');
      await asked;
      expect(proxied.stats().created).toBe(1);
      // Silently dropped, as by a firewall: no goodbye, no answer.
      await delay(40);
      proxy.reset();
      await proxied.query('DO 0');
      expect(db.stats().created).toBe(0);
      await proxied.end();
      await proxy.close();
    });

    it('trap 23: maxLifetime ends connections, below the server’s wait_timeout by itself', async () => {
      const db = bench.open({ connectionLimit: 1, maxLifetime: 80 });
      const first = await session(db);
      await delay(100);
      expect(await session(db)).not.toBe(first);
      const short = bench.open({
        connectionLimit: 1,
        validateAfter: 0,
        keepaliveInterval: 0,
        initSql: 'SET SESSION wait_timeout = 2',
      });
      const before = await session(short);
      await delay(2300);
      // Retired by us at 1.8 s or less, before the server hung up at 2 s.
      expect(await session(short)).not.toBe(before);
    });

    it('keepalive carries idle connections over the server’s wait_timeout', async () => {
      const db = bench.open({
        connectionLimit: 1,
        maxLifetime: 0,
        // Time enough between a sign of life and the server's patience for a process that is held up.
        initSql: 'SET SESSION wait_timeout = 4',
      });
      const before = await session(db);
      await delay(5000);
      expect(await session(db)).toBe(before);
      expect(db.stats().destroyed).toBe(0);
    });
  });

  describe('leases', () => {
    it('trap 06: events and counts are exact under contention', async () => {
      const db = bench.open({ connectionLimit: 2 });
      const seen = { acquire: 0, release: 0, connect: 0, enqueue: 0 };
      for (const event of Object.keys(seen) as (keyof typeof seen)[])
        db.on(event, () => seen[event]++);
      // Nobody gets an answer before both connections are out.
      await bench.sql(`LOCK TABLES ${bench.schema}.notes WRITE`);
      const all = [1, 2, 3, 4].map(() => db.query('SELECT COUNT(*) FROM notes'));
      await until('both are out', () => db.stats().active === 2);
      await bench.sql('UNLOCK TABLES');
      await Promise.all(all);
      expect(seen).toEqual({ acquire: 4, release: 4, connect: 2, enqueue: 4 });
      expect(db.stats()).toMatchObject({ acquired: 4, released: 4, created: 2 });
    });

    it('trap 06, evidence: mysql2’s pool counts one acquire for four checkouts', async () => {
      await withTheirs(bench, { connectionLimit: 1 }, async (pool) => {
        let acquired = 0;
        pool.on('acquire', () => acquired++);
        await Promise.all(
          [1, 2, 3, 4].map(async () => {
            const connection = await pool.getConnection();
            await connection.query('DO 0');
            connection.release();
          }),
        );
        expect(acquired).toBe(1);
      });
    });

    it('trap 12: a stale release() frees nobody’s lease', async () => {
      const db = await bench.connected({ connectionLimit: 1, acquireTimeout: 400 });
      const stale = await db.getConnection();
      await stale.release();
      const owner = await db.getConnection();
      await owner.beginTransaction();
      await stale.release();
      expect(await failure(db.getConnection())).toBeInstanceOf(PoolExhaustedError);
      await owner.rollback();
      await owner.release();
    });

    it('trap 12, evidence: mysql2’s second release() lends the owner’s connection to a stranger', async () => {
      await withTheirs(bench, { connectionLimit: 1 }, async (pool) => {
        const stale = await pool.getConnection();
        stale.release();
        const owner = await pool.getConnection();
        await owner.query('SET @mine = 1');
        stale.release();
        const [rows] = await pool.query('SELECT @mine AS mine');
        expect(rows).toEqual([{ mine: 1 }]);
        owner.release();
      });
    });
  });

  describe('ending', () => {
    it('trap 04: no timer keeps the process alive', async () => {
      const timers = (): number =>
        process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const before = timers();
      const db = bench.open({ idleTimeout: 60_000, minIdle: 1, leakDetectionThreshold: 60_000 });
      await db.query('DO 0');
      // While the first is being made, a second one may have been asked for.
      await until('all is quiet', () => {
        const { idle, total, connecting } = db.stats();
        return idle > 0 && idle === total && connecting === 0;
      });
      // unref'd timers are not counted among the active ones; a stranger's may come and go.
      await until('none is left', () => timers() <= before);
    });

    it('trap 10: what is pending on a destroyed connection settles at once', async () => {
      const db = bench.open();
      const connection = await db.getConnection();
      const pending = [
        failure(connection.query('DO SLEEP(25)')),
        failure(connection.query('DO 0')),
      ];
      const begun = performance.now();
      connection.destroy();
      await Promise.all(pending);
      expect(performance.now() - begun).toBeLessThan(10_000);
    });

    it('trap 11: end() is bounded behind a hung query, and a second call is the first', async () => {
      const db = bench.open();
      const connection = await db.getConnection();
      const hung = failure(connection.query('DO SLEEP(25)'));
      const begun = performance.now();
      await Promise.all([db.end({ deadline: 50 }), db.end()]);
      expect(performance.now() - begun).toBeLessThan(8000);
      expect((await hung).name).toBe('PoolClosedError');
      await connection.release();
    });

    it('trap 16: whatever the pool refuses, it refuses with a typed error', async () => {
      const options = { connectionLimit: 1, queueLimit: 1, acquireTimeout: 400 };
      const db = await bench.connected(options);
      const held = await db.getConnection();
      const queued = failure(db.getConnection());
      expect(await failure(db.getConnection())).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
      expect(await queued).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
      await held.release();
      await db.end();
      expect(await failure(db.query('DO 0'))).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    });

    it('trap 20: an idle connection that is killed ends no process, and no call throws synchronously', async () => {
      const db = bench.open({ connectionLimit: 1 });
      await bench.sql(`KILL CONNECTION ${await session(db)}`);
      await until('it is noticed', () => db.stats().total === 0);
      for (const call of [
        () => db.query(undefined as never),
        () => db.execute('SELECT ?', 'bare' as never),
        () => db.atomic(undefined as never),
      ]) {
        let promise: Promise<unknown> | undefined;
        expect(() => (promise = call())).not.toThrow();
        await failure(promise!);
      }
    });
  });
});
