import type { Clock } from '../clock';
import { sql, type SqlFragment } from '../driver/sql-tag';
import { LockLostError, NoTransactionError, TransactionOpenError } from '../errors';
import type { Frame } from '../transaction/frame';
import { checkTtl } from './lock-options';
import type { Claim } from './lock-table';

/** What keeps leases alive, and ends them. */
export interface LeaseKeeper {
  readonly clock: Clock;
  /** The frame the caller stands in, if one is open. */
  openFrame(): Frame | undefined;
  assertHeld(claim: Claim, ttl: number): Promise<boolean>;
  /** Renews this lease now. Resolves to whether it still held. */
  renew(lease: LockLease, ttl: number): Promise<boolean>;
  /** To be renewed as soon as can be. */
  hurry(lease: LockLease): void;
  /** The lease is over; `claim` is to be released where it was not lost. */
  release(lease: LockLease): Promise<void>;
  lost(lease: LockLease): void;
}

/** SQL by which a row of the user's keeps out writers with an older token. */
export interface Fence {
  /** For SET: writes the token into the column. */
  readonly assignment: SqlFragment;
  /** For WHERE: no later holder has written yet. */
  readonly condition: SqlFragment;
  /** @throws {LockLostError} where the statement has matched no row. */
  check(header: { readonly affectedRows: number }): void;
}

/** How much earlier than the server the holder takes the lock for ended, in ms at most. */
const MARGIN = 200;

/**
 * A lock that is held, until it is released or lost. It is renewed by itself.
 *
 * `signal` is aborted before the server lets anybody else in, whatever the network does, by this
 * process's monotonic clock. A process that was stopped and goes on finds it aborted at the first
 * look: every access compares the clock before anything else.
 */
export class LockLease {
  readonly name: string;
  /** Grows with every acquisition of the name: what a later holder wrote is told from what a stale one would. */
  readonly token: bigint;
  /** @internal */
  readonly claim: Claim;
  readonly #keeper: LeaseKeeper;
  /** Made when somebody asks for it: most leases are held and given back. */
  #aborter: AbortController | undefined;
  #loss: LockLostError | undefined;
  #ttl: number;
  /** When it has to be taken for ended, by the clock. */
  #deadline: number;
  #state: 'held' | 'released' | 'lost' = 'held';
  #asserting = 0;
  #releasing: Promise<void> | undefined;

  /** @internal @param sentAt when the statement that took it was sent, by the clock. */
  constructor(keeper: LeaseKeeper, name: string, claim: Claim, ttl: number, sentAt: number) {
    this.#keeper = keeper;
    this.name = name;
    this.claim = claim;
    this.token = BigInt(claim.token);
    this.#ttl = ttl;
    this.#deadline = endOf(sentAt, ttl);
  }

