import { Cache, KeyValueStore, install, type RetryingPooledDatabase } from '../../src/index';
import { elapsed } from '../support/running';
import { onEachServer } from '../support/servers';

/** In ms: who waits for a row that the test has locked, waits for so long. */
const LOCK_WAIT = 40_000;

jest.setTimeout(120_000);

/*
 * A planner may walk through a table that is small from end to end, whatever index it is given, and
 * then waits for each row in it that somebody has locked.
 */
onEachServer((bench) => {
  let db: RetryingPooledDatabase;

  beforeEach(async () => {
    db = bench.open({ initSql: `SET innodb_lock_wait_timeout = ${LOCK_WAIT / 1000}` });
    await install(db);
  });

  /** In a transaction of its own, while `locking` has what it has locked. */
  async function beside(
    locking: () => Promise<unknown>,
    work: () => Promise<unknown>,
  ): Promise<number> {
    let took = Infinity;
    await db.atomic(async () => {
      await locking();
      await db.withoutScope(async () => {
        took = await elapsed(work);
      });
    });
    return took;
  }

  it('keys of a store are deleted and swept beside one that a transaction has written', async () => {
    const store = new KeyValueStore(db, { sweepInterval: 0 });
    for (const count of [2, 3, 5]) {
      const names = Array.from({ length: count }, (_, at) => `k${at}`);
      const [held = '', ...others] = names;
      await store.mset(names.map((name) => [name, 1]));
      expect(
        await beside(
          () => store.set(held, 2),
          () => store.delete(...others),
        ),
      ).toBeLessThan(LOCK_WAIT / 2);
      await store.mset(others.map((name) => [name, 1]));
      await Promise.all(others.map((name) => store.expire(name, 0)));
      expect(
        await beside(
          () => store.set(held, 3),
          () => store.sweep(),
        ),
      ).toBeLessThan(LOCK_WAIT / 2);
      expect(await store.get(held)).toBe(3);
      await store.delete(held);
    }
    await store.close();
  });

  it('members are removed beside one that a transaction has added to another key', async () => {
    const store = new KeyValueStore(db, { sweepInterval: 0 });
    await store.sadd('set', 'a', 'b', 'c');
    await store.sadd('other', 'x', 'y');
    const took = await beside(
      () => store.sadd('other', 'z'),
      async () => {
        await store.srem('set', 'a', 'b');
        await store.spop('set');
      },
    );
    expect(took).toBeLessThan(LOCK_WAIT / 2);
    await store.zadd('ranks', [
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
    await store.zadd('others', 1, 'x');
    expect(
      await beside(
        () => store.zadd('others', 2, 'y'),
        async () => {
          await store.zrem('ranks', 'a');
          await store.zpopMin('ranks', 2);
        },
      ),
    ).toBeLessThan(LOCK_WAIT / 2);
    await store.delete('set', 'other', 'ranks', 'others');
    await store.close();
  });

  it('entries of a cache are deleted and swept beside one that a transaction has written', async () => {
    const cache = new Cache(db, { sweepEvery: 0 });
    const table = `${bench.schema}.boomerang_cache`;
    for (const count of [2, 3, 5]) {
      const names = Array.from({ length: count }, (_, at) => `k${at}`);
      const [held = '', ...others] = names;
      await cache.setMany(names.map((key) => ({ key, value: 1, ttl: 60_000 })));
      expect(
        await beside(
          () => cache.set(held, 2),
          () => cache.deleteMany(others),
        ),
      ).toBeLessThan(LOCK_WAIT / 2);
      await bench.sql(
        `UPDATE ${table} SET gone_at = '2020-01-01', fresh_until = '2020-01-01' WHERE full_key NOT LIKE ?`,
        [`%${held}`],
      );
      expect(
        await beside(
          () => cache.set(held, 3),
          async () => expect(await cache.sweep()).toBe(others.length),
        ),
      ).toBeLessThan(LOCK_WAIT / 2);
      expect(await cache.get(held)).toBe(3);
      await bench.sql(`DELETE FROM ${table}`);
    }
    await cache.close();
  });
});
