import type { Clock, Timer } from '../clock';
import { errorFields, type Logger } from '../logger';
import type { LockLease } from './lock-lease';
import type { LockTable } from './lock-table';

/** Renewals due within this share of the time to live go along with one that is due. */
const ALONG = 1 / 6;
/** When a lease is renewed, as a share of its time to live. */
const RENEW_AT = 1 / 3;
/** How soon a renewal that failed is tried again, as a share of the time to live. */
const AGAIN = 1 / 20;
/** Leases in one statement. */
const MOST_AT_ONCE = 500;

/**
 * Keeps the leases of a process: one timer, and one statement for all that are to be renewed at
 * about the same time and for as long. A lease that could not be renewed ends by its own deadline,
 * by that timer, whatever the network does meanwhile.
 */
export class Renewal {
  readonly #table: LockTable;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** When each is to be renewed, by the clock. */
  readonly #due = new Map<LockLease, number>();
  readonly #running = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #wakesAt = Infinity;

  constructor(table: LockTable, clock: Clock, logger: Logger) {
    this.#table = table;
    this.#clock = clock;
    this.#logger = logger;
  }

  add(lease: LockLease): void {
    this.#due.set(lease, this.#clock.now() + lease.ttl * RENEW_AT);
    this.#schedule(lease);
  }

  remove(lease: LockLease): void {
    // The timer may find nothing to do: that is cheaper than setting it anew with each lease.
    this.#due.delete(lease);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#wakesAt = Infinity;
  }

  /** Resolves when no renewal is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Renews it as soon as can be. */
  hurry(lease: LockLease): void {
    if (!this.#due.has(lease)) return;
    this.#due.set(lease, this.#clock.now());
    this.#schedule(lease);
  }

  /** Renews one lease now. Resolves to whether it still held. */
  async now(lease: LockLease, ttl: number): Promise<boolean> {
    await this.#renew([lease], ttl);
    return lease.look();
  }

  #schedule(lease: LockLease): void {
    const due = this.#due.get(lease) ?? Infinity;
    this.#wakeAt(lease.isAsserted ? Infinity : Math.min(due, lease.deadline));
  }

  #wakeAt(time: number): void {
    if (time >= this.#wakesAt) return;
    this.#timer?.cancel();
    this.#wakesAt = time;
    this.#timer = this.#clock.setTimer(() => this.#tick(), Math.max(0, time - this.#clock.now()));
  }

  #tick(): void {
    this.#timer = undefined;
    this.#wakesAt = Infinity;
    const now = this.#clock.now();
    const byTtl = new Map<number, LockLease[]>();
    for (const [lease, due] of this.#due) {
      // One that is asserted is looked after when its transaction has ended.
      if (!lease.look() || lease.isAsserted) continue;
      if (due <= now + lease.ttl * ALONG) {
        const together = byTtl.get(lease.ttl) ?? [];
        together.push(lease);
        byTtl.set(lease.ttl, together);
        // Should the answer not come, it is tried again before the end.
        this.#due.set(lease, now + lease.ttl * RENEW_AT);
      }
      this.#schedule(lease);
    }
    for (const [ttl, leases] of byTtl) {
      for (let at = 0; at < leases.length; at += MOST_AT_ONCE) {
        const running = this.#renewOrRetry(leases.slice(at, at + MOST_AT_ONCE), ttl);
        this.#running.add(running);
        void running.then(() => this.#running.delete(running));
      }
    }
  }

  async #renewOrRetry(leases: readonly LockLease[], ttl: number): Promise<void> {
    try {
      await this.#renew(leases, ttl);
    } catch (error) {
      this.#logger.warn({ leases: leases.length, ...errorFields(error) }, 'locks were not renewed');
      // One row that somebody has locked must not cost the others theirs.
      if (leases.length > 1) {
        await Promise.all(leases.map((lease) => this.#renewOrRetry([lease], ttl)));
        return;
      }
      for (const lease of leases) {
        if (!this.#due.has(lease)) continue;
        this.#due.set(lease, this.#clock.now() + ttl * AGAIN);
        this.#schedule(lease);
      }
    }
  }

  async #renew(leases: readonly LockLease[], ttl: number): Promise<void> {
    const sentAt = this.#clock.now();
    const timeout = Math.max(1, Math.min(ttl * AGAIN * 4, ...leases.map((l) => l.expiresIn)));
    const claims = leases.map(({ claim }) => claim);
    const renewed = await this.#table.renew(claims, ttl, timeout);
    const held = renewed === claims.length ? undefined : await this.#table.holding(claims, timeout);
    for (const lease of leases) {
      if (held === undefined || held.has(lease.claim.owner.toString('hex'))) {
        lease.extended(sentAt, ttl);
        if (this.#due.has(lease)) this.add(lease);
      } else {
        lease.lose('it was taken away, or had ended before it was renewed');
      }
    }
  }
}
