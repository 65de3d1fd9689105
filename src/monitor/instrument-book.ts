import type { Instrument } from '../metrics/instruments';
import type { MonitoredDatabase } from './source';
import type { Watched } from './watch';

type Values = Readonly<Record<string, number>>;

/** An instrument of a database, with its numbers at the last look. */
export interface Reading {
  readonly database: string;
  readonly instrument: Instrument;
  readonly values: Values;
}

/** A number that instruments of one kind have, as a metric. */
export interface InstrumentMetric {
  readonly metric: string;
  readonly help: string;
  /** It only grows. */
  readonly grows: boolean;
}

const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * The numbers of locks, caches and queues, as they come and go. What one that is gone has counted stays
 * counted: a counter that shrinks would be taken for a restart.
 */
export class InstrumentBook {
  #readings: readonly Reading[] = [];
  /**
   * What each had counted when its database was looked at last, by its number there. A tenant that was closed
   * comes back with the same ones: what they had counted must not count again.
   */
  readonly #before = new WeakMap<MonitoredDatabase, ReadonlyMap<number, Values>>();
  readonly #metrics = new Map<string, InstrumentMetric>();
  /** By metric, then by database, where these are told apart. */
  readonly #totals = new Map<string, Map<string, number>>();
  readonly #apart: boolean;

  /** @param apart counts for each database by itself. */
  constructor(apart: boolean) {
    this.#apart = apart;
  }

  look(watched: readonly Watched[]): readonly Reading[] {
    this.#clear(new Set(watched.map(({ name }) => name)));
    this.#readings = watched.flatMap(({ name, database }) => {
      const readings = database
        .instruments()
        .map((instrument) => ({ database: name, instrument, values: instrument.snapshot() }));
      this.#count(readings, this.#before.get(database));
      const counted = readings.map(({ instrument, values }) => [instrument.id, values] as const);
      this.#before.set(database, new Map(counted));
      return readings;
    });
    return this.#readings;
  }

  /** Every metric there has been so far. */
  metrics(): Iterable<InstrumentMetric> {
    return this.#metrics.values();
  }

  /** By database; under no name where databases are not told apart. */
  samples(metric: string): readonly (readonly [database: string, value: number])[] {
    return [...(this.#totals.get(metric) ?? [])];
  }

  get readings(): readonly Reading[] {
    return this.#readings;
  }

  /** Gauges begin anew; of databases that are gone nothing is kept under their name. */
  #clear(open: ReadonlySet<string>): void {
    for (const [metric, totals] of this.#totals) {
      if (this.#metrics.get(metric)?.grows !== true) totals.clear();
      else if (this.#apart) {
        for (const name of totals.keys()) if (!open.has(name)) totals.delete(name);
      }
    }
  }

  #count(readings: readonly Reading[], earlier: ReadonlyMap<number, Values> | undefined): void {
    for (const { database, instrument, values } of readings) {
      const before = earlier?.get(instrument.id);
      for (const [key, value] of Object.entries(values)) {
        const { metric, grows } = this.#metricOf(instrument, key);
        let totals = this.#totals.get(metric);
        if (totals === undefined) this.#totals.set(metric, (totals = new Map<string, number>()));
        const counted = before?.[key] ?? 0;
        const more = grows && value >= counted ? value - counted : value;
        const name = this.#apart ? database : '';
        totals.set(name, (totals.get(name) ?? 0) + more);
      }
    }
  }

  #metricOf({ kind, counters }: Instrument, key: string): InstrumentMetric {
    const grows = counters.includes(key);
    const metric = `mysql_boomerang_${kind}_${snakeCase(key)}${grows ? '_total' : ''}`;
    let found = this.#metrics.get(metric);
    if (found === undefined) {
      const words = snakeCase(key).replaceAll('_', ' ');
      const help = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}: ${words}, of all in this process.`;
      this.#metrics.set(metric, (found = { metric, help, grows }));
    }
    return found;
  }
}
