import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { KeyValueStore } from '../../src/index';
import { onEachServer } from '../support/servers';
import { StoreBench } from '../support/store-bench';
import { wrongClock } from '../support/wrong-clock';

const WORKER = join(__dirname, '..', 'fixtures', 'store-worker.ts');
/** 02:30 in Berlin, for the first of two times in that night. */
const IN_DST_HOUR = Date.UTC(2026, 9, 25, 0, 30) / 1000;
const HOUR = 3_600_000;

onEachServer((bench) => {
  const stores = new StoreBench(bench);
  let names = 0;

  /** Stores over sessions whose server clock stands still at so many seconds since 1970. */
  const at = (namespace: string, seconds: number, timeZone = '+00:00'): KeyValueStore => {
    const initSql = [`SET time_zone = '${timeZone}'`, `SET timestamp = ${seconds.toFixed(6)}`];
    const db = bench.open({ initSql, connectionLimit: 2 });
    return new KeyValueStore(db, { namespace, sweepInterval: 0 });
  };

  it('at the very microsecond of its end a key is neither visible nor unsweepable', async () => {
    await stores.clear();
    const namespace = `t${names++}`;
    const begun = at(namespace, IN_DST_HOUR);
    await begun.set('key', 'value', { ttl: 1500.001 });
    await begun.sadd('set', 'member');
    await begun.expire('set', 1500.001);
    const before = at(namespace, IN_DST_HOUR + 1.5);
    expect([await before.get('key'), await before.exists('key', 'set')]).toEqual(['value', 2]);
    expect([await before.ttl('key'), await before.sweep()]).toEqual([1, 0]);
    const end = at(namespace, IN_DST_HOUR + 1.500001);
    expect([await end.get('key'), await end.exists('key', 'set')]).toStrictEqual([undefined, 0]);
    expect([await end.ttl('key'), await end.smembers('set')]).toEqual([-2, []]);
    expect([await end.expire('key', 1000), await end.persist('set')]).toEqual([false, false]);
    expect(await end.sweep()).toBe(3);
    expect(Object.values(await stores.rows())).toEqual([0, 0, 0, 0, 0]);
  });

  it('an hour that comes twice, and other time zones, change nothing', async () => {
    const namespace = `t${names++}`;
    const summer = at(namespace, IN_DST_HOUR, '+02:00');
    await summer.set('key', 'value', { ttl: 1.5 * HOUR });
    await summer.tokenBucket('bucket', { capacity: 2, refillPerSecond: 1 / 3600, cost: 2 });
    // An hour later the clock on the wall shows the same.
    const winter = at(namespace, IN_DST_HOUR + 3600, '+01:00');
    expect(await winter.ttl('key')).toBe(0.5 * HOUR);
    const bucket = { capacity: 2, refillPerSecond: 1 / 3600 };
    expect(await winter.tokenBucket('bucket', bucket)).toEqual({
      allowed: true,
      remaining: 0,
      retryAfter: 0,
    });
    expect(await winter.tokenBucket('bucket', bucket)).toEqual({
      allowed: false,
      remaining: 0,
      retryAfter: HOUR,
    });
    const elsewhere = at(namespace, IN_DST_HOUR + 5399, '-11:00');
    expect(await elsewhere.ttl('key')).toBe(1000);
    expect(await at(namespace, IN_DST_HOUR + 5400, '+13:00').get('key')).toBeUndefined();
  });

  it('a key that expired is absent for every command that would keep something of it', async () => {
    const namespace = `t${names++}`;
    const begun = at(namespace, IN_DST_HOUR);
    const keys = ['counter', 'field', 'nx', 'swap', 'float', 'set', 'sorted', 'hash'];
    await begun.mset(keys.slice(0, 5).map((key) => [key, '5'] as const));
    await begun.sadd('set', 'old');
    await begun.zadd('sorted', 5, 'old');
    await begun.hset('hash', 'old', 5);
    for (const key of keys) await begun.expire(key, 1000);
    const later = at(namespace, IN_DST_HOUR + 2);
    expect(await later.incrBy('counter')).toBe(1n);
    expect(await later.hincrBy('field', 'count', 2)).toBe(2n);
    expect(await later.setNx('nx', 'new')).toBe(true);
    expect(await later.getSet('swap', 'new')).toBeUndefined();
    expect(await later.incrByFloat('float', 0.5)).toBe(0.5);
    expect(await later.sadd('set', 'new')).toBe(1);
    expect(await later.zincrBy('sorted', 1, 'old')).toBe(1);
    expect(await later.hset('hash', 'new', 1)).toBe(1);
    expect(await later.smembers('set')).toEqual(['new']);
    expect(await later.zrange('sorted', 0, -1)).toEqual(['old']);
    expect([...(await later.hgetAll('hash')).keys()]).toEqual(['new']);
    for (const key of keys) expect(await later.ttl(key)).toBe(-1);
  });

  it('a client whose clock and time zone are wrong sets the same time to live', async () => {
    const store = stores.open({ namespace: 'clock' });
    const clock = await wrongClock();
    const { host, port, user, password } = bench.server;
    for (const [hours, zone] of [
      [-9, 'America/New_York'],
      [11, 'Asia/Shanghai'],
    ] as const) {
      const { env, options } = clock.setBy(hours);
      const child = spawn(process.execPath, [...options, '--import', 'tsx', WORKER], {
        env: {
          ...process.env,
          ...env,
          TZ: zone,
          DATABASE_ADDRESS: `mysql://${user}:${password}@${host}:${port}/${bench.schema}`,
        },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      const begun = performance.now();
      const exited = once(child, 'exit');
      const [told] = (await once(child, 'message')) as [{ hour: number; ttl: number }];
      const ttl = await store.ttl('key');
      const passed = performance.now() - begun;
      expect(Math.round((told.hour - Date.now()) / HOUR)).toBe(hours);
      expect(told.ttl).toBeLessThanOrEqual(HOUR);
      expect(ttl).toBeLessThanOrEqual(told.ttl);
      expect(ttl).toBeGreaterThan(HOUR - passed - 1);
      expect(await exited).toEqual([0, null]);
    }
  }, 120_000);
});
