import { Histogram } from './histogram';
import type { Recorder } from './recorder';
import type { Watched } from './watch';

/** The pools at one moment, of all databases together. */
export interface Sample {
  /** Milliseconds since 1970, by this process's clock. */
  readonly at: number;
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
  readonly connecting: number;
  /** Statements a second since the sample before. */
  readonly rate: number;
}

/** How fast statements were lately, in ms. */
export interface Pace {
  readonly median: number | undefined;
  readonly p95: number | undefined;
}

/** Samples that are kept: five minutes of seconds. */
const KEPT = 300;

/** Samples over which the pace is told. */
const LATELY = 15;

/** Samples that make a moment a state. */
const STEADY = 3;

/** The pools over the last minutes. */
export class History {
  readonly #samples: Sample[] = [];
  /** All statements so far, at each of the last samples. */
  readonly #totals: Histogram[] = [];

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  get pace(): Pace {
    const [first] = this.#totals;
    const lately = first === undefined ? undefined : this.#totals.at(-1)?.since(first);
    return { median: lately?.quantile(0.5), p95: lately?.quantile(0.95) };
  }

  /** Whether every connection was out each time it was looked lately: for a moment it is no news. */
  isFull(limit: number): boolean {
    const lately = this.#samples.slice(-STEADY);
    return lately.length === STEADY && lately.every(({ active }) => limit > 0 && active >= limit);
  }

  take(at: number, watched: readonly Watched[], recorders: readonly Recorder[]): Sample {
    const total = new Histogram();
    for (const recorder of recorders) {
      for (const { durations } of recorder.statements()) total.add(durations);
    }
    const sums = { active: 0, idle: 0, waiting: 0, connecting: 0 };
    for (const { database } of watched) {
      const { active, idle, waiting, connecting } = database.stats();
      sums.active += active;
      sums.idle += idle;
      sums.waiting += waiting;
      sums.connecting += connecting;
    }
    const before = this.#samples.at(-1);
    const fresh = total.count - (this.#totals.at(-1)?.count ?? 0);
    const seconds = before === undefined ? 0 : (at - before.at) / 1000;
    // Fewer than before: a database that was counted by itself is gone.
    const rate = seconds > 0 ? Math.max(0, fresh) / seconds : 0;
    const sample = { at, ...sums, rate };
    this.#samples.push(sample);
    if (this.#samples.length > KEPT) this.#samples.shift();
    this.#totals.push(total);
    if (this.#totals.length > LATELY) this.#totals.shift();
    return sample;
  }
}
