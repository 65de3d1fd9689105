import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock';
import type { MemoryOptions } from './cache-options';
import type { Found, Packed } from './entry';

/** Something that was changed here: no read that began before it may put back what it found. */
const CHANGED: Packed = Object.freeze({ kind: -1, bytes: Buffer.alloc(0) });

interface Kept {
  readonly packed: Packed;
  /** The moment up to which it may be served, by the clock. */
  readonly until: number;
  /** Of the change after which it counts. */
  readonly change: number;
}

/**
 * Values in this process's memory, as bytes: every reader gets a value of its own. A change made here
 * is seen at once, one made by another process after `ttl` at most, which counts from the moment the
 * read was sent.
 */
export class MemoryTier {
  readonly #entries: LRUCache<string, Kept>;
  readonly #clock: Clock;
  readonly #ttl: number;
  readonly #largest: number;
  /** Counts what was changed here. */
  #changes = 0;
  /** The change before which no read counts, whatever its key. */
  #floor = 0;

  constructor({ max, maxBytes, ttl }: Required<MemoryOptions>, clock: Clock) {
    this.#clock = clock;
    this.#ttl = ttl;
    this.#entries = new LRUCache({
      max,
      maxSize: maxBytes,
      sizeCalculation: ({ packed }, name) => packed.bytes.length + name.length,
      // A change that is not remembered any more is taken for one of all keys.
      dispose: ({ packed, change }, _, reason) => {
        if (packed === CHANGED && reason === 'evict') this.#floor = Math.max(this.#floor, change);
      },
    });
    this.#largest = maxBytes;
  }

  /** A mark to be taken before a read is sent. */
  begin(): ReadMark {
    return { change: this.#changes, sentAt: this.#clock.now() };
  }

  get(name: string): Packed | undefined {
    const kept = this.#entries.get(name);
    if (kept === undefined || kept.packed === CHANGED) return undefined;
    if (kept.until > this.#clock.now()) return kept.packed;
    this.#entries.delete(name);
    return undefined;
  }

  /** What a read found. Not kept where something was changed here since it was sent. */
  put(name: string, { freshFor, kind, bytes }: Found, { change, sentAt }: ReadMark): void {
    // Too large for it: to set it would be to forget what is remembered of the key.
    if (bytes.length + name.length > this.#largest) return;
    const last = this.#entries.peek(name);
    if (change < this.#floor || (last !== undefined && last.change > change)) return;
    const until = sentAt + Math.min(freshFor, this.#ttl);
    this.#entries.set(name, { packed: { kind, bytes }, until, change });
  }

  /** The value was changed here. */
  forget(name: string): void {
    const change = ++this.#changes;
    // Remembered for as long as a read could be under way whose value would be kept.
    const until = this.#clock.now() + this.#ttl;
    this.#entries.set(name, { packed: CHANGED, until, change });
  }

  /** Any value may have been changed here. */
  forgetAll(): void {
    this.#floor = ++this.#changes;
    this.#entries.clear();
  }
}

export interface ReadMark {
  readonly change: number;
  readonly sentAt: number;
}
