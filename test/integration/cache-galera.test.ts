import { setTimeout as delay } from 'node:timers/promises';
import { provideGalera, ServerUnavailableError, type GaleraCluster } from '../../scripts/server';
import { Cache, RetryingPooledDatabase, install } from '../../src/index';
import { deferred } from '../support/deferred';
import { longForm } from '../support/long-form';
import { until } from '../support/until';

const GALERA = longForm('BOOMERANG_CACHE_GALERA', { rounds: 0 });
const START_MS = 120_000;

/** Starting a cluster takes longer than all that is proved on it: `npm run test:long cacheGalera`. */
const describeLong = GALERA.rounds > 0 ? describe : describe.skip;
if (GALERA.rounds <= 0) {
  process.stdout.write(
    'skipped: a cache on a Galera cluster is for npm run test:long cacheGalera\n',
  );
}

describeLong('a cache on two nodes of a Galera cluster', () => {
  let cluster: GaleraCluster | undefined;
  let nodes: RetryingPooledDatabase[] = [];
  let caches: [Cache, Cache];

  beforeAll(async () => {
    try {
      cluster = await provideGalera({ nodes: 2 });
    } catch (error) {
      if (!(error instanceof ServerUnavailableError)) throw error;
      process.stdout.write(`skipped: no cache on a Galera cluster: ${error.message}\n`);
      return;
    }
    nodes = cluster.nodes.map(({ url }) => new RetryingPooledDatabase({ uri: url }));
    await install(nodes[0]!);
    caches = [new Cache(nodes[0]!), new Cache(nodes[1]!)];
  }, START_MS);

  afterAll(async () => {
    if (cluster !== undefined) await Promise.all(caches.map((each) => each.close()));
    await Promise.all(nodes.map((db) => db.end()));
    await cluster?.stop();
  }, START_MS);

  /** A test on the cluster. Without one, which was said above, there is nothing to be tested. */
  function onCluster(name: string, work: () => Promise<void>): void {
    it(name, async () => (cluster === undefined ? undefined : work()), 120_000);
  }

  const retries = () => nodes.map((db) => JSON.stringify(db.stats().retries)).join(', ');

  onCluster('what is set, deleted and invalidated on one node is so on the other', async () => {
    const [here, there] = caches;
    await here.set('k', 'of here', { tags: ['t'] });
    await until('it is there', async () => (await there.get('k')) === 'of here');
    await there.delete('k');
    await until('it is gone', async () => (await here.get('k')) === undefined);
    await there.set('k', 'of there', { tags: ['t'] });
    await until('it is here', async () => (await here.get('k')) === 'of there');
    await here.invalidateTag('t');
    await until('it is void', async () => (await there.get('k')) === undefined);
    await here.set('k', 'again', { tags: ['t'] });
    await until('it is there again', async () => (await there.get('k')) === 'again');
    await there.clear();
    await until('all is void', async () => (await here.get('k')) === undefined);
  });

  onCluster('of callers on both nodes one makes the value', async () => {
    let [more, made] = [0, 0];
    for (let round = 0; round < GALERA.rounds; round++) {
      let runs = 0;
      const factory = async () => {
        await delay(5);
        return ++runs;
      };
      const values = await Promise.all(
        caches.flatMap((cache) => [1, 2, 3].map(() => cache.getOrSet(`round ${round}`, factory))),
      );
      made++;
      if (runs > 1) more++;
      expect(new Set(values).size).toBe(runs === 1 ? 1 : 2);
    }
    process.stdout.write(`of ${made} values ${more} were made twice; repeated ${retries()}\n`);
    expect(more).toBe(0);
  });

  onCluster('a value that the other node has overtaken is not stored', async () => {
    const [here, there] = caches;
    const overtake = {
      delete: (cache: Cache) => cache.delete('o'),
      invalidateTag: (cache: Cache) => cache.invalidateTag('tag'),
      set: (cache: Cache) => cache.set('o', 'set'),
    };
    for (const [name, change] of Object.entries(overtake)) {
      for (let round = 0; round < 20; round++) {
        const [begun, made] = [deferred(), deferred<string>()];
        const options = { tags: ['tag'] };
        await here.delete('o');
        await until('it is gone', async () => (await there.get('o')) === undefined);
        const got = here.getOrSet(
          'o',
          () => {
            begun.resolve();
            return made.promise;
          },
          options,
        );
        await begun.promise;
        // At once: which of them the cluster takes first is not known.
        const changed = change(there);
        await changed;
        made.resolve('old');
        expect(await got).toBe('old');
        const expected = name === 'set' ? 'set' : undefined;
        // What was stored here a moment too early is gone when the other's change has come.
        await until('it is so here', async () => (await here.get('o')) === expected);
        await until('it is so there', async () => (await there.get('o')) === expected);
      }
    }
  });

  onCluster(
    'writes of one key from both nodes end alike, or fail by a deadlock that was met each time',
    async () => {
      const failures: number[] = [];
      const refused = (error: unknown): void => {
        failures.push(Number((error as { errno?: number }).errno));
      };
      const write = async (cache: Cache, name: string): Promise<void> => {
        for (let n = 0; n < 150; n++) {
          await cache.set('hot', `${name} ${n}`).catch(refused);
          await cache.invalidateTag('hot').catch(refused);
        }
      };
      await Promise.all(caches.map((cache, at) => write(cache, `${at}`)));
      process.stdout.write(
        `600 writes of one key and one tag: repeated ${retries()}; failed: ${failures.join(', ') || 'none'}\n`,
      );
      // Each was repeated for as often as any statement is; here the other node never pauses.
      expect(failures.filter((errno) => errno !== 1213)).toEqual([]);
      expect(failures.length).toBeLessThan(30);
      await until('both have the same', async () => {
        const [one, other] = await Promise.all(caches.map((cache) => cache.get('hot')));
        return one !== undefined && one === other;
      });
    },
  );

  onCluster(
    'transactions on both nodes that write data and what the cache says of it hold them together',
    async () => {
      const [db] = nodes;
      await db!.query('CREATE TABLE stock (id INT PRIMARY KEY, n INT NOT NULL)');
      await db!.query('INSERT INTO stock VALUES (1, 0)');
      await until('it is there', async () => {
        const [rows] = await nodes[1]!.query("SHOW TABLES LIKE 'stock'");
        return rows.length > 0;
      });
      let attempts = 0;
      const sell = async (at: 0 | 1): Promise<void> => {
        for (let count = 0; count < 30; count++) {
          await nodes[at]!.atomic(
            async (tx) => {
              attempts++;
              await tx.execute('UPDATE stock SET n = n + 1 WHERE id = 1');
              await caches[at].delete('stock');
            },
            { retries: 100 },
          );
        }
      };
      await Promise.all([sell(0), sell(1)]);
      process.stdout.write(`60 transactions took ${attempts} attempts\n`);
      for (const [at, cache] of caches.entries()) {
        const read = () => nodes[at]!.queryValue<number>('SELECT n FROM stock WHERE id = 1');
        await until('it is 60', async () => (await cache.getOrSet('stock', read)) === 60);
      }
    },
  );
});
