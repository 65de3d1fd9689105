import { internals } from '../internals';
import { DetailBook } from './detail-book';
import { isFull } from './full-pool';
import { Exposition } from './exposition';
import { FULL, HealthCheck, type HealthReport } from './health-report';
import { History } from './history';
import { InstrumentBook } from './instrument-book';
import type { ResolvedMonitorOptions } from './options';
import { outcomesOf } from './recorder';
import type { MonitoredDatabase, MonitoredDatabases } from './source';
import type { HolderState, InstrumentState, MonitorState, PoolState } from './state';
import { Watch, type Watched } from './watch';

/** Rows of each list at most: whoever operates looks at the first ones. */
const SHOWN = 50;

/** The longest a state is held up by questions to the server, in ms. */
const PATIENCE = 1000;

/** Rows of instruments are asked for at most so often, in ms. */
const DETAILS_EVERY = 2000;

const { systemClock } = internals;

/** Watches databases, and tells what it sees: as metrics, as a state, as health. */
export class Observatory {
  readonly #options: ResolvedMonitorOptions;
  readonly #watch: Watch;
  readonly #instruments: InstrumentBook;
  readonly #details = new DetailBook();
  readonly #history = new History();
  readonly #health: HealthCheck;
  readonly #exposition: Exposition;
  #lastHealth: HealthReport | null = null;
  #detailedAt = -Infinity;

  /** @throws {ConfigurationError} for a source that is none. */
  constructor(source: MonitoredDatabase | MonitoredDatabases, options: ResolvedMonitorOptions) {
    const { slowStatement, stacksPerSecond, databaseLabel: apart } = options;
    this.#options = options;
    this.#watch = new Watch(source, { slowStatement, stacksPerSecond, apart });
    this.#instruments = new InstrumentBook(apart);
    this.#health = new HealthCheck(
      () => this.#watch.look(),
      () => systemClock.now(),
    );
    this.#exposition = new Exposition(this.#watch, this.#instruments, apart);
    this.sample();
  }

  get metricsType(): string {
    return this.#exposition.contentType;
  }

  metrics(): Promise<string> {
    return this.#exposition.text();
  }

  /** Never rejects. */
  async health(): Promise<HealthReport> {
    const report = await this.#health.report();
    this.#lastHealth = report;
    return report;
  }

  /** Looks at all databases: what the history is made of. */
  sample(): void {
    const watched = this.#watch.look();
    const recorders = this.#watch.recorders().map(({ recorder }) => recorder);
    this.#instruments.look(watched);
    this.#history.take(Date.now(), watched, recorders);
  }

  /** Asks the servers what only they know, where that is due: somebody looks. */
  async inquire(): Promise<void> {
    const now = systemClock.now();
    if (now - this.#detailedAt < DETAILS_EVERY) return;
    this.#detailedAt = now;
    const watched = this.#watch.look();
    const asked = this.#details.refresh(this.#instruments.look(watched), watched);
    // Whoever looks must not stand in anybody's way: a pool that is full says enough.
    const health = watched.some(isFull) ? undefined : this.health();
    await internals.settledWithin(
      systemClock,
      PATIENCE,
      Promise.all([asked, health]).then(() => {}),
    );
  }

  /** What is to be seen now. `newest`: of the history the last sample alone. */
  state(extent: 'whole' | 'newest'): MonitorState {
    const watched = this.#watch.look();
    const pools = watched.map(poolOf);
    const totals = totalsOf(pools);
    const { samples, pace } = this.#history;
    const newest = samples.slice(-1);
    return {
      at: new Date().toISOString(),
      interval: this.#options.interval,
      process: { pid: process.pid, node: process.version, uptime: process.uptime() },
      health: this.#history.isFull(totals.limit) ? FULL : this.#lastHealth,
      totals: { ...totals, databases: pools.length },
      pace: { ...pace, rate: newest[0]?.rate ?? 0 },
      outcomes: outcomesOf(this.#watch.recorders().map(({ recorder }) => recorder)),
      databases: pools.sort(byLoad).slice(0, SHOWN),
      holders: watched.flatMap(holdersOf).sort(byAge).slice(0, SHOWN),
      slow: {
        threshold: this.#options.slowStatement,
        noted: this.#watch.slow.noted,
        statements: this.#watch.slow.top(SHOWN),
      },
      instruments: this.#instrumentStates(),
      samples: extent === 'whole' ? samples : newest,
    };
  }

  close(): void {
    this.#watch.close();
  }

  #instrumentStates(): InstrumentState[] {
    return this.#instruments.readings.slice(0, SHOWN).map((reading) => {
      const { database, instrument, values } = reading;
      const { kind, name } = instrument;
      const details = this.#details.of(reading);
      if (details === undefined) return { database, kind, name, values };
      const { columns, rows, asOf, error } = details;
      return { database, kind, name, values, columns, rows, asOf, error };
    });
  }
}

function poolOf({ name, database }: Watched): PoolState {
  const { active, idle, waiting, connecting, acquired, timeouts, retries, created } =
    database.stats();
  const { connectionLimit: limit } = database.limits();
  return { name, active, idle, waiting, connecting, acquired, timeouts, retries, created, limit };
}

function totalsOf(pools: readonly PoolState[]): Omit<PoolState, 'name'> {
  const sum = (of: (pool: PoolState) => number): number =>
    pools.reduce((all, pool) => all + of(pool), 0);
  return {
    active: sum(({ active }) => active),
    idle: sum(({ idle }) => idle),
    waiting: sum(({ waiting }) => waiting),
    connecting: sum(({ connecting }) => connecting),
    acquired: sum(({ acquired }) => acquired),
    timeouts: sum(({ timeouts }) => timeouts),
    retries: sum(({ retries }) => retries),
    created: sum(({ created }) => created),
    limit: sum(({ limit }) => limit),
  };
}

function byLoad(one: PoolState, other: PoolState): number {
  return (
    other.waiting - one.waiting || other.active - one.active || one.name.localeCompare(other.name)
  );
}

function holdersOf({ name, database }: Watched): HolderState[] {
  return database.holders().map(({ threadId, label, heldFor, stack }) => ({
    database: name,
    threadId,
    label: label ?? null,
    heldFor: heldFor ?? null,
    stack: stack === undefined ? null : ownFrames(stack),
  }));
}

/** Those who were there before anybody watched have it the longest. */
function byAge(one: HolderState, other: HolderState): number {
  return (other.heldFor ?? Infinity) - (one.heldFor ?? Infinity) || one.threadId - other.threadId;
}

/** A stack's frames, without those of Node's own. */
function ownFrames(stack: string): string {
  return stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => !/[( ]node:/.test(line))
    .join('\n');
}
