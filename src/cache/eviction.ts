import type { RetryingPooledDatabase } from '../database';
import { errorFields, type Logger } from '../logger';
import type { Namespace } from './cache-key';
import type { SampleRow } from './cache-row';
import type { CacheRows } from './cache-rows';

/** Rows in one sample, and samples for one estimate. */
const SAMPLE = 64;
const SAMPLES = 6;
/** How far below the limit it is gone at a time, and how much may be written until it is looked again. */
const SLACK = 0.1;
/** Rows looked at, at a time, for those that are to go. */
const PAGE = 500;

export interface EvictionOptions {
  readonly db: RetryingPooledDatabase;
  readonly table: Pick<CacheRows, 'sample' | 'remove'>;
  readonly namespace: Namespace;
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly logger: Logger;
  readonly onEvicted: (count: number) => void;
}

interface Sampled {
  readonly rows: readonly SampleRow[];
  /** Which share of the whole was looked at. */
  readonly share: number;
}

/**
 * Keeps a namespace about within its limits. Rides on writes: after about a tenth of the limit was
 * written here, some pieces of the table are read, which say how much there is (ids are hashes and so
 * lie evenly), and of which the entries go that were written longest ago. A rewritten entry is as
 * young as a new one.
 *
 * After the idea of sampling in place of a queue: Redis, "Using Redis as an LRU cache".
 */
export class Eviction {
  readonly #options: EvictionOptions;
  #entries = 0;
  #bytes = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  /** Something was written: the moment to look, if it is time. */
  ride(entries: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#options;
    if (this.#stopped || (maxEntries === 0 && maxBytes === 0)) return;
    this.#entries += entries;
    this.#bytes += bytes;
    const isDue =
      (maxEntries > 0 && this.#entries >= maxEntries * SLACK) ||
      (maxBytes > 0 && this.#bytes >= maxBytes * SLACK);
    if (!isDue || this.#running !== undefined) return;
    this.#entries = this.#bytes = 0;
    // Not part of the transaction of whoever wrote.
    this.#running = this.#options.db
      .withoutScope(() => this.#shrink())
      .catch((error: unknown) => {
        this.#options.logger.warn(errorFields(error), 'a cache was not brought within its limits');
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when what is under way is done. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.settled();
  }

  async #shrink(): Promise<void> {
    while (!this.#stopped) {
      const { rows, share } = await this.#sample();
      const surplus = this.#surplus({ rows, share });
      if (surplus <= 0) return;
      const oldest = rows.toSorted((a, b) => a.written - b.written);
      const count = Math.ceil(rows.length * surplus);
      if (share >= 1) {
        await this.#remove(oldest.slice(0, count));
        return;
      }
      const until = oldest[count - 1]?.written ?? -Infinity;
      const removed = await this.#removeOlder(until, Math.ceil(count / share));
      if (removed === 0) return;
    }
  }

  /** Goes through pages from a place drawn by chance on, once around at most. */
  async #removeOlder(until: number, most: number): Promise<number> {
    const { table, namespace } = this.#options;
    const start = namespace.at(Math.random());
    let removed = 0;
    for (const [first, beyond] of [
      [start, namespace.beyond],
      [namespace.first, start],
    ] as const) {
      for (let from = first; removed < most && !this.#stopped;) {
        const rows = await table.sample(from, beyond, PAGE);
        removed += await this.#remove(rows.filter(({ written }) => written <= until));
        const last = rows.at(-1);
        if (last === undefined || rows.length < PAGE) break;
        from = last.id;
      }
    }
    return removed;
  }

  async #remove(rows: readonly SampleRow[]): Promise<number> {
    if (rows.length === 0) return 0;
    const removed = await this.#options.table.remove(rows);
    this.#options.onEvicted(removed);
    return removed;
  }

  /** Pieces at even distances from a place drawn by chance; everything where there is little. */
  async #sample(): Promise<Sampled> {
    const { table, namespace } = this.#options;
    const all = await table.sample(namespace.first, namespace.beyond, SAMPLE * SAMPLES);
    if (all.length < SAMPLE * SAMPLES) return { rows: all, share: 1 };
    const start = Math.random() / SAMPLES;
    const rows = new Map<string, SampleRow>();
    let share = 0;
    for (let at = 0; at < SAMPLES; at++) {
      const from = start + at / SAMPLES;
      const piece = await table.sample(namespace.at(from), namespace.beyond, SAMPLE);
      for (const row of piece) rows.set(row.id.toString('latin1'), row);
      const last = piece.at(-1);
      const end = piece.length < SAMPLE || last === undefined ? 1 : namespace.shareOf(last.id);
      share += Math.max(0, end - from);
    }
    return { rows: [...rows.values()], share: Math.min(1, share) };
  }

  /** By which share of what there is it is too much. */
  #surplus({ rows, share }: Sampled): number {
    const { maxEntries, maxBytes } = this.#options;
    if (rows.length === 0) return 0;
    const entries = rows.length / share;
    const bytes = rows.reduce((sum, { size }) => sum + size, 0) / share;
    return Math.max(over(entries, maxEntries), over(bytes, maxBytes));
  }
}

function over(found: number, limit: number): number {
  if (limit === 0 || found <= limit) return 0;
  return 1 - (limit * (1 - SLACK)) / found;
}
