import { Cache, DatabaseRegistry, KeyValueStore, MessageQueue, install } from '../../src/index';
import { monitor } from '../../src/monitor';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

const body = async (url: string): Promise<string> => (await fetch(url)).text();

onEachServer((bench) => {
  it('a monitor finds cache and store by themselves, and lets them go when they are closed', async () => {
    const db = bench.open();
    await install(db);
    const watch = await monitor(db);
    const cache = new Cache(db, { namespace: 'shop' });
    const store = new KeyValueStore(db);
    expect(await cache.get('nothing')).toBeUndefined();
    await cache.set('key', 1);
    expect(await cache.get('key')).toBe(1);
    await until('both are counted', async () => {
      const metrics = await body(`${watch.url}/metrics`);
      return /cache_hits_total(\{[^}]*\})? 1\b/.test(metrics) && /store_swept_total/.test(metrics);
    });
    expect(await body(`${watch.url}/metrics`)).toMatch(/cache_misses_total(\{[^}]*\})? 1\b/);
    expect(db.instruments().map(({ kind, name }) => [kind, name])).toEqual([
      ['cache', 'shop'],
      ['store', ''],
    ]);
    await cache.close();
    await store.close();
    expect(db.instruments()).toEqual([]);
    await watch.close();
  });

  it('a monitor shows how far the groups of a queue are behind, and what runs here', async () => {
    const db = bench.open();
    await install(db);
    const queue = new MessageQueue(db);
    await queue.createGroup('jobs', 'mail');
    await queue.produceMany('jobs', ['a', 'b']);
    const worker = queue.worker('none', 'at all', () => Promise.resolve());
    expect(queue.running()).toEqual({ workers: 1, schedules: 0 });
    await worker.stop();
    expect(queue.running()).toEqual({ workers: 0, schedules: 0 });
    const [instrument] = db.instruments();
    expect(instrument?.kind).toBe('queue');
    expect(await instrument?.details(10)).toMatchObject([
      { stream: 'jobs', group: 'mail', lag: 2, pending: 0, dead: 0 },
    ]);
    expect(await instrument?.details(0)).toEqual([]);
    await queue.close();
    expect(db.instruments()).toEqual([]);
  });

  it('a monitor over a registry shows the tenants that are open, under no name unless asked', async () => {
    const registry = new DatabaseRegistry(() => bench.address);
    for (const tenant of ['one', 'two']) await (await registry.get(tenant)).query('DO 0');
    expect([...registry].map(([name]) => name).sort()).toEqual(['one', 'two']);
    const watch = await monitor(registry);
    const metrics = await body(`${watch.url}/metrics`);
    expect(metrics).toMatch(/db_client_connection_count\{[^}]*state="idle"[^}]*\} 2\b/);
    expect(metrics).not.toMatch(/"(one|two)"/);
    await watch.close();
    await registry.end();
  });
});
