import { CacheSweep } from '../../src/cache/cache-sweep';
import { EntryReader } from '../../src/cache/entry-reader';
import { Cache, type RetryingPooledDatabase } from '../../src/index';
import { CacheBench, tablesOf } from '../support/cache-bench';
import { deferred } from '../support/deferred';
import { ManualClock } from '../support/manual-clock';
import { onEachServer } from '../support/servers';

const DAY = 86_400_000;
/** Longer than a walk has to have met no entry of a tag. */
const WALK = 600_001;

onEachServer((bench) => {
  const caches = new CacheBench(bench);
  let db: RetryingPooledDatabase;
  let cache: Cache;
  let clock: ManualClock;
  let sweep: CacheSweep;

  beforeEach(() => {
    db = bench.open();
    // Swept by hand alone.
    cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    clock = new ManualClock();
    const { rows, tags, namespace } = tablesOf(db);
    sweep = new CacheSweep(rows, tags, new EntryReader(db, rows, tags), namespace, clock);
  });

  const table = () => `${bench.schema}.boomerang_cache_tags`;
  const tagRows = async () =>
    Number((await bench.sql(`SELECT COUNT(*) AS count FROM ${table()}`))[0]!['count']);
  /** As if all that was invalidated had been so two days ago. */
  const age = () => bench.sql(`UPDATE ${table()} SET version = version - ${2 * DAY}`);
  /** Whole walks through the namespace: what can go by them has gone. */
  async function walks(count = 3): Promise<void> {
    for (let walk = 0; walk < count; walk++) {
      await clock.advance(WALK);
      await sweep.batch();
    }
  }

  it('the row of a tag goes that was invalidated long ago and that no entry bears', async () => {
    const elsewhere = caches.keep(new Cache(db, { namespace: 'elsewhere' }));
    await cache.clear();
    await elsewhere.invalidateTag('old');
    for (const tag of ['old', 'borne']) await cache.invalidateTag(tag);
    await age();
    await cache.set('k', 1, { tags: ['borne', 'never'] });
    await cache.invalidateTag('young');
    await walks();
    // Those of the namespaces and of the tags borne, young, and elsewhere.
    expect(await tagRows()).toBe(4);
    expect(await cache.get('k')).toBe(1);
    await cache.delete('k');
    await walks();
    expect(await tagRows()).toBe(3);
    // What it was about goes on working.
    await cache.set('k', 2, { tags: ['old'] });
    await cache.invalidateTag('old');
    expect(await cache.get('k')).toBeUndefined();
  });

  it('but not before a whole walk of ten minutes has met no entry with it', async () => {
    await cache.invalidateTag('t');
    await age();
    for (let batch = 0; batch < 5; batch++) await sweep.batch();
    await clock.advance(WALK - 2);
    await sweep.batch();
    expect(await tagRows()).toBe(1);
    await walks();
    expect(await tagRows()).toBe(0);
  });

  it('nor where it is invalidated again meanwhile', async () => {
    await cache.invalidateTag('t');
    await age();
    // By now it is among those considered.
    await walks(1);
    await cache.invalidateTag('t');
    await walks(1);
    expect(await tagRows()).toBe(1);
  });

  it('nor while an entry is there that it makes void: that stays void', async () => {
    await cache.set('k', 'old', { tags: ['t'] });
    await cache.invalidateTag('t');
    await age();
    // A row is not removed while its value is made anew.
    const [begun, made] = [deferred(), deferred<string>()];
    const got = caches.other().getOrSet(
      'k',
      () => {
        begun.resolve();
        return made.promise;
      },
      { tags: ['t'] },
    );
    await begun.promise;
    await walks(5);
    expect(await caches.rows('kind IS NOT NULL')).toBe(1);
    expect([await cache.get('k'), await cache.getMany(['k', 'l'])]).toStrictEqual([
      undefined,
      [undefined, undefined],
    ]);
    made.resolve('new');
    expect(await got).toBe('new');
    expect(await cache.get('k')).toBe('new');
    await walks();
    expect(await cache.get('k')).toBe('new');
    expect(await tagRows()).toBe(1);
  });

  it('all is walked through, page by page, however many entries there are', async () => {
    const items = Array.from({ length: 1700 }, (_, at) => ({
      key: `${at}`,
      value: at,
      tags: [`tag ${at}`],
    }));
    for (const at of [3, 900, 1600, 5000]) await cache.invalidateTag(`tag ${at}`);
    await age();
    await cache.setMany(items);
    await walks(16);
    expect(await tagRows()).toBe(3);
    expect(await cache.getMany(['3', '900', '1600'])).toEqual([3, 900, 1600]);
  });

  it('versions are moments, and grow also where they are raised many times in one', async () => {
    await cache.invalidateTag('t');
    const version = async () =>
      Number((await bench.sql(`SELECT version FROM ${table()}`))[0]!['version']);
    const first = await version();
    expect(Math.abs(first - Date.now())).toBeLessThan(60_000);
    await bench.sql(`UPDATE ${table()} SET version = version + ${DAY}`);
    for (let count = 0; count < 3; count++) await cache.invalidateTag('t');
    expect(await version()).toBe(first + DAY + 3);
  });

  it('sixteen tags that were all invalidated are told apart to the last version', async () => {
    const tags = Array.from({ length: 16 }, (_, at) => `tag ${at}`);
    for (const tag of tags) await cache.invalidateTag(tag);
    for (const tag of tags) {
      await cache.set('k', 1, { tags });
      expect([await cache.get('k'), await cache.getMany(['k', 'l'])]).toStrictEqual([
        1,
        [1, undefined],
      ]);
      await cache.invalidateTag(tag);
      expect([await cache.get('k'), await cache.getMany(['k', 'l'])]).toStrictEqual([
        undefined,
        [undefined, undefined],
      ]);
    }
  });
});
