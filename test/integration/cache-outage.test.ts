import {
  Cache,
  PoolExhaustedError,
  type CacheOptions,
  type DatabaseOptions,
} from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { RecordingLogger } from '../support/recording-logger';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  const caches = new CacheBench(bench);
  let proxy: FaultProxy;
  let logger: RecordingLogger;

  beforeEach(async () => {
    proxy = await startProxy(bench.server);
    logger = new RecordingLogger();
  });
  afterEach(() => proxy.close());

  async function behind(options: CacheOptions, database: DatabaseOptions = {}): Promise<Cache> {
    const { host, port } = proxy;
    const db = await bench.connected({ host, port, logger, ...database });
    // By itself it sends nothing.
    return caches.keep(new Cache(db, { sweepEvery: 0, ...options }));
  }
  /** For those who will ask in vain. */
  const SOON = { acquireTimeout: 500 };

  it('by default an error is an error, of every call, and the cache goes on when the database is back', async () => {
    const cache = await behind({}, SOON);
    await cache.set('k', 'stored');
    proxy.refuse();
    proxy.cut();
    const calls = [
      cache.get('k'),
      cache.getMany(['k']),
      cache.set('k', 1),
      cache.delete('k'),
      cache.getOrSet('k', () => 'made'),
    ];
    for (const error of await Promise.all(calls.map(failure)))
      expect(error.code).toMatch(/^ERR_POOL|^PROTOCOL|^ECONN|^EPIPE/);
    expect(await failure(cache.get('k'))).toBeInstanceOf(PoolExhaustedError);
    expect(cache.stats()).toMatchObject({ misses: 0, errors: 0 });
    await proxy.heal();
    await until('it is back', () =>
      cache.get('k').then(
        (value) => value === 'stored',
        () => false,
      ),
    );
  });

  it("with onError 'miss' reads are misses that are counted and logged, and factories are served", async () => {
    const cache = await behind({ onError: 'miss' }, SOON);
    await cache.set('k', 'stored');
    proxy.refuse();
    proxy.cut();
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.getMany(['k', 'x'])).toStrictEqual([undefined, undefined]);
    expect(await cache.getOrSet('k', () => 'made')).toBe('made');
    const error = new Error('the factory’s own');
    expect(await failure(cache.getOrSet('k', () => Promise.reject(error)))).toBe(error);
    expect(cache.stats().errors).toBe(4);
    expect(logger.of(/the cache could not be read/)).not.toHaveLength(0);
    // What was not written or deleted is no miss.
    expect(await failure(cache.set('k', 1))).toBeInstanceOf(PoolExhaustedError);
    expect(await failure(cache.delete('k'))).toBeInstanceOf(PoolExhaustedError);
    await proxy.heal();
    await until('it is back', async () => (await cache.get('k')) === 'stored');
  });

  it("with onError 'miss' a read that fails in a transaction is an error all the same: the transaction is over", async () => {
    const { host, port } = proxy;
    const db = bench.open({ host, port, logger });
    const cache = caches.keep(new Cache(db, { onError: 'miss' }));
    await cache.set('k', 'stored');
    let inside: Error | undefined;
    const whole = await failure(
      db.atomic(async () => {
        await db.query('DO 0');
        proxy.cut();
        inside = await failure(cache.get('k'));
      }),
    );
    expect(inside).toMatchObject({ code: expect.any(String) });
    expect(whole).toBeInstanceOf(Error);
    expect(cache.stats().errors).toBe(0);
    expect(await cache.get('k')).toBe('stored');
  });

  it('a value that was made and cannot be stored is given, counted and logged', async () => {
    const cache = await behind({}, SOON);
    const value = await cache.getOrSet('k', () => {
      proxy.refuse();
      proxy.cut();
      return 'made';
    });
    expect(value).toBe('made');
    expect(cache.stats()).toMatchObject({ fills: 1, errors: 1, writes: 0 });
    expect(logger.of(/could not be stored/)).toHaveLength(1);
  });

  it('a set whose answer is lost fails, is not repeated, and memory does not hold on to what was', async () => {
    const cache = await behind({ l1: { ttl: 60_000 } });
    await cache.set('k', 'old');
    expect(await cache.get('k')).toBe('old');
    const trap = proxy.swallow('execute', 'cut');
    const error = await failure(cache.set('k', 'new'));
    await trap.sprung;
    expect(error.code).toMatch(/^PROTOCOL|^ECONN|^EPIPE/);
    expect(await cache.get('k')).toBe('new');
  });

  it('an answer that never comes holds up who asked, and not those who ask after', async () => {
    const cache = await behind({});
    await cache.set('k', 'stored');
    await cache.set('other', 'too');
    for (const read of [() => cache.get('k'), () => cache.getOrSet('k', () => 'never')]) {
      const trap = proxy.swallow('execute', 'silence');
      const unanswered = read();
      await trap.sprung;
      expect(await cache.get('other')).toBe('too');
      expect(await cache.getOrSet('other', () => 'never')).toBe('too');
      // Reads are repeated where the connection broke.
      proxy.reset();
      expect(await unanswered).toBe('stored');
    }
  });

  it('statementTimeout bounds what a silent network can cost a read', async () => {
    const cache = await behind({ onError: 'miss', statementTimeout: 300 });
    await caches.other().set('k', 'stored');
    await until('it is connected', async () => (await cache.get('k')) === 'stored');
    proxy.blackHole();
    const begun = performance.now();
    expect(await cache.getOrSet('k', () => 'made')).toBe('made');
    expect(performance.now() - begun).toBeLessThan(15_000);
  });
});
