import {
  DistributedLocks,
  LockAcquireTimeoutError,
  LockLostError,
  SchemaError,
  connectionScope,
  install,
  installSql,
  type DistributedLocksOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { LockBench } from '../support/lock-bench';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  const lockBench = new LockBench(bench);
  const others = (options?: DistributedLocksOptions): DistributedLocks => lockBench.others(options);
  let db: RetryingPooledDatabase;
  let locks: DistributedLocks;

  beforeEach(() => {
    db = bench.open();
    locks = lockBench.keep(new DistributedLocks(db, { pollInterval: 20 }));
  });

  it('install() may be run by twenty at once, and again; installSql() does the same by hand', async () => {
    const prefix = 'twenty_';
    await Promise.all(Array.from({ length: 20 }, () => install(bench.open(), { prefix })));
    await install(db, { prefix });
    for (const statement of installSql({ prefix: 'hand_' })) await db.query(statement);
    for (const name of ['twenty_', 'hand_']) {
      const made = others({ prefix: name });
      await (await made.acquire('a')).release();
    }
  }, 120_000);

  it('a missing table is a SchemaError that names install, or is made where autoInstall says so', async () => {
    const error = await failure(others({ prefix: 'nowhere_' }).acquire('a'));
    expect(error).toBeInstanceOf(SchemaError);
    expect(error.message).toMatch(/install/);
    const lease = await others({ prefix: 'auto_', autoInstall: true }).acquire('a');
    await lease.release();
  });

  it('one holder at a time; the token grows with every acquisition', async () => {
    const other = others();
    let last = 0n;
    for (const from of [locks, other, locks]) {
      const lease = await from.acquire('a');
      expect(lease.token).toBeGreaterThan(last);
      last = lease.token;
      expect(await other.tryAcquire('a')).toBeNull();
      expect(await locks.tryAcquire('a')).toBeNull();
      expect(await other.isLocked('a')).toBe(true);
      await lease.release();
      expect(await other.isLocked('a')).toBe(false);
    }
  });

  it('holds no connection, neither while held nor while waited for', async () => {
    const small = bench.open({ connectionLimit: 1 });
    const made = new DistributedLocks(small, { pollInterval: 20 });
    lockBench.keep(made);
    await connectionScope(async () => {
      await small.query('DO 0');
      const lease = await made.acquire('a');
      const waiting = made.acquire('a');
      await until('it waits', () => made.stats().waiting > 0);
      await until('none is held', () => small.stats().active === 0);
      await lease.release();
      await (await waiting).release();
    });
  });

  it('a lock that is not to be had in time: LockAcquireTimeoutError, without the name', async () => {
    const lease = await others().acquire('secret');
    const begun = performance.now();
    const error = await failure(locks.acquire('secret', { wait: 100 }));
    expect(error).toBeInstanceOf(LockAcquireTimeoutError);
    expect(error.message).not.toContain('secret');
    // Not until its holder is done.
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(await failure(locks.acquire('secret', { wait: 0 }))).toBeInstanceOf(
      LockAcquireTimeoutError,
    );
    expect(locks.stats()).toEqual({ held: 0, waiting: 0, names: 0 });
    await lease.release();
  });

  it('a signal ends the waiting with its reason', async () => {
    const lease = await others().acquire('a');
    const aborter = new AbortController();
    const first = failure(locks.acquire('a', { signal: aborter.signal }));
    const second = failure(locks.acquire('a', { signal: aborter.signal }));
    await until('both wait', () => locks.stats().waiting === 2);
    aborter.abort(new Error('mine'));
    expect([await first, await second]).toMatchObject([{ message: 'mine' }, { message: 'mine' }]);
    expect(locks.stats()).toMatchObject({ waiting: 0, names: 0 });
    await lease.release();
  });

  it('first come, first served in a process', async () => {
    const lease = await locks.acquire('a');
    const order: number[] = [];
    const all = Array.from({ length: 8 }, async (_, at) => {
      const mine = await locks.acquire('a');
      order.push(at);
      await mine.release();
    });
    await lease.release();
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('is handed over within a process, but not for ever: other processes get their chance', async () => {
    let on = true;
    let rounds = 0;
    const loop = async (): Promise<void> => {
      while (on) {
        await locks.using('a', {}, async () => {
          rounds++;
        });
      }
    };
    const loops = Array.from({ length: 4 }, loop);
    await until('it goes round', () => rounds > 20);
    const theirs = await others().acquire('a', { wait: 25_000 });
    on = false;
    await theirs.release();
    await Promise.all(loops);
    expect(locks.stats()).toEqual({ held: 0, waiting: 0, names: 0 });
    expect(await locks.isLocked('a')).toBe(false);
  });

  it('a heir who has given up leaves the lock free', async () => {
    const lease = await locks.acquire('a');
    const aborter = new AbortController();
    const heir = failure(locks.acquire('a', { signal: aborter.signal }));
    await until('it waits', () => locks.stats().waiting === 1);
    const releasing = lease.release();
    aborter.abort(new Error('mine'));
    expect(await heir).toMatchObject({ message: 'mine' });
    await releasing;
    await until('it is free', async () => !(await locks.isLocked('a')));
  });

  it('a lock of a holder who is gone is had after its ttl, also by one who has waited for long', async () => {
    // Taken by nobody who renews.
    const name = Buffer.from('a');
    const begun = performance.now();
    await bench.sql(
      `INSERT INTO ${bench.schema}.boomerang_locks VALUES (?, ?, 5, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL 400000 MICROSECOND, NULL)`,
      [name, Buffer.alloc(16)],
    );
    const lease = await locks.acquire('a', { wait: 25_000 });
    expect(lease.token).toBe(6n);
    expect(performance.now() - begun).toBeGreaterThan(395);
    expect(performance.now() - begun).toBeLessThan(15_000);
    await lease.release();
  });

  it('is renewed for as long as it is held', async () => {
    const lease = await locks.acquire('a', { ttl: 4000 });
    const other = others();
    const end = performance.now() + 6000;
    while (performance.now() < end) expect(await other.tryAcquire('a')).toBeNull();
    expect(lease.expiresIn).toBeGreaterThan(0);
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
  });

  it('all leases of a process are renewed by one statement', async () => {
    const made = await Promise.all(
      Array.from({ length: 50 }, (_, at) => locks.acquire(`n${at}`, { ttl: 9000 })),
    );
    await until('the acquisitions are through', () => db.stats().active === 0);
    const { acquired } = db.stats();
    const ends = made.map(({ deadline }) => deadline);
    await until('all are renewed', () => made.every(({ deadline }, at) => deadline > ends[at]!));
    expect(db.stats().acquired - acquired).toBeLessThan(20);
    for (const lease of made) expect(lease.look()).toBe(true);
  });

  it('a lock that is taken away: the holder learns of it, its release frees nobody else’s', async () => {
    const lease = await locks.acquire('a', { ttl: 5000 });
    const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
    const other = others();
    expect(await other.forceRelease('a')).toBe(true);
    const theirs = await other.acquire('a');
    await lost;
    expect(lease.signal.reason).toBeInstanceOf(LockLostError);
    expect(await failure(lease.extend())).toBeInstanceOf(LockLostError);
    await lease.release();
    expect(await other.isLocked('a')).toBe(true);
    await theirs.release();
    expect(await other.forceRelease('a')).toBe(false);
  });

  it('on a dead network the signal fires before the server lets anybody else in', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const cut = bench.open({ host, port });
    const mine = new DistributedLocks(cut);
    const lease = await mine.acquire('a', { ttl: 3000 });
    const fired = new Promise<number>((resolve) => {
      lease.signal.addEventListener('abort', () => resolve(performance.now()));
    });
    proxy.blackHole();
    const theirs = await others().acquire('a', { wait: 25_000 });
    const got = performance.now();
    expect(await fired).toBeLessThan(got);
    expect(lease.expiresIn).toBe(0);
    await theirs.release();
    await cut.end({ deadline: 0 });
    await proxy.close();
  });

  it('a lost reply does not report "not acquired" while holding', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const cut = bench.open({ host, port });
    const mine = new DistributedLocks(cut);
    await cut.query('DO 0');
    await (await mine.acquire('warm')).release();
    const trap = proxy.swallow('execute', 'reset');
    const lease = await mine.tryAcquire('a');
    await trap.sprung;
    expect(lease).not.toBeNull();
    expect(await others().tryAcquire('a')).toBeNull();
    await lease?.release();
    await cut.end({ deadline: 0 });
    await proxy.close();
  });

  it('using() gives the lock back after a result and after a throw', async () => {
    expect(await locks.using('a', {}, async (lease) => Number(lease.expiresIn > 0))).toBe(1);
    const mine = new Error('mine');
    const throwing = locks.using('a', {}, () => {
      throw mine;
    });
    expect(await failure(throwing)).toBe(mine);
    expect(await locks.isLocked('a')).toBe(false);
  });
});
