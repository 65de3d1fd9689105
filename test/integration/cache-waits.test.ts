import { Cache, FactoryTimeoutError, connectionScope } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { deferred } from '../support/deferred';
import { elapsed, running } from '../support/running';
import { onEachServer } from '../support/servers';
import { failure, longEnough, until } from '../support/until';

onEachServer((bench) => {
  const caches = new CacheBench(bench);

  const writing = (): Promise<number> => running(bench, 'gone_at) VALUES');

  it('a set that waits for a transaction’s lock does not hold up those of other keys', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const cache = caches.keep(new Cache(db));
    let waits: Promise<void> | undefined;
    await db.atomic(async () => {
      await cache.delete('locked');
      waits = db.withoutScope(() => cache.set('locked', 1));
      await until('it waits', async () => (await writing()) > 0);
      // Until a server gives up waiting 50 s go by.
      await db.withoutScope(() => cache.set('other', 2));
      expect(await db.withoutScope(() => cache.get('other'))).toBe(2);
      // The answer comes a little before the statement is gone from the list.
      await until('only it waits', async () => (await writing()) === 1);
    });
    await waits;
    expect(await cache.getMany(['locked', 'other'])).toEqual([1, 2]);
  });

  it('when the server gives up waiting for a lock, the sets that went along with that one are stored', async () => {
    const db = bench.open({ connectionLimit: 4, initSql: 'SET innodb_lock_wait_timeout = 1' });
    const cache = caches.keep(new Cache(db));
    await db.atomic(async () => {
      await cache.delete('locked');
      const [locked, ...others] = await db.withoutScope(() =>
        Promise.allSettled(['locked', 'a', 'b'].map((key) => cache.set(key, key))),
      );
      expect(locked).toMatchObject({ status: 'rejected', reason: { errno: 1205 } });
      expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    });
    expect(await cache.getMany(['locked', 'a', 'b'])).toStrictEqual([undefined, 'a', 'b']);
  }, 60_000);

  it('`hardTimeout` bounds the wait for a connection too, and what comes too late is given back', async () => {
    const db = bench.open({ connectionLimit: 1, acquireTimeout: 10_000 });
    const cache = caches.keep(new Cache(db));
    const held = await db.getConnection();
    const within = await elapsed(async () => {
      const got = cache.getOrSet('k', () => 'made', { hardTimeout: 60 });
      expect(await failure(got)).toBeInstanceOf(FactoryTimeoutError);
    });
    expect(within).toBeLessThan(8000);
    await held.release();
    expect(await cache.getOrSet('k', () => 'made')).toBe('made');
  });

  it('a right to make the value that is had past `hardTimeout` is given back at once', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const cache = caches.keep(new Cache(db));
    const other = caches.other();
    // What is measured is not how long it takes to connect.
    await other.get('');
    await db.atomic(async () => {
      await cache.delete('k');
      const got = other.getOrSet('k', () => 'never', { hardTimeout: 100, fillLease: 60_000 });
      expect(await failure(got)).toBeInstanceOf(FactoryTimeoutError);
    });
    await until('it had it', async () => (await caches.rows('filler IS NOT NULL')) === 0);
    expect(await cache.getOrSet('k', () => 'made')).toBe('made');
  });

  it('a factory that hangs while stale values are served keeps others from making one no longer than `hardTimeout`', async () => {
    const options = { ttl: 1000, grace: 60_000 };
    const cache = caches.other({ ...options, timeout: 20, hardTimeout: 200, fillLease: 100 });
    await cache.set('k', 'stale');
    await caches.pass(2000);
    const hangs = deferred<string>();
    let isBegun = false;
    await until('it hangs', async () => {
      const got = cache.getOrSet('k', () => {
        isBegun = true;
        return hangs.promise;
      });
      expect(await got).toBe('stale');
      return isBegun;
    });
    const other = caches.other(options);
    await until('another makes it', async () => (await other.getOrSet('k', () => 'new')) === 'new');
    hangs.resolve('late');
    await until('what hung is refused', () => cache.stats().refused === 1);
    expect(await other.get('k')).toBe('new');
  });

  it('a stale value is served by its time also where the right to make another is held up', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const options = { ttl: 1000, grace: 60_000 };
    const cache = caches.keep(new Cache(db, options));
    const other = caches.other({ ...options, timeout: 30 });
    await other.set('k', 'stale');
    await caches.pass(2000);
    await db.atomic(async () => {
      await cache.delete('k');
      // What the transaction has not committed is not seen, and the row is locked.
      expect(await other.getOrSet('k', () => 'never')).toBe('stale');
      expect(await other.getOrSet('k', () => 'never', { timeout: 0, hardTimeout: 2000 })).toBe(
        'stale',
      );
    });
    await until('nobody has it', async () => (await caches.rows('filler IS NOT NULL')) === 0);
    expect(await other.getOrSet('k', () => 'new')).toBe('new');
  });

  it('without `timeout` a stale value is served when `hardTimeout` has passed', async () => {
    const cache = caches.other({ ttl: 1000, grace: 60_000 });
    await cache.set('k', 'stale');
    await caches.pass(2000);
    const hangs = deferred<string>();
    let isBegun = false;
    const factory = () => {
      isBegun = true;
      return hangs.promise;
    };
    await longEnough(async (hardTimeout) => {
      const got: unknown = await cache.getOrSet('k', factory, { hardTimeout }).catch(() => {});
      return isBegun && got === 'stale';
    });
    hangs.resolve('new');
    await until('it is stored', async () => (await cache.get('k')) === 'new');
  });

  it('the limit of one caller’s scope does not end the call that others have joined', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const cache = caches.keep(new Cache(db));
    const other = caches.other();
    await other.get('');
    let joined: Promise<string> | undefined;
    await db.atomic(async () => {
      await cache.delete('k');
      // The right to make it is waited for, as long as the transaction is open.
      const limited = connectionScope(() => other.getOrSet('k', () => 'made'), { timeout: 150 });
      joined = other.getOrSet('k', () => 'another');
      expect(await failure(limited)).toMatchObject({ name: 'StatementTimeoutError' });
    });
    expect(await joined).toBe('made');
  });

  it('`statementTimeout` bounds the statements on tags as well', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const cache = caches.keep(new Cache(db));
    const bounded = caches.keep(new Cache(db, { statementTimeout: 100 }));
    await cache.invalidateTag('t');
    await db.atomic(async () => {
      await cache.invalidateTag('t');
      const error = await failure(db.withoutScope(() => bounded.invalidateTag('t')));
      expect(error).toMatchObject({ name: 'StatementTimeoutError' });
    });
  });
});
