import type { Clock, Timer } from '../clock';
import type { LeakReport } from '../metrics/tracker';
import type { PoolEntry } from './entry';

/** What the log says of each kind of report. */
export const LEAK_TEXTS: Readonly<Record<LeakReport['kind'], string>> = {
  held: 'a connection is out for long; a leak?',
  returned: 'a connection that was out for long came back after all',
  reclaimed: 'a connection whose holder is gone was reclaimed; it was never given back',
};

/**
 * Reports leases that are out for longer than a threshold, once each, and again when they come back
 * after all. One timer serves all leases; with a threshold of 0 nothing is done and nothing costs.
 */
export class LeakWatch {
  readonly #clock: Clock;
  readonly #threshold: number;
  readonly #out: ReadonlySet<PoolEntry>;
  readonly #report: (report: LeakReport) => void;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    threshold: number,
    out: ReadonlySet<PoolEntry>,
    report: (report: LeakReport) => void,
  ) {
    this.#clock = clock;
    this.#threshold = threshold;
    this.#out = out;
    this.#report = report;
  }

  get watches(): boolean {
    return this.#threshold > 0;
  }

  lent(entry: PoolEntry): void {
    if (!this.watches) return;
    entry.lentAt = this.#clock.now();
    entry.reported = false;
    this.#timer ??= this.#clock.setTimer(() => this.#sweep(), this.#threshold);
  }

  returned(entry: PoolEntry): void {
    if (!entry.reported) return;
    entry.reported = false;
    this.#report(this.#about(entry, 'returned'));
  }

  /** The lease's holder was garbage-collected. */
  reclaimed(entry: PoolEntry): void {
    entry.reported = false;
    this.#report(this.#about(entry, 'reclaimed'));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    let next = Infinity;
    for (const entry of this.#out) {
      if (entry.reported) continue;
      const left = entry.lentAt + this.#threshold - now;
      if (left > 0) {
        next = Math.min(next, left);
        continue;
      }
      entry.reported = true;
      this.#report(this.#about(entry, 'held'));
    }
    if (next < Infinity) this.#timer = this.#clock.setTimer(() => this.#sweep(), next);
  }

  #about({ connection, owner, lentAt }: PoolEntry, kind: LeakReport['kind']): LeakReport {
    return {
      threadId: connection.threadId,
      label: owner?.label,
      stack: owner?.stack,
      heldFor: this.watches ? Math.round(this.#clock.now() - lentAt) : undefined,
      kind,
    };
  }
}
