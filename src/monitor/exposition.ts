import { Counter, Gauge, Registry } from 'prom-client';
import { histogramText, type Labels } from './histogram-text';
import type { InstrumentBook } from './instrument-book';
import { COUNTERS, GAUGES, HISTOGRAMS, type PoolNow } from './metric-table';
import type { Recorder } from './recorder';
import type { Watch } from './watch';

type Sample = readonly [labels: Labels, value: number];

/**
 * What is watched as Prometheus reads it. Everything is counted elsewhere, and read when it is asked
 * for. With many databases and no label to tell them apart it is their sum.
 */
export class Exposition {
  readonly #registry = new Registry();
  readonly #watch: Watch;
  readonly #instruments: InstrumentBook;
  readonly #apart: boolean;
  readonly #instrumentMetrics = new Set<string>();
  #pools: readonly PoolNow[] = [];

  constructor(watch: Watch, instruments: InstrumentBook, apart: boolean) {
    this.#watch = watch;
    this.#instruments = instruments;
    this.#apart = apart;
    for (const { name, help, of } of GAUGES) this.#gauge(name, help, of);
    for (const { name, help, labels, of } of COUNTERS) {
      this.#counter(name, help, labels, () => this.#fromRecorders(of));
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it as text, in the exposition format of `contentType`. */
  async text(): Promise<string> {
    const watched = this.#watch.look();
    this.#pools = watched.map(({ name, database }) => ({
      name,
      stats: database.stats(),
      limits: database.limits(),
    }));
    this.#instruments.look(watched);
    for (const { metric, help, grows } of this.#instruments.metrics()) {
      if (this.#instrumentMetrics.has(metric)) continue;
      this.#instrumentMetrics.add(metric);
      const read = (): readonly Sample[] =>
        this.#instruments.samples(metric).map(([name, value]) => [this.#named(name), value]);
      if (grows) this.#counter(metric, help, [], read);
      else this.#make(Gauge, metric, help, [], read);
    }
    const histograms = HISTOGRAMS.map(({ name, help, of }) =>
      histogramText(name, help, this.#fromRecorders(of)),
    );
    return [await this.#registry.metrics(), ...histograms, ''].join('\n');
  }

  #gauge(
    name: string,
    help: string,
    of: readonly (readonly [Labels, (pool: PoolNow) => number])[],
  ): void {
    const labels = of.flatMap(([each]) => Object.keys(each));
    this.#make(Gauge, name, help, [...new Set(labels)], () => {
      if (this.#apart) {
        return this.#pools.flatMap((pool) =>
          of.map(([each, read]): Sample => [{ ...each, ...this.#named(pool.name) }, read(pool)]),
        );
      }
      return of.map(([each, read]) => [
        each,
        this.#pools.reduce((sum, pool) => sum + read(pool), 0),
      ]);
    });
  }

  #counter(
    name: string,
    help: string,
    labels: readonly string[],
    read: () => readonly Sample[],
  ): void {
    this.#make(Counter, name, help, labels, read);
  }

  #make(
    kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    labels: readonly string[],
    read: () => readonly Sample[],
  ): void {
    const labelNames = this.#apart ? [...labels, 'database'] : labels;
    new kind({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [each, value] of read()) this.inc(each, value);
      },
    });
  }

  #fromRecorders<T>(
    of: (recorder: Recorder) => Iterable<readonly [Labels, T]>,
  ): (readonly [Labels, T])[] {
    return this.#watch
      .recorders()
      .flatMap(({ name, recorder }) =>
        [...of(recorder)].map(
          ([labels, value]) => [{ ...labels, ...this.#named(name) }, value] as const,
        ),
      );
  }

  #named(database: string | undefined): Labels {
    return this.#apart && database !== undefined ? { database } : {};
  }
}
