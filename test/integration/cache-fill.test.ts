import { setTimeout as delay } from 'node:timers/promises';
import { Cache, FactoryTimeoutError, connectionScope } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { deferred } from '../support/deferred';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

const never = (): unknown => {
  throw new Error('this factory is not to run');
};

onEachServer((bench) => {
  const caches = new CacheBench(bench);

  /** A factory that is under way, in a cache of its own. */
  async function making(key: string, options: Parameters<Cache['getOrSet']>[2] = {}) {
    const cache = caches.other();
    // What is measured is not how long it takes to connect.
    await cache.get('');
    // Where the time is up before the factory has begun, there has to be more of it.
    for (let { hardTimeout = 0 } = options; ; hardTimeout *= 4) {
      const [begun, made] = [deferred<true>(), deferred<unknown>()];
      const factory = () => {
        begun.resolve(true);
        return made.promise;
      };
      const got = cache.getOrSet(key, factory, { ...options, hardTimeout });
      const late = got.catch((error: unknown) => {
        if (!(error instanceof FactoryTimeoutError)) throw error;
      });
      const isBegun = await Promise.race([begun.promise, late]);
      if (isBegun === true) return { cache, got, made };
    }
  }

  it('of many callers and processes one makes the value, and the others wait for it', async () => {
    const all = Array.from({ length: 4 }, () => caches.other());
    let runs = 0;
    const factory = async () => {
      await delay(60);
      return { run: ++runs };
    };
    const values = await Promise.all(
      all.flatMap((cache) => Array.from({ length: 20 }, () => cache.getOrSet('k', factory))),
    );
    expect(values).toEqual(new Array(80).fill({ run: 1 }));
    expect(new Set(values).size).toBe(80);
    expect(await all[0]!.getOrSet('k', never)).toEqual({ run: 1 });
  });

  it('a value comes back from the factory’s own call as from all later ones; undefined is not kept', async () => {
    const cache = caches.other();
    const date = new Date(0);
    expect(await cache.getOrSet('date', () => ({ date }))).toEqual({ date: date.toJSON() });
    expect(await cache.getOrSet('date', never)).toEqual({ date: date.toJSON() });
    expect(await cache.getOrSet<unknown>('none', async () => undefined)).toBeUndefined();
    expect(await cache.getOrSet('none', () => 1)).toBe(1);
    expect(await cache.getOrSet('null', () => null)).toBeNull();
    expect(await cache.getOrSet('null', never)).toBeNull();
  });

  it('a factory that fails fails its callers, and the next one may try at once', async () => {
    const [one, two] = [caches.other(), caches.other()];
    const error = new Error('no such user');
    const failing = () => Promise.reject(error);
    expect(await failure(one.getOrSet('k', failing))).toBe(error);
    expect(await two.getOrSet('k', () => 2)).toBe(2);
    expect(one.stats()).toMatchObject({ failures: 1, fills: 0, errors: 0 });
  });

  it.each([
    ['delete()', (cache: Cache) => cache.delete('k')],
    ['invalidateTag()', (cache: Cache) => cache.invalidateTag('tag')],
    ['clear()', (cache: Cache) => cache.clear()],
  ])('a value that %s has overtaken is given, and not stored', async (_, overtake) => {
    const { got, made, cache } = await making('k', { tags: ['tag'] });
    const other = caches.other();
    await overtake(other);
    made.resolve('old');
    expect(await got).toBe('old');
    expect(await other.get('k')).toBeUndefined();
    expect(await cache.getOrSet('k', () => 'new', { tags: ['tag'] })).toBe('new');
    expect(await other.get('k')).toBe('new');
  });

  it('a value that set() has overtaken is given, and the one that was set stays', async () => {
    const { got, made, cache } = await making('k');
    await caches.other().set('k', 'set');
    made.resolve('made');
    expect(await got).toBe('made');
    expect(await cache.get('k')).toBe('set');
    expect(cache.stats().refused).toBe(1);
  });

  it('whoever asks after a deletion in the same process is not given what was begun before it', async () => {
    const { cache, got, made } = await making('k');
    await cache.delete('k');
    expect(await cache.getOrSet('k', () => 'new')).toBe('new');
    made.resolve('old');
    expect(await got).toBe('old');
    expect(await cache.get('k')).toBe('new');
  });

  it('within grace a stale value is served while one makes the new one', async () => {
    const cache = caches.other({ ttl: 1000, grace: 60_000 });
    await cache.set('k', 'stale');
    await caches.pass(2000);
    expect(await cache.get('k')).toBeUndefined();
    const { got, made } = await making('k');
    expect(await cache.getOrSet('k', never)).toBe('stale');
    made.resolve('new');
    expect(await got).toBe('new');
    expect(await cache.getOrSet('k', never)).toBe('new');
    expect(cache.stats()).toMatchObject({ stale: 1 });
    // Beyond it nothing of it is served.
    await cache.set('k', 'stale');
    await caches.pass(61_001);
    expect(await cache.getOrSet('k', () => 'new')).toBe('new');
  });

  it('within grace a stale value is served where the factory fails, or takes longer than `timeout`', async () => {
    const cache = caches.other({ ttl: 1000, grace: 60_000, timeout: 30 });
    await cache.set('k', 'stale');
    await caches.pass(2000);
    expect(await cache.getOrSet('k', () => Promise.reject(new Error('away')))).toBe('stale');
    const made = deferred<string>();
    let isBegun = false;
    const factory = () => {
      isBegun = true;
      return made.promise;
    };
    await until('it takes longer', async () => {
      expect(await cache.getOrSet('k', factory)).toBe('stale');
      return isBegun;
    });
    made.resolve('new');
    await until('it is stored', async () => (await cache.get('k')) === 'new');
  });

  it('`hardTimeout` ends the call of who makes it and of who waits; the value is stored all the same', async () => {
    const { got, made, cache } = await making('k', { hardTimeout: 400 });
    const waited = caches.other().getOrSet('k', never, { hardTimeout: 40 });
    expect(await failure(waited)).toBeInstanceOf(FactoryTimeoutError);
    expect(await failure(got)).toBeInstanceOf(FactoryTimeoutError);
    made.resolve('late');
    await until('it is stored', async () => (await cache.get('k')) === 'late');
  });

  it('a fill lease lasts while the factory runs, however much longer than itself', async () => {
    const end = async () => {
      const table = `${bench.schema}.boomerang_cache`;
      const [row] = await bench.sql(`SELECT CAST(fill_until AS CHAR) AS end FROM ${table}`);
      return row!['end'];
    };
    const { got, made } = await making('k', { fillLease: 3000 });
    const other = caches.other().getOrSet('k', never);
    // Renewed, and renewed again.
    for (let renewals = 0; renewals < 2; renewals++) {
      const before = await end();
      await until('it is renewed', async () => (await end()) !== before);
    }
    made.resolve('made');
    expect(await Promise.all([got, other])).toEqual(['made', 'made']);
  });

  it('of a process that is gone another takes over when the lease has run out', async () => {
    const { got, made, cache } = await making('k', { fillLease: 300, hardTimeout: 250 });
    // Past its time limit it does not renew any more: as of one that was killed.
    await failure(got);
    expect(await caches.other().getOrSet('k', () => 'taken over')).toBe('taken over');
    made.resolve('late');
    await until('the late one is refused', () => cache.stats().refused === 1);
    expect(await cache.get('k')).toBe('taken over');
  });

  it('earlyRefresh makes a new value before the old one has ended, and serves the old one meanwhile', async () => {
    const cache = caches.other({ ttl: 60_000 });
    await cache.getOrSet('k', async () => {
      await delay(20);
      return 'old';
    });
    await caches.pass(30_000);
    let runs = 0;
    const factory = () => `new ${++runs}`;
    expect(await cache.getOrSet('k', factory, { earlyRefresh: 1e9 })).toBe('old');
    await until('it is refreshed', async () => (await cache.get('k')) === 'new 1');
    expect(await cache.getOrSet('k', never, { earlyRefresh: 1e-9 })).toBe('new 1');
  });

  it('whoever waits for another holds no connection, and the factory has what it needs', async () => {
    const db = bench.open({ connectionLimit: 2 });
    const cache = caches.keep(new Cache(db));
    const factory = async () => {
      await delay(30);
      return (await db.queryValue<number>('SELECT 7')) as number;
    };
    const callers = Array.from({ length: 10 }, () =>
      connectionScope(async () => {
        await db.query('SELECT 1');
        return cache.getOrSet('k', factory);
      }),
    );
    expect(await Promise.all(callers)).toEqual(new Array(10).fill(7));
  });
});
