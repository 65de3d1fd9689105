import type { RetryingPooledDatabase } from '../../src/index';
import type { MonitoredDatabase } from '../../src/monitor/index';
import { POOL_SIZE } from './contestants';
import { fightOn, type Opened } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import { loadMonitor } from './library';
import type { Bench, BenchServer, Library, Part } from './part';
import type { Measurement } from './result';
import { medianOf } from './spread';

/** The same database watched and not watched. */
interface Pair {
  readonly watched: RetryingPooledDatabase;
  readonly alone: RetryingPooledDatabase;
}

const TENANTS = 1000;
const SCRAPES = 20;

async function opened(
  { RetryingPooledDatabase, connectionScope }: Library,
  server: BenchServer,
): Promise<Opened<Pair>> {
  const make = (): RetryingPooledDatabase =>
    new RetryingPooledDatabase({ uri: server.url, connectionLimit: POOL_SIZE });
  const [watched, alone, twin] = [make(), make(), make()];
  const all = [watched, alone, twin];
  for (const db of all) {
    const taken = await Promise.all(Array.from({ length: POOL_SIZE }, () => db.getConnection()));
    await Promise.all(taken.map((connection) => connection.release()));
  }
  // Node's cost of following async contexts begins with the first scope, and never ends.
  await connectionScope(async () => undefined);
  const monitor = await loadMonitor().monitor(watched);
  return {
    pools: { watched, alone },
    control: { watched, alone: twin },
    close: async () => {
      await monitor.close();
      await Promise.all(all.map((db) => db.end()));
    },
  };
}

const onStatement = (of: keyof Pair) => (pair: Pair) => () =>
  pair[of].execute(SELECT_ITEM, [randomItem()]);

const onScope =
  ({ connectionScope }: Library, of: keyof Pair) =>
  (pair: Pair) =>
  () =>
    connectionScope(() => pair[of].execute(SELECT_ITEM, [randomItem()]));

/** A tenant's database that does nothing, as a registry of many has most of them. */
function tenant(db: RetryingPooledDatabase): MonitoredDatabase {
  return {
    stats: () => db.stats(),
    limits: () => db.limits(),
    health: () => db.health(),
    holders: () => db.holders(),
    instruments: () => db.instruments(),
    observe: (observer, options) => db.observe(observer, options),
  };
}

async function scrape(
  { library, server }: Bench,
  databaseLabel: boolean,
  name: string,
): Promise<Measurement> {
  const databases = Array.from(
    { length: TENANTS },
    () => new library.RetryingPooledDatabase(server.url),
  );
  const [used] = databases;
  for (let count = 0; count < 20; count++) await used?.query('DO 1');
  const tenants = new Map(databases.map((db, at) => [`tenant-${at}`, tenant(db)]));
  const monitor = await loadMonitor().monitor(tenants, { databaseLabel });
  const took: number[] = [];
  let bytes = 0;
  try {
    for (let count = 0; count < SCRAPES; count++) {
      const begun = performance.now();
      bytes = (await (await fetch(`${monitor.url}/metrics`)).text()).length;
      took.push(performance.now() - begun);
    }
  } finally {
    await monitor.close();
    await Promise.all(databases.map((db) => db.end()));
  }
  const figures = `${medianOf(took).toFixed(1)} ms, ${(bytes / 1000).toFixed(0)} kB`;
  return { part: 'metrics', name, concurrency: TENANTS, figures, bars: [] };
}

export const metricsPart: Part = {
  name: 'metrics',
  summary: 'a statement while a monitor watches, and a scrape of many tenants',
  run: async (bench) => {
    const rows: Measurement[] = [];
    for (const concurrency of [1, 16]) {
      const duel = {
        part: 'metrics',
        concurrency,
        ours: { name: 'db.execute, watched', operation: onStatement('watched') },
        bases: [{ name: 'not watched', operation: onStatement('alone'), speed: 0.97, cpu: 1.03 }],
      } as const;
      rows.push(...(await fightOn(opened, duel, bench)));
    }
    const scoped = {
      part: 'metrics',
      concurrency: 16,
      ours: { name: 'in a scope, watched', operation: onScope(bench.library, 'watched') },
      bases: [{ name: 'not watched', operation: onScope(bench.library, 'alone'), speed: 0.97 }],
    } as const;
    rows.push(...(await fightOn(opened, scoped, bench)));
    rows.push(await scrape(bench, false, 'a scrape of 1,000 tenants, summed up'));
    rows.push(await scrape(bench, true, 'a scrape of 1,000 tenants, each by its name'));
    return rows;
  },
};