  /** Aborted when the lock is lost; its reason is a {@link LockLostError}. */
  get signal(): AbortSignal {
    this.look();
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#loss !== undefined) this.#aborter.abort(this.#loss);
    }
    return this.#aborter.signal;
  }

  /** How long it surely still holds without a renewal, in ms; 0 where it is over. */
  get expiresIn(): number {
    return this.look() ? Math.max(0, this.#deadline - this.#keeper.clock.now()) : 0;
  }

  /** @internal In ms. */
  get ttl(): number {
    return this.#ttl;
  }

  /** @internal When it ends, by the clock, if it is not renewed. */
  get deadline(): number {
    return this.#deadline;
  }

  /** @internal A transaction has its row locked: it cannot be renewed, and nobody else can take it. */
  get isAsserted(): boolean {
    return this.#asserting > 0;
  }

  /** @internal Whether it holds, by the clock. */
  look(): boolean {
    if (this.#state !== 'held') return false;
    if (this.#asserting > 0 || this.#keeper.clock.now() < this.#deadline) return true;
    this.lose('it was not renewed in time');
    return false;
  }

  /**
   * Holds the lock for `ttl` ms from now, and for as long from each renewal on.
   *
   * @throws {LockLostError} where it is over.
   */
  async extend(ttl: number = this.#ttl): Promise<void> {
    checkTtl(ttl);
    this.#refuseInFrame('extend');
    this.#refuseIfOver();
    if (!(await this.#keeper.renew(this, ttl))) throw this.#lostError();
  }

  /** Gives the lock back. A second call resolves, as does one after it was lost. */
  release(): Promise<void> {
    try {
      if (this.#releasing === undefined) this.#refuseInFrame('release');
    } catch (error) {
      return Promise.reject(error);
    }
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    if (!this.look()) return;
    this.#state = 'released';
    await this.#keeper.release(this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /**
   * Inside `db.atomic`: makes sure that the lock is held, and keeps it held until the transaction has
   * ended, so that a holder who was paused cannot commit. Call it in the transaction that writes.
   *
   * @throws {LockLostError} where it is lost: let it leave the block.
   * @throws {NoTransactionError} outside a transaction, where it would prove nothing.
   */
  async assertHeld(): Promise<void> {
    this.#refuseIfOver();
    const { clock } = this.#keeper;
    const frame = this.#keeper.openFrame();
    if (frame === undefined) {
      throw new NoTransactionError(
        'assertHeld() outside a transaction proves nothing about the statements that follow: call it ' +
          'inside db.atomic().',
      );
    }
    let sentAt = clock.now();
    this.#asserting++;
    let over = false;
    const settle = (committed: boolean): void => {
      if (over) return;
      over = true;
      this.#asserting--;
      if (committed) this.#deadline = Math.max(this.#deadline, endOf(sentAt, this.#ttl));
      if (this.look()) this.#keeper.hurry(this);
    };
    let held: boolean;
    try {
      held = await this.#keeper.assertHeld(this.claim, this.#ttl);
    } catch (error) {
      settle(false);
      throw error;
    }
    if (!held) {
      settle(false);
      this.lose('somebody else has it');
      throw this.#lostError();
    }
    const unlisten = [
      frame.onConnectionLost(() => {
        // The server lets go of the row: nothing keeps others out any more.
        settle(false);
        this.lose('the connection of the transaction that asserted it was lost');
      }),
      // After a deadlock the row is free at once, however long the block goes on.
      frame.onFailure(() => settle(false)),
    ];
    frame.hooks.beforeCommit(async () => {
      // In a long transaction the time that was written would be over when others see it.
      const now = clock.now();
      if (now < sentAt + this.#ttl / 2) return;
      if (!(await this.#keeper.assertHeld(this.claim, this.#ttl))) throw this.#lostError();
      sentAt = now;
    });
    frame.hooks.whenSettled((committed) => {
      for (const each of unlisten) each();
      settle(committed);
    });
  }

  /**
   * SQL for a `BIGINT` column of the user's own that keeps stale holders out without `assertHeld`.
   *
   * @example
   * const fence = lease.fence('fence');
   * const [header] = await db.execute<ResultHeader>(
   *   sql`UPDATE jobs SET state = ${state}, ${fence.assignment} WHERE id = ${id} AND ${fence.condition}`,
   * );
   * fence.check(header);
   */
  fence(column: string): Fence {
    this.#refuseIfOver();
    const name = sql.identifier(column);
    return {
      assignment: sql`${name} = ${this.token}`,
      condition: sql`${name} <= ${this.token}`,
      check: ({ affectedRows }) => {
        if (affectedRows > 0) return;
        this.look();
        throw this.#lostError('no row was matched: a later holder has written, or there is none');
      },
    };
  }

  /** @internal It was renewed by a statement that was sent at `sentAt`. */
  extended(sentAt: number, ttl: number): void {
    this.#ttl = ttl;
    this.#deadline = endOf(sentAt, ttl);
  }

  /** @internal */
  lose(why: string): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#keeper.lost(this);
    this.#loss = this.#lostError(why);
    this.#aborter?.abort(this.#loss);
  }

  #refuseInFrame(what: string): void {
    if (this.#keeper.openFrame() === undefined) return;
    throw new TransactionOpenError(
      `${what}() inside a transaction could wait for the very row that assertHeld() has locked: call it ` +
        'after the transaction, for instance in afterCommit().',
    );
  }

  #refuseIfOver(): void {
    if (!this.look()) throw this.#lostError();
  }

  #lostError(why?: string): LockLostError {
    if (this.#loss !== undefined) return this.#loss;
    const what = this.#state === 'released' ? 'was released' : 'is lost';
    return new LockLostError(
      `This lock ${what}${why === undefined ? '' : `: ${why}`}. Somebody else may have it by now.`,
    );
  }
}

/** The server counts from when it got the statement, which is later. */
function endOf(sentAt: number, ttl: number): number {
  return sentAt + ttl - Math.min(MARGIN, ttl / 10);
}
