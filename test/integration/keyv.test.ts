import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import { createCache } from 'cache-manager';
import Keyv from 'keyv';
import { KeyvBoomerang, type KeyvBoomerangOptions } from '../../src/adapters/keyv';
import type { RetryingPooledDatabase } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { onEachServer } from '../support/servers';
import { failure } from '../support/until';

/** What Keyv's suite takes for vitest; Jest would take a test's parameter for its `done`. */
const likeVitest = {
  it: (name: string, run: (context: { expect: typeof expect }) => unknown) =>
    it(name, async () => {
      await run({ expect });
    }),
  beforeEach,
  afterEach,
};

onEachServer((bench) => {
  const caches = new CacheBench(bench);
  let db: RetryingPooledDatabase;
  const stores: KeyvBoomerang[] = [];

  beforeEach(() => {
    db = bench.open();
  });
  afterEach(async () => {
    for (const one of stores.splice(0)) await one.disconnect();
  });

  function store(options: KeyvBoomerangOptions = {}): KeyvBoomerang {
    const made = new KeyvBoomerang(db, options);
    stores.push(made);
    return made;
  }
  const keyv = (options: object = {}): Keyv =>
    new Keyv({ store: store(), throwOnErrors: true, ...options });

  describe('Keyv’s own suite', () => {
    keyvTestSuite(likeVitest as never, Keyv, store as never);
    keyvIteratorTests(likeVitest as never, Keyv, store as never);
  });

  describe('where @keyv/mysql fails', () => {
    it('keys that differ in case, accents or spaces at the end are different', async () => {
      const one = keyv();
      const keys = ['foo', 'FOO', 'foo ', 'ko', 'kó'];
      for (const key of keys) await one.set(key, `of ${key}`);
      expect(await one.get(keys)).toEqual(keys.map((key) => `of ${key}`));
      for (const key of keys) expect(await one.get(key)).toBe(`of ${key}`);
    });

    it('clearing the namespace a_b leaves aXb, and a% leaves all', async () => {
      const names = ['a_b', 'aXb', 'a%', 'a'];
      const [one, other, percent, a] = names.map((namespace) => keyv({ namespace }));
      await one!.set('k', 1);
      await other!.set('k', 2);
      await percent!.clear();
      await a!.clear();
      expect([await one!.get('k'), await other!.get('k')]).toEqual([1, 2]);
      const found = [];
      for await (const entry of one!.iterator!(undefined)) found.push(entry);
      expect(found).toEqual([['k', 1]]);
      // Keyv itself passes over other keys; the store does not give them.
      const keys = [];
      for await (const [key] of store().iterator('a_b')) keys.push(key);
      expect(keys).toEqual(['a_b:k']);
      await one!.clear();
      expect([await one!.get('k'), await other!.get('k')]).toStrictEqual([undefined, 2]);
    });

    it('values of 64 KB and more and keys of 300 characters are stored', async () => {
      const one = keyv();
      const value = 'é'.repeat(200_000);
      const key = 'ключ'.repeat(75);
      await one.set(key, value);
      expect(await one.get(key)).toBe(value);
      expect(await one.get(key.slice(0, 255))).toBeUndefined();
    });

    it('rows whose time is over are removed though nobody reads them', async () => {
      const one = store({ sweepEvery: 0 });
      await new Keyv({ store: one }).set('k', 1, 1000);
      await caches.pass(60_000);
      expect(await one.cache.sweep()).toBe(1);
      expect(await caches.rows()).toBe(0);
    });

    it('disconnect() of one instance leaves the others and the database at work', async () => {
      const [one, other] = [keyv(), keyv()];
      await one.set('k', 1);
      await one.disconnect();
      expect(await other.get('k')).toBe(1);
      await other.set('k', 2);
      expect((await db.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    });
  });

  it('takes part in a transaction', async () => {
    const one = keyv();
    await one.set('k', 'before');
    await failure(
      db.atomic(async () => {
        await one.set('k', 'within');
        throw new Error('rolled back');
      }),
    );
    expect(await one.get('k')).toBe('before');
  });

  it('setMany, hasMany and deleteMany do what their names say', async () => {
    const one = keyv();
    await one.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2, ttl: 60_000 },
    ]);
    expect(await one.hasMany(['a', 'x', 'b'])).toEqual([true, false, true]);
    expect(await one.deleteMany(['a', 'b'])).toBe(true);
    expect(await one.get(['a', 'b'])).toStrictEqual([undefined, undefined]);
  });

  it('an error is thrown and emitted, never a miss to whoever asks for errors', async () => {
    const broken = new KeyvBoomerang(db, { prefix: 'nowhere_' });
    stores.push(broken);
    const one = new Keyv({ store: broken, throwOnErrors: true });
    const told: unknown[] = [];
    one.on('error', (error) => told.push(error));
    const error = await failure(one.get('k'));
    expect(error).toMatchObject({ code: 'ERR_SCHEMA' });
    expect(told).toContain(error);
  });

  it('cache-manager works over it: set, get, mset, mget, wrap, ttl, del, clear', async () => {
    const manager = createCache({ stores: [keyv()] });
    expect(await manager.wrap('w', async () => 'made', 60_000)).toBe('made');
    expect(await manager.wrap('w', async () => 'again', 60_000)).toBe('made');
    await manager.mset([
      { key: 'a', value: { n: 1 } },
      { key: 'b', value: [2], ttl: 60_000 },
    ]);
    expect(await manager.mget(['a', 'b', 'c'])).toStrictEqual([{ n: 1 }, [2], undefined]);
    await manager.set('short', 1, 1000);
    await caches.pass(5000);
    expect(await manager.get('short')).toBeUndefined();
    await manager.del('a');
    expect(await manager.get('a')).toBeUndefined();
    await manager.clear();
    expect(await manager.mget(['b', 'w'])).toStrictEqual([undefined, undefined]);
  });
});
