import type { Clock, Timer } from '../clock';
import type { PoolEntry } from './entry';
import { LinkedList } from './linked-list';

/**
 * The idle connections. The last one returned is lent first, so that those the load does not need
 * stay at the bottom and reach `idleTimeout`.
 *
 * One timer serves all: it is set for the moment when the bottom one is due.
 */
export class IdleStack {
  readonly #entries = new LinkedList<PoolEntry>();
  readonly #clock: Clock;
  readonly #idleTimeout: number;
  readonly #keep: number;
  readonly #close: (entry: PoolEntry) => void;
  #timer: Timer | undefined;

  /** `close` is given each connection that was idle for `idleTimeout` ms while more than `keep` were. */
  constructor(clock: Clock, idleTimeout: number, keep: number, close: (entry: PoolEntry) => void) {
    this.#clock = clock;
    this.#idleTimeout = idleTimeout;
    this.#keep = keep;
    this.#close = close;
  }

  get size(): number {
    return this.#entries.size;
  }

  push(entry: PoolEntry): void {
    entry.state = 'idle';
    entry.idleSince = this.#clock.now();
    this.#entries.append(entry.place);
    if (this.#timer === undefined && this.#idleTimeout > 0 && this.size > this.#keep) {
      this.#setTimer(this.#idleTimeout);
    }
  }

  pop(): PoolEntry | undefined {
    return this.#entries.takeLast();
  }

  remove(entry: PoolEntry): boolean {
    return this.#entries.remove(entry.place);
  }

  /** Takes all out; no timer is left. */
  drain(): PoolEntry[] {
    this.#timer?.cancel();
    this.#timer = undefined;
    const all: PoolEntry[] = [];
    for (let entry = this.pop(); entry !== undefined; entry = this.pop()) all.push(entry);
    return all;
  }

  #setTimer(delay: number): void {
    this.#timer = this.#clock.setTimer(() => this.#sweep(), delay);
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    while (this.size > this.#keep) {
      const bottom = this.#entries.first;
      if (bottom === undefined) return;
      const left = bottom.idleSince + this.#idleTimeout - now;
      if (left > 0) {
        this.#setTimer(left);
        return;
      }
      this.#entries.remove(bottom.place);
      this.#close(bottom);
    }
  }
}
