import type { Timer } from '../clock';
import type { RetryingPooledDatabase } from '../database';
import type { Admission } from '../pool/admission';
import type { PoolEntry } from '../pool/entry';
import type { Pool } from '../pool/pool';
import type { Budget } from './budget';
import type { CloseReason } from './registry-options';

/** A tenant's connections on their way out. */
export interface Closing {
  readonly reason: CloseReason;
  /** The last of its connections is gone. */
  readonly done: Promise<void>;
  readonly resolve: () => void;
}

/**
 * One tenant: its database, and its part in what all tenants share.
 *
 * The database is the same object for as long as anybody holds it. What is opened and closed are its
 * connections, so a handle is never stale, and scopes and transactions, which know a database by its
 * pool, never see another one in its place.
 */
export class Tenant implements Admission {
  readonly name: string;
  readonly db: RetryingPooledDatabase;
  readonly pool: Pool;
  readonly #budget: Budget;
  /** Callers of `use` whose function runs. */
  users = 0;
  /** When it was last asked for, or a connection of it came back. */
  usedAt: number;
  state: 'closed' | 'open' | 'closing' = 'closed';
  /** Its connections, those being opened and those saying goodbye included. */
  places = 0;
  /** How many of these are being closed for others. */
  promised = 0;
  /** When it took its first place; `undefined` once it has the connection. */
  openedAt: number | undefined;
  /** When its present turn began; `undefined` before it has a connection at hand. */
  turnSince: number | undefined;
  /** It hands its place over to another: opens no connection, and keeps none that comes back. */
  drain: Timer | undefined;
  closing: Closing | undefined;

  constructor(name: string, db: RetryingPooledDatabase, pool: Pool, budget: Budget, now: number) {
    this.name = name;
    this.db = db;
    this.pool = pool;
    this.#budget = budget;
    this.usedAt = now;
    this.pool.govern(this);
  }

  /** Somebody has a connection, waits for one, or is in the middle of `use`. */
  get isActive(): boolean {
    if (this.users > 0) return true;
    const { active, waiting } = this.pool.numbers;
    return active > 0 || waiting > 0;
  }

  enter(): boolean {
    return this.#budget.enter(this);
  }

  leave(): void {
    this.#budget.leave(this);
  }

  yields(entry: PoolEntry): boolean {
    // Not the present moment: a sign of life that an idle connection gave is no use of it.
    this.usedAt = Math.max(this.usedAt, entry.idleSince);
    return this.#budget.yields(this, entry);
  }

  get refusal(): string | undefined {
    return this.#budget.refusalOf(this);
  }
}
