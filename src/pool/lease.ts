import type { Connection } from '../driver/connection';
import type { Result, Statement, StatementKind } from '../driver/statement';
import { LeaseReleasedError } from '../errors';
import type { PoolEntry } from './entry';

/** Where leases go back to. */
export interface LeaseHome {
  takeBack(entry: PoolEntry, discard: Error | undefined): Promise<void> | undefined;
  /** The holder of the lease was garbage-collected. */
  noteAbandoned(entry: PoolEntry): void;
  /** Stops what runs on the connection; resolves when it can be used again, or is closed. */
  cutOff(entry: PoolEntry, grace?: number): Promise<void>;
}

const DONE = Promise.resolve();

/** The error of any use after the release. */
export function releasedError(): LeaseReleasedError {
  return new LeaseReleasedError(
    'This connection was released; take another one with getConnection()',
  );
}

/**
 * The exclusive use of a connection from acquire to release. One object per checkout: a stale
 * holder can neither use nor release what somebody else has by now.
 */
export class Lease {
  readonly #home: LeaseHome;
  readonly #entry: PoolEntry;
  #returned: Promise<void> | undefined;

  constructor(home: LeaseHome, entry: PoolEntry) {
    this.#home = home;
    this.#entry = entry;
  }

  /** For the library's own use; not guarded after release. */
  get connection(): Connection {
    return this.#entry.connection;
  }

  get released(): boolean {
    return this.#returned !== undefined;
  }

  run<T>(kind: StatementKind, statement: Statement): Promise<Result<T>> {
    if (this.#returned !== undefined) {
      return Promise.reject(releasedError());
    }
    return this.#entry.connection.run(kind, statement);
  }

  /**
   * Gives the connection back. `undefined` where it is back already: the clean return costs neither
   * a round trip nor a promise. The promise never rejects. A second call gives the first one's.
   */
  giveBack(): Promise<void> | undefined {
    if (this.#returned === undefined) {
      // Set first: taking back may serve a waiter, and with it anybody's code.
      this.#returned = DONE;
      this.#returned = this.#home.takeBack(this.#entry, undefined) ?? DONE;
    }
    return this.#returned === DONE ? undefined : this.#returned;
  }

  /** Stops what runs on the connection; resolves when it can be used again, or is closed. Never rejects. */
  cutOff(grace?: number): Promise<void> {
    return this.#home.cutOff(this.#entry, grace);
  }

  /** Stopping what ran is under way: what is sent now could be hit. */
  get stopping(): Promise<void> | undefined {
    return this.#entry.stopping;
  }

  /** Which generation of the pool's connections it belongs to. */
  get generation(): number {
    return this.#entry.generation;
  }

  /** Reports that its holder is gone; whoever notices gives it back. */
  noteAbandoned(): void {
    if (this.#returned === undefined) this.#home.noteAbandoned(this.#entry);
  }

  /** Gives back what its holder, who is gone, did not; reported as a leak. */
  reclaim(): void {
    if (this.#returned !== undefined) return;
    this.#home.noteAbandoned(this.#entry);
    void this.giveBack();
  }

  /** Gives the connection back to be closed at once: what is pending rejects with `reason`. */
  discard(reason: Error): void {
    if (this.#returned !== undefined) return;
    this.#returned = DONE;
    void this.#home.takeBack(this.#entry, reason);
  }
}
