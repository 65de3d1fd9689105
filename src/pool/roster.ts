import type { Clock } from '../clock';
import type { PoolNumbers } from '../errors';
import { noTotals, type PoolStats } from '../metrics/counters';
import type { LeaseHolder } from '../metrics/holder';
import type { Observation } from '../metrics/observation';
import type { PoolTracker, RemovalReason } from '../metrics/tracker';
import type { Admission } from './admission';
import type { PoolEntry } from './entry';
import { IdleStack } from './idle-stack';

/** How long a connection may take over its goodbye before the socket is closed, in ms. */
const GOODBYE = 1000;

/**
 * Which connections there are and where each stands: idle, out, or being asked for a sign of life.
 * Keeps the books and decides nothing.
 */
export class Roster {
  readonly idle = new IdleStack();
  readonly out = new Set<PoolEntry>();
  /** Idle ones that are being asked for a sign of life; they count as idle. */
  readonly proving = new Set<PoolEntry>();
  readonly totals = noTotals();
  /** Where a connection's place goes back to when it is gone. */
  admission: Admission | undefined;
  readonly #clock: Clock;
  readonly #since: Date;
  readonly #tracker: PoolTracker;
  readonly #observation: Observation;
  readonly #goodbyes = new Set<Promise<void>>();
  #onEmpty: (() => void) | undefined;

  constructor(clock: Clock, tracker: PoolTracker, observation: Observation) {
    this.#clock = clock;
    this.#since = clock.date();
    this.#tracker = tracker;
    this.#observation = observation;
  }

  numbers(waiting: number): PoolNumbers {
    const active = this.out.size;
    const idle = this.idle.size + this.proving.size;
    return { total: active + idle, active, idle, waiting };
  }

  stats(waiting: number, connecting: number, auxiliary: number): PoolStats {
    const { numbers, totals } = { numbers: this.numbers(waiting), totals: this.totals };
    return Object.freeze({ ...numbers, connecting, auxiliary, ...totals, since: this.#since });
  }

  created({ connection }: PoolEntry): void {
    this.totals.created++;
    this.#tracker.connected?.(connection.threadId);
  }

  /** @param waited how long its borrower has waited for it, in ms. */
  lend(entry: PoolEntry, waited: number): void {
    this.out.add(entry);
    this.totals.acquired++;
    const observer = this.#observation.current;
    if (observer !== undefined) {
      entry.lentAt = this.#clock.now();
      observer.acquired(waited);
    }
    this.#tracker.acquired?.(entry.connection.threadId);
  }

  comeBack(entry: PoolEntry, now: number): void {
    this.out.delete(entry);
    const observer = this.#observation.current;
    // One that was taken before anybody watched tells nothing.
    if (observer !== undefined && !Number.isNaN(entry.lentAt)) {
      observer.held(now - entry.lentAt);
    }
    entry.lentAt = NaN;
    entry.owner = undefined;
    this.totals.released++;
    this.#tracker.released?.(entry.connection.threadId);
  }

  gone(entry: PoolEntry, reason: RemovalReason): void {
    this.#left(entry, reason);
    this.admission?.leave();
  }

  /** Who has which connection, the longest first. */
  holders(): LeaseHolder[] {
    const now = this.#clock.now();
    return [...this.out].map(({ connection, owner, lentAt }) => ({
      threadId: connection.threadId,
      label: owner?.label,
      stack: owner?.stack,
      heldFor: Number.isNaN(lentAt) ? undefined : now - lentAt,
    }));
  }

  /** Connections that are saying goodbye: no longer ours, still sessions on the server. */
  get leaving(): number {
    return this.#goodbyes.size;
  }

  /** Closes with a goodbye, in the background; `closed` is called when the socket is. */
  retire(entry: PoolEntry, closed: () => void): void {
    const goodbye = entry.connection.close(GOODBYE).then(() => {
      this.#goodbyes.delete(goodbye);
      // Others may wait longer for the place than this pool does.
      this.admission?.leave();
      closed();
    });
    this.#goodbyes.add(goodbye);
    this.#left(entry, 'retired');
  }

  /** Resolves when every goodbye is said. */
  async goodbyes(): Promise<void> {
    await Promise.all(this.#goodbyes);
  }

  /** A lease came back, all the way. */
  noteReturn(): void {
    if (this.out.size === 0) this.#onEmpty?.();
  }

  /** Waits until no lease is out; false where some still are after `deadline` ms. */
  allReturned(clock: Clock, deadline: number): Promise<boolean> {
    if (this.out.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = clock.setDeadline(() => resolve(false), deadline);
      this.#onEmpty = () => {
        timer.cancel();
        resolve(true);
      };
    });
  }

  #left({ connection }: PoolEntry, reason: RemovalReason): void {
    this.totals.destroyed++;
    this.#observation.current?.removed(reason);
    this.#tracker.removed?.(connection.threadId, reason);
  }
}
