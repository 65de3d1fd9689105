import type { Clock } from '../clock';
import type { Owner } from '../pool/entry';
import type { Lease } from '../pool/lease';
import type { Pool } from '../pool/pool';
import { Lane } from './lane';

/**
 * A scope's share of one database: the lease, once a statement has asked for one, and the order in
 * which statements use it.
 */
export class Slot {
  readonly pool: Pool;
  readonly lane: Lane;
  /** The lease is somebody else's who gives it back: `getConnection()`'s. */
  readonly #pinned: boolean;
  readonly #owner: Owner;
  #lease: Lease | undefined;

  constructor(pool: Pool, clock: Clock, owner: Owner, pinned?: Lease) {
    this.pool = pool;
    this.#owner = owner;
    this.lane = new Lane(clock, pool.acquireTimeout);
    this.#pinned = pinned !== undefined;
    this.#lease = pinned;
  }

  get holdsLease(): boolean {
    return this.#lease !== undefined;
  }

  /** The lease; taken now if there is none, or if its connection was lost. Call in one's turn only. */
  lease(): Lease | Promise<Lease> {
    const held = this.#lease;
    if (held !== undefined && (this.#pinned || held.connection.lost === undefined)) return held;
    if (held !== undefined) void held.giveBack();
    this.#lease = undefined;
    const idle = this.pool.tryAcquire(this.#owner);
    if (idle !== undefined) {
      this.#lease = idle;
      return idle;
    }
    return this.pool.acquire({ owner: this.#owner }).then((lease) => {
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
