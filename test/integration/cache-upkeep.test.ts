import { Eviction } from '../../src/cache/eviction';
import { Cache, cached } from '../../src/index';
import { CacheBench, tablesOf } from '../support/cache-bench';
import { deferred } from '../support/deferred';
import { longForm } from '../support/long-form';
import { RecordingLogger } from '../support/recording-logger';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

const SWEPT = longForm<{ rows: number; clients: number }>('BOOMERANG_CACHE_SWEEP', {
  rows: 20_000,
  clients: 4,
});

const p99 = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;

onEachServer((bench) => {
  const caches = new CacheBench(bench);

  /** Many rows at once, by doubling. */
  async function expired(rows: number): Promise<void> {
    const cache = caches.other({ sweepEvery: 0 });
    await cache.set('seed', 'x'.repeat(100), { ttl: 1 });
    const table = `${bench.schema}.boomerang_cache`;
    const columns =
      'full_key, version, kind, value, size, epoch, cost, written_at, fresh_until, gone_at';
    for (let there = 1; there < rows; there *= 2) {
      const id = 'UNHEX(LEFT(SHA2(CONCAT(RAND(), HEX(id)), 256), 48))';
      await bench.sql(
        `INSERT INTO ${table} (id, ${columns}) SELECT ${id}, ${columns} FROM ${table} ` +
          `LIMIT ${Math.min(there, rows - there)}`,
      );
    }
    await caches.pass(3_600_000);
  }

  it('many rows whose time is over are removed while clients write, without a deadlock', async () => {
    await expired(SWEPT.rows);
    const db = bench.open({ connectionLimit: SWEPT.clients + 2 });
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    const write = async (isOver: () => boolean): Promise<number[]> => {
      const times: number[] = [];
      const clients = Array.from({ length: SWEPT.clients }, async (_, client) => {
        for (let n = 0; !isOver(); n++) {
          const begun = performance.now();
          // By itself: joined writes would be one client's.
          await db.withoutScope(() =>
            cache.setMany([
              { key: `${client} ${n % 500}`, value: 'x'.repeat(100), ttl: 3_600_000 },
            ]),
          );
          times.push(performance.now() - begun);
        }
      });
      await Promise.all(clients);
      return times;
    };
    const quietUntil = performance.now() + 500;
    const quiet = p99(await write(() => performance.now() > quietUntil));
    let swept: number | undefined;
    const begun = performance.now();
    const sweep = cache.sweep().then((count) => (swept = count));
    const busy = p99(await write(() => swept !== undefined));
    await sweep;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    if (SWEPT.rows >= 100_000) {
      process.stdout.write(
        `\n${bench.server.name}: ${swept} rows in ${seconds} s; p99 of ${SWEPT.clients} writers ${busy.toFixed(1)} ms, quiet ${quiet.toFixed(1)} ms\n`,
      );
    }
    expect(swept).toBe(SWEPT.rows);
    // A deadlock would have been met by another try; the server's counter is that of all its users.
    expect(db.stats().retries).toBe(0);
  }, 3_600_000);

  it('of several processes that sweep at once one gets on with it: nothing is in its way, and all is removed once', async () => {
    await expired(5000);
    const databases = Array.from({ length: 6 }, () => bench.open());
    const removed = await Promise.all(
      databases.map((db) => caches.keep(new Cache(db, { sweepEvery: 0 })).sweep()),
    );
    expect(removed.reduce((sum, count) => sum + count)).toBe(5000);
    expect(await caches.rows()).toBe(0);
    // A deadlock would have been met by another try.
    expect(databases.map((db) => db.stats().retries)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('writes bring the sweep with them; reads do not', async () => {
    await expired(50);
    const cache = caches.other({ sweepEvery: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await cache.getMany(['a', 'b']);
    expect(await caches.rows()).toBe(50);
    await cache.set('a', 1);
    await until('they are removed', async () => (await caches.rows()) === 1);
    await until('they are counted', () => cache.stats().swept === 50);
  });

  it('what is written again between the sweep’s look and its deletion stays', async () => {
    const db = bench.open();
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    const { rows, namespace } = tablesOf(db);
    await cache.setMany(['a', 'b'].map((key) => ({ key, value: 'old', ttl: 1 })));
    await caches.pass(60_000);
    const gone = await rows.gone(10);
    const walked = await rows.walk(namespace.first, namespace.beyond, 10);
    expect([gone.length, walked.length]).toEqual([2, 2]);
    await cache.set('a', 'new');
    expect([await rows.removeGone(gone), await rows.remove(walked)]).toEqual([1, 0]);
    expect(await cache.get('a')).toBe('new');
  });

  it('a row whose value is being made stays, however long its time is over', async () => {
    const [cache, other] = [caches.other(), caches.other()];
    await cache.set('k', 'old', { ttl: 1 });
    const [begun, made] = [deferred(), deferred<string>()];
    await caches.pass(60_000);
    const got = cache.getOrSet('k', () => {
      begun.resolve();
      return made.promise;
    });
    await begun.promise;
    expect(await other.sweep()).toBe(0);
    made.resolve('new');
    await got;
    expect(await other.get('k')).toBe('new');
  });

  it('a deletion leaves a trace for ten minutes, for who has read before it', async () => {
    const cache = caches.other();
    await cache.delete('k');
    await caches.pass(9 * 60_000);
    await cache.sweep();
    expect(await caches.rows()).toBe(1);
    await caches.pass(2 * 60_000);
    await cache.sweep();
    expect(await caches.rows()).toBe(0);
  });

  it('what clear() and invalidateTag() made void is removed bit by bit, what counts stays', async () => {
    const cache = caches.other();
    const items = Array.from({ length: 700 }, (_, at) => ({
      key: `${at}`,
      value: at,
      tags: at % 2 ? ['odd'] : [],
    }));
    await cache.setMany(items);
    await cache.invalidateTag('odd');
    while ((await caches.rows()) > 350) await cache.sweep();
    expect((await cache.getMany(['0', '1', '698'])).map((one) => one ?? null)).toEqual([
      0,
      null,
      698,
    ]);
    await cache.clear();
    await cache.set('new', 1);
    while ((await caches.rows()) > 1) await cache.sweep();
    expect(await cache.get('new')).toBe(1);
  });

  it.each([
    ['entries', { maxEntries: 1000 }],
    ['bytes', { maxBytes: 1000 * 1112 }],
  ])(
    'a limit of %s is kept about; what was written again lately stays',
    async (_, limit) => {
      const cache = caches.other(limit);
      const other = caches.other({ ...limit, namespace: 'other' });
      await other.set('k', 1);
      const value = 'x'.repeat(1000);
      const hot = Array.from({ length: 20 }, (_, at) => `hot ${at}`);
      const within = (most: number) => async () => {
        await cache.setMany(hot.map((key) => ({ key, value })));
        return (await caches.rows('value IS NOT NULL AND size > 900')) <= most;
      };
      for (let at = 0; at < 3000; at += 50) {
        const cold = Array.from({ length: 50 }, (_, one) => `cold ${at + one}`);
        await cache.setMany([...cold, ...hot].map((key) => ({ key, value })));
        // As of a cache that is written no faster than it can be kept within its limits.
        if (at % 200 === 0) await until('it keeps pace', within(1300), 30_000);
      }
      await until('it is within its limit', within(1150), 30_000);
      expect(await caches.rows()).toBeGreaterThan(600);
      expect(cache.stats().evicted).toBeGreaterThan(1500);
      expect(await cache.getMany(hot)).toEqual(hot.map(() => value));
      // What is left of the others is what was written last.
      const left = async (from: number) => {
        const keys = Array.from({ length: 200 }, (_, at) => `cold ${from + at}`);
        return (await cache.getMany(keys)).filter((one) => one !== undefined).length;
      };
      expect(await left(2800)).toBeGreaterThan(150);
      expect(await left(1500)).toBeLessThan(20);
      expect(await other.get('k')).toBe(1);
    },
    120_000,
  );

  it('what goes for a limit is what was written first, however long it takes to look', async () => {
    const db = bench.open();
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    const written = (name: string) =>
      cache.setMany(Array.from({ length: 600 }, (_, at) => ({ key: `${name} ${at}`, value: at })));
    await written('old');
    await written('young');
    await bench.sql(
      `UPDATE ${bench.schema}.boomerang_cache SET written_at = ` +
        "UTC_TIMESTAMP(6) - INTERVAL (full_key LIKE '%old%') MICROSECOND",
    );
    const { rows, namespace } = tablesOf(db);
    const slow = {
      sample: async (...where: Parameters<typeof rows.sample>) => {
        await bench.sql('DO SLEEP(0.05)');
        return rows.sample(...where);
      },
      remove: (doomed: Parameters<typeof rows.remove>[0]) => rows.remove(doomed),
    };
    let evicted = 0;
    const eviction = new Eviction({
      ...{ db, namespace, table: slow, logger: new RecordingLogger() },
      ...{ maxEntries: 1000, maxBytes: 0, onEvicted: (count: number) => (evicted += count) },
    });
    eviction.ride(1000, 0);
    await eviction.settled();
    expect(evicted).toBeGreaterThan(0);
    const young = await cache.getMany(Array.from({ length: 600 }, (_, at) => `young ${at}`));
    expect(young.filter((value) => value !== undefined)).toHaveLength(600);
  });

  describe('memory of its own', () => {
    it('is asked first, follows its own process at once and others within its time', async () => {
      const db = bench.open();
      const cache = caches.keep(new Cache(db, { l1: { ttl: 60_000 } }));
      const other = caches.other();
      await cache.set('k', { n: 1 });
      const one = await cache.get<{ n: number }>('k');
      one!.n = 7;
      expect(await cache.get('k')).toEqual({ n: 1 });
      expect(cache.stats()).toMatchObject({ hits: 2, memoryHits: 1 });
      await cache.set('k', { n: 2 });
      expect(await cache.get('k')).toEqual({ n: 2 });
      const brief = caches.other({ l1: { ttl: 60 } });
      expect(await brief.get('k')).toEqual({ n: 2 });
      await other.set('k', { n: 3 });
      await until('it is seen', async () => (await brief.get<{ n: number }>('k'))?.n === 3);
      expect(await cache.get('k')).toEqual({ n: 2 });
      await cache.delete('k');
      expect(await cache.get('k')).toBeUndefined();
      await cache.set('t', 1, { tags: ['x'] });
      await cache.get('t');
      await cache.invalidateTag('x');
      expect(await cache.get('t')).toBeUndefined();
    });

    it('keeps neither a stale value nor one that was overtaken', async () => {
      const times = { ttl: 60_000, grace: 600_000 };
      const cache = caches.other({ l1: { ttl: 600_000 }, ...times });
      const other = caches.other();
      const making = async (which: Cache) => {
        const [begun, made] = [deferred(), deferred<string>()];
        const got = which.getOrSet('k', () => {
          begun.resolve();
          return made.promise;
        });
        await begun.promise;
        return { got, made };
      };
      const first = await making(cache);
      await other.set('k', 'set', times);
      first.made.resolve('overtaken');
      expect(await first.got).toBe('overtaken');
      expect(await cache.get('k')).toBe('set');
      // Not what memory has of it, which is fresh yet.
      const fresh = caches.other({ l1: { ttl: 600_000 } });
      await caches.pass(60_001);
      const second = await making(other);
      expect(await fresh.getOrSet('k', () => 'never')).toBe('set');
      second.made.resolve('new');
      expect(await second.got).toBe('new');
      expect(await fresh.get('k')).toBe('new');
    });
  });

  it('@cached keeps what a method returns, by a key and tags of its arguments', async () => {
    class Users {
      runs = 0;
      constructor(readonly cache: Cache) {}
      @cached({
        key: (id: number) => `user ${id}`,
        ttl: 60_000,
        tags: (id: number) => [`user:${id}`],
      })
      async find(id: number) {
        return { id, run: ++this.runs };
      }
    }
    const cache = caches.other();
    const users = new Users(cache);
    expect([await users.find(1), await users.find(1), await users.find(2)]).toEqual([
      { id: 1, run: 1 },
      { id: 1, run: 1 },
      { id: 2, run: 2 },
    ]);
    await cache.invalidateTag('user:1');
    expect([await users.find(1), await users.find(2)]).toEqual([
      { id: 1, run: 3 },
      { id: 2, run: 2 },
    ]);
    expect(await failure(new Users(undefined as never).find(1))).toBeInstanceOf(TypeError);
  });
});
