import type { RetryingPooledDatabase } from '../../src/index';
import type { MonitoredDatabase } from '../../src/monitor/index';
import { POOL_SIZE } from './contestants';
import { fightOn, type Opened } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import { loadInside, loadMonitor } from './library';
import type { Bench, BenchServer, Library, Part } from './part';
import { atMost, type Measurement } from './result';
import { compare, cpuPerOperation, type Field } from './slices';
import { medianOf } from './spread';

/** The same database watched and not watched. */
interface Pair {
  readonly watched: RetryingPooledDatabase;
  readonly alone: RetryingPooledDatabase;
}

const TENANTS = 1000;
const SCRAPES = 20;

/** Per call, so that looking at the clock costs next to nothing. */
const CALLS = 200;

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

/** What a tenant's database would tell in its first seconds. */
function work(observer: Parameters<MonitoredDatabase['observe']>[0]): void {
  observer.connected?.(3);
  for (const operation of ['SELECT', 'INSERT', 'COMMIT']) {
    observer.acquired?.(0);
    observer.statement?.({ operation, elapsed: 1, errorClass: undefined, text: '' });
    observer.held?.(1);
  }
  observer.transaction?.('committed');
}

/** A tenant's database, as a registry has many: its pool is real, its work is told and not done. */
function tenant(db: RetryingPooledDatabase): MonitoredDatabase {
  return {
    stats: () => db.stats(),
    limits: () => db.limits(),
    health: () => db.health(),
    holders: () => db.holders(),
    instruments: () => db.instruments(),
    observe: (observer, options) => {
      work(observer);
      return db.observe(observer, options);
    },
  };
}

/** A connection taken and given back, watched and not; a statement told; and one that is run. */
async function openInside({ library, server }: Bench): Promise<Field> {
  const inside = await loadInside();
  const { Mysql2Driver, Observation, Pool, Recorder, SlowStatements } = inside;
  const options = inside.resolveOptions(server.url);
  const driver = new Mysql2Driver(options.driver);
  const [silent, clock] = [inside.createLogger('silent'), inside.systemClock];
  const observation = new Observation();
  observation.add(new Recorder(new SlowStatements(250)), { stacksPerSecond: 50 });
  const watched = new Pool(driver, options, clock, silent, {}, observation);
  const alone = new Pool(driver, options, clock, silent);
  const lease = await watched.acquire();
  const { connection } = lease;
  await lease.giveBack();
  await (await alone.acquire()).giveBack();
  const db = new library.RetryingPooledDatabase(server.url);
  const often = (once: () => unknown) => async (): Promise<void> => {
    for (let count = 0; count < CALLS; count++) once();
  };
  return {
    variants: [
      { operation: often(() => watched.tryAcquire()?.giveBack()), weight: CALLS },
      { operation: often(() => alone.tryAcquire()?.giveBack()), weight: CALLS },
      {
        operation: often(() => {
          const trace = observation.begun(SELECT_ITEM, connection);
          observation.ended(SELECT_ITEM, connection, 0.3, null, trace);
        }),
        weight: CALLS,
      },
      { operation: () => db.execute(SELECT_ITEM, [randomItem()]) },
    ],
    close: () => Promise.all([watched.end(0), alone.end(0), db.end()]),
  };
}

/** The cost of watching by itself: small beside a statement, it drowns in the noise of the duels. */
async function added(bench: Bench): Promise<Measurement> {
  const comparison = await compare(() => openInside(bench), 1, bench.blocks);
  const cost = (at: number): number => cpuPerOperation(comparison, at);
  const micros = cost(0) - cost(1) + cost(2);
  const share = micros / cost(3);
  return {
    part: 'metrics',
    name: 'what watching adds : db.execute',
    concurrency: 1,
    figures: `${(micros * 1000).toFixed(0)} ns : ${cost(3).toFixed(1)} µs, ${(share * 100).toFixed(1)} %`,
    bars: [atMost('share', share, 0.03)],
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
    const rows: Measurement[] = [await added(bench)];
    for (const concurrency of [1, 16]) {
      const duel = {
        part: 'metrics',
        concurrency,
        ours: { name: 'db.execute, watched', operation: onStatement('watched') },
        bases: [{ name: 'not watched', operation: onStatement('alone'), cpu: 1.03 }],
      } as const;
      rows.push(...(await fightOn(opened, duel, bench)));
    }
    const scoped = {
      part: 'metrics',
      concurrency: 16,
      ours: { name: 'in a scope, watched', operation: onScope(bench.library, 'watched') },
      bases: [{ name: 'not watched', operation: onScope(bench.library, 'alone'), cpu: 1.03 }],
    } as const;
    rows.push(...(await fightOn(opened, scoped, bench)));
    rows.push(await scrape(bench, false, 'a scrape of 1,000 tenants, summed up'));
    rows.push(await scrape(bench, true, 'a scrape of 1,000 tenants, each by its name'));
    return rows;
  },
};
