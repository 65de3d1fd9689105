import { Cache, install } from '../../src/index';
import { call, urlOf } from '../support/cli';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

onEachServer((bench) => {
  const url = urlOf(bench.server, bench.schema);
  const caches: Cache[] = [];

  function cache(namespace?: string): Cache {
    const options = { sweepEvery: 0, ...(namespace === undefined ? {} : { namespace }) };
    const made = new Cache(bench.open(), options);
    caches.push(made);
    return made;
  }

  const stats = async (...more: string[]): Promise<any[]> =>
    (await call(['cache', 'stats', '--json', ...more], { url })).json.namespaces;

  beforeAll(async () => {
    const db = bench.open();
    await install(db);
    await db.end();
  });
  afterEach(async () => {
    await Promise.all(caches.splice(0).map((each) => each.close()));
    await bench.sql(`DELETE FROM ${bench.schema}.boomerang_cache`);
  });

  it('cache stats counts what is fresh, stale and spent, by namespace', async () => {
    const [plain, users] = [cache(), cache('users')];
    await plain.set('a', 1);
    await users.setMany([
      { key: 'a', value: 'x'.repeat(5000) },
      { key: 'b', value: 2, ttl: 1, grace: 600_000 },
      { key: 'c', value: 3, ttl: 1 },
    ]);
    await until('their time is over', async () => (await users.get('c')) === undefined);
    const [first, second] = await stats();
    expect(first).toMatchObject({ namespace: '', fresh: 1, stale: 0, spent: 0 });
    expect(second).toMatchObject({ namespace: 'users', fresh: 1, stale: 1, spent: 1 });
    expect(second.bytes).toBeGreaterThan(5000);
    expect(await stats('--namespace', 'nobody')).toEqual([
      { namespace: 'nobody', fresh: 0, stale: 0, spent: 0, bytes: 0 },
    ]);
    const { stdout } = await call(['cache', 'stats'], { url });
    expect(stdout).toMatch(/^users +1 +1 +1 +[\d.]+ KiB$/m);
    expect(stdout).toMatch(/^'' +1 +0 +0 +\d+ B$/m);
    expect(stdout).toMatch(/^3 values in 2 namespaces, /m);
  });

  it('cache clear makes void what is meant and nothing else, and a dry run nothing', async () => {
    const [users, orders] = [cache('users'), cache('orders')];
    await users.set('a', 1);
    await orders.set('a', 2);
    const dry = await call(['cache', 'clear', '--namespace', 'users', '--dry-run', '--json'], {
      url,
    });
    expect(dry.json.namespaces).toEqual([{ namespace: 'users', values: 1 }]);
    expect(await users.get('a')).toBe(1);
    expect((await call(['cache', 'clear', '--namespace', 'users'], { url })).code).toBe(0);
    expect([await users.get('a'), await orders.get('a')]).toStrictEqual([undefined, 2]);
    expect(await stats('--namespace', 'users')).toMatchObject([{ fresh: 0, spent: 1 }]);
    // What is written from now on counts.
    await users.set('b', 3);
    expect(await stats('--namespace', 'users')).toMatchObject([{ fresh: 1, spent: 1 }]);
    expect((await call(['cache', 'clear', '--all'], { url })).code).toBe(0);
    expect([await users.get('b'), await orders.get('a')]).toStrictEqual([undefined, undefined]);
    expect((await call(['cache', 'clear'], { url })).code).toBe(2);
    expect((await call(['cache', 'clear', '--all', '--namespace', 'a'], { url })).code).toBe(2);
  });

  it('cache sweep removes what is spent, and a dry run counts it', async () => {
    const users = cache('users');
    await users.set('kept', 1);
    await users.setMany([1, 2, 3].map((n) => ({ key: `old ${n}`, value: n })));
    await users.clear();
    await users.set('kept', 1);
    const dry = await call(['cache', 'sweep', '--dry-run'], { url });
    expect(dry.stdout).toBe('3 values would be removed\n');
    expect(await stats()).toMatchObject([{ fresh: 1, spent: 3 }]);
    const { json } = await call(['cache', 'sweep', '--json'], { url });
    expect(json.removed).toBe(3);
    expect(await stats()).toMatchObject([{ fresh: 1, spent: 0 }]);
    expect(await users.get('kept')).toBe(1);
  });
});
