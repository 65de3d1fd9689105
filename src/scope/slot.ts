import type { Clock } from '../clock';
import type { Limit } from '../limit';
import type { Owner } from '../pool/entry';
import type { Lease } from '../pool/lease';
import type { Pool } from '../pool/pool';
import type { AcquireOptions } from '../pool/acquire-options';
import { Lane } from './lane';

/** How a slot's lease is asked for. */
export type SlotTerms = Pick<AcquireOptions, 'within' | 'hint'>;

export interface SlotOptions extends SlotTerms {
  /** A lease that is somebody else's, who gives it back. */
  readonly pinned?: Lease;
}

const NO_OPTIONS: SlotOptions = {};

/**
 * A scope's share of one database: the lease, once a statement has asked for one, and the order in
 * which statements use it.
 */
export class Slot {
  readonly pool: Pool;
  readonly lane: Lane;
  readonly #pinned: boolean;
  readonly #owner: Owner;
  readonly #terms: SlotTerms;
  #lease: Lease | undefined;

  constructor(pool: Pool, clock: Clock, owner: Owner, options: SlotOptions = NO_OPTIONS) {
    this.pool = pool;
    this.#owner = owner;
    this.#terms = options;
    this.lane = new Lane(clock, pool.acquireTimeout);
    this.#pinned = options.pinned !== undefined;
    this.#lease = options.pinned;
  }

  get holdsLease(): boolean {
    return this.#lease !== undefined;
  }

  /** The lease; taken now if there is none, or if its connection was lost. Call in one's turn only. */
  take(limit?: Limit): Lease | Promise<Lease> {
    const held = this.#lease;
    if (held !== undefined && (this.#pinned || held.connection.lost === undefined)) return held;
    if (held !== undefined) void held.giveBack();
    this.#lease = undefined;
    const idle = this.pool.tryAcquire(this.#owner);
    if (idle !== undefined) {
      this.#lease = idle;
      return idle;
    }
    const { within, hint } = this.#terms;
    return this.pool.acquire({ owner: this.#owner, limit, within, hint }).then((lease) => {
      this.#lease = lease;
      return lease;
    });
  }

  /** Gives the lease back, if there is one. Never rejects. */
  giveBack(): Promise<void> | undefined {
    if (this.#pinned) return undefined;
    const held = this.#lease;
    this.#lease = undefined;
    return held?.giveBack();
  }

  /** Gives the lease back for a holder who is gone; reported as a leak. */
  reclaim(): void {
    const held = this.#lease;
    this.#lease = undefined;
    held?.reclaim();
  }

  /** After a statement that leaves the connection unusable. */
  drop(_lease: Lease, reason: Error): void {
    this.discard(reason);
  }

  /** After a statement: the scope keeps the lease. */
  done(): undefined {}

  /** Closes the connection instead of giving it back: its state is not known. */
  discard(reason: Error): void {
    const held = this.#lease;
    if (held === undefined) return;
    if (this.#pinned) {
      // It stays the borrower's, who gives it back; once given back it is somebody else's.
      if (!held.released) held.connection.destroy(reason);
      return;
    }
    this.#lease = undefined;
    held.discard(reason);
  }
}
