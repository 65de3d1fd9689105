import type { Clock } from '../clock';
import type { RetryingPooledDatabase } from '../database';
import {
  LockAcquireTimeoutError,
  PoolClosedError,
  TransactionOpenError,
  checkFunction,
} from '../errors';
import type { Logger } from '../logger';
import { partsOf } from '../pooled-database';
import { currentContext } from '../scope/context';
import { openFrame } from '../schema/standing';
import { checkWritable } from '../schema/topology';
import { Sweeper } from '../schema/sweeper';
import { CONTEND, Contest, type Won } from './contest';
import { holderOf, type LockHolder } from './lock-holder';
import { LOCK_INSTRUMENT } from './lock-instrument';
import { LockLease, type LeaseKeeper } from './lock-lease';
import { lockName } from './lock-name';
import {
  resolveLockOptions,
  resolveLocksOptions,
  type AcquireLockOptions,
  type DistributedLocksOptions,
  type LockOptions,
  type ResolvedLockOptions,
} from './lock-options';
import { forgetIdle } from './lock-sweeper';
import { LockTable } from './lock-table';
import { Renewal } from './renewal';
import { Heir, Succession } from './succession';
import { WaitLine } from './wait-line';

export interface LockStats {
  /** Locks that this process holds. */
  readonly held: number;
  /** Callers that wait for one. */
  readonly waiting: number;
  /** Names that they wait for. */
  readonly names: number;
}

/** After the end of a lock that this process holds it is looked again, so much later in ms. */
const SLACK = 250;

/** How often idle names are looked for at most, in ms. */
const SWEEP_EVERY = 60_000;

/** Holders read at a time. */
const PAGE = 200;

/**
 * Mutual exclusion across processes, by the database's clock: one holder per name.
 *
 * A lock is not part of any transaction of yours, and holds no connection, neither while it is held
 * nor while it is waited for. It is renewed by itself; of a process that died it ends after its
 * `ttl`. Each acquisition bears a token that only grows: guard what you write by `assertHeld()` or
 * `fence()`, because no lock can stop a process that was paused and does not know it.
 */
export class DistributedLocks {
  /** @internal */
  readonly logger: Logger;
  readonly #clock: Clock;
  readonly #keeper: LeaseKeeper;
  readonly #db: RetryingPooledDatabase;
  readonly #table: LockTable;
  readonly #renewal: Renewal;
  readonly #line: WaitLine;
  readonly #succession = new Succession();
  readonly #sweeper: Sweeper;
  readonly #defaults: { readonly ttl: number; readonly wait: number };
  readonly #contest: Contest;
  /** What this process holds, by name. */
  readonly #held = new Map<string, LockLease>();
  #closed = false;

  /** @throws {ConfigurationError} naming the option and the rule. */
  constructor(db: RetryingPooledDatabase, options: DistributedLocksOptions = {}) {
    const { prefix, ...resolved } = resolveLocksOptions(options);
    const { clock, logger } = partsOf(db).host;
    this.#db = db;
    this.#clock = clock;
    this.logger = logger;
    this.#table = new LockTable(db, prefix, resolved.autoInstall);
    this.#renewal = new Renewal(this.#table, clock, logger);
    this.#line = new WaitLine(clock);
    this.#sweeper = new Sweeper({
      clock,
      logger,
      what: 'idle locks',
      every: resolved.idleAfter === 0 ? 0 : SWEEP_EVERY,
      batch: forgetIdle(this.#table, resolved.idleAfter),
    });
    this.#defaults = resolved;
    this.#contest = new Contest(this.#table, clock, resolved.pollInterval);
    this.#keeper = {
      clock,
      openFrame: () => openFrame(db),
      assertHeld: (claim, ttl) => this.#table.assertHeld(claim, ttl),
      renew: (lease, ttl) => this.#renewal.now(lease, ttl),
      hurry: (lease) => this.#renewal.hurry(lease),
      release: (lease) => this.#release(lease),
      lost: (lease) => this.#lost(lease),
    };
    partsOf(db).instruments.add(this, prefix, LOCK_INSTRUMENT);
  }

  /** Takes the lock if it is free, without waiting; `null` where somebody has it. */
  async tryAcquire(name: string, options: LockOptions = {}): Promise<LockLease | null> {
    const bytes = lockName(name);
    const resolved = resolveLockOptions(options, { ...this.#defaults, wait: 0 });
    await this.#prepare();
    if (this.#mine(name) !== undefined) return null;
    return (await this.#contend(name, bytes, resolved)) ?? null;
  }

  /**
   * Takes the lock, waiting for it at most `wait` ms. First come, first served in this process; of
   * several processes whoever looks first. No connection is held meanwhile.
   *
   * @throws {LockAcquireTimeoutError} where it was not to be had in time.
   * @throws {TransactionOpenError} inside a transaction, which could wait for itself.
   * @throws {UnsafeTopologyError} on a read-only server: nobody else would see the lock.
   * @throws the signal's reason, where it was aborted.
   */
  async acquire(name: string, options: AcquireLockOptions = {}): Promise<LockLease> {
    const bytes = lockName(name);
    const resolved = resolveLockOptions(options, this.#defaults);
    await this.#prepare();
    const { wait, signal } = resolved;
    signal?.throwIfAborted();
    const deadline = this.#clock.now() + wait;
    if (!(await this.#line.enter(name, wait, signal))) throw timedOut(wait);
    try {
      for (;;) {
        const isMine = this.#mine(name) !== undefined;
        const patience = Math.max(CONTEND, deadline - this.#clock.now());
        const lease = isMine ? undefined : await this.#contend(name, bytes, resolved, patience);
        if (lease !== undefined) return lease;
        const left = deadline - this.#clock.now();
        if (left <= 0) throw timedOut(wait);
        const handed = await this.#wait(name, bytes, left, resolved);
        if (handed !== undefined) return handed;
        this.#refuseIfClosed();
      }
    } finally {
      this.#line.leave(name);
    }
  }

  /**
   * Runs `fn` with the lock held, and gives it back when it has settled, whichever way. `fn` is in
   * nobody's scope: its statements take and return a connection each. Pass `lease.signal` on to what
   * it waits for.
   *
   * @returns what `fn` resolves to; a failure to give the lock back never hides that.
   */
  async using<T>(
    name: string,
    options: AcquireLockOptions,
    fn: (lease: LockLease) => PromiseLike<T> | T,
  ): Promise<T> {
    checkFunction('fn', fn);
    const lease = await this.acquire(name, options);
    try {
      return await fn(lease);
    } finally {
      await lease.release().catch((error: unknown) => this.#noteRelease(error));
    }
  }

  /** Who holds what, by name. Reads some at a time, and holds no connection in between. */
  async *list(): AsyncGenerator<LockHolder, void, undefined> {
    let after: Buffer = Buffer.alloc(0);
    for (;;) {
      const rows = await this.#table.holders(after, PAGE);
      for (const row of rows) yield holderOf(row);
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = last.name;
    }
  }

  /** Who holds the lock; `undefined` where nobody does. */
  async holder(name: string): Promise<LockHolder | undefined> {
    const row = await this.#table.holder(lockName(name));
    return row === undefined ? undefined : holderOf(row);
  }

  async isLocked(name: string): Promise<boolean> {
    return (await this.#table.remaining(lockName(name))) > 0;
  }

  /**
   * Takes the lock away from whoever has it: false where nobody has. The holder learns of it with its
   * next renewal, a third of its `ttl` at most; `assertHeld()` refuses it at once.
   */
  forceRelease(name: string): Promise<boolean> {
    return this.#table.forceRelease(lockName(name));
  }

  stats(): LockStats {
    const { size: waiting, names } = this.#line;
    return Object.freeze({ held: this.#held.size, waiting, names });
  }

  /** Gives back all locks that are held here, and takes no more. Those who wait are rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    partsOf(this.#db).instruments.remove(this);
    for (const name of [...this.#held.keys()]) this.#line.tell(name);
    const releases = [...this.#held.values()].map((lease) => lease.release());
    await Promise.allSettled([...releases, this.#renewal.settled(), this.#sweeper.stop()]);
    this.#renewal.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #release(lease: LockLease): Promise<void> {
    this.#renewal.remove(lease);
    // Past its end there is nothing to give back.
    const within = Math.max(SLACK, lease.deadline - this.#clock.now());
    try {
      const heir = this.#closed ? undefined : this.#succession.next(lease.name);
      if (heir === undefined) await this.#table.release(lease.claim, within);
      else await this.#handOver(lease, heir, within);
    } finally {
      this.#forget(lease);
    }
  }

  async #handOver(lease: LockLease, heir: Heir, within: number): Promise<void> {
    const won = await this.#contest.handOver(lease.claim, heir.ttl, heir.note, within);
    // The heir may have given up meanwhile.
    if (won !== undefined && !heir.accept(won)) await this.#table.release(won.claim, within);
  }

  #lost(lease: LockLease): void {
    this.#renewal.remove(lease);
    this.#forget(lease);
  }

  /** What this process holds of a name, now. */
  #mine(name: string): LockLease | undefined {
    const lease = this.#held.get(name);
    return lease?.look() === true ? lease : undefined;
  }

  #forget(lease: LockLease): void {
    if (this.#held.get(lease.name) === lease) this.#held.delete(lease.name);
    this.#line.tell(lease.name);
  }

  async #prepare(): Promise<void> {
    this.#refuseIfClosed();
    if (openFrame(this.#db) !== undefined) {
      throw new TransactionOpenError(
        'A lock inside a transaction could wait for the row that the transaction has locked: acquire it ' +
          'before db.atomic(), and guard what is written with lease.assertHeld().',
      );
    }
    // Whoever waits holds no connection.
    if (currentContext()?.scope !== undefined) await this.#db.manualClose();
    await checkWritable(this.#db, 'A lock');
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new PoolClosedError('These locks were closed and take no more work');
  }

  /**
   * Waits for the next moment at which the name may be had: the end of what this process holds is told,
   * and handed over; of others it is looked for.
   */
  async #wait(
    name: string,
    bytes: Buffer,
    left: number,
    { ttl, note, signal }: ResolvedLockOptions,
  ): Promise<LockLease | undefined> {
    const elsewhere = this.#mine(name) !== undefined ? 0 : await this.#contest.pause(bytes);
    // From here to the sleep there is no turn in which the holder could end unheard.
    const mine = this.#mine(name);
    const pause = mine === undefined ? elsewhere : mine.expiresIn + SLACK;
    const heir = new Heir({ ttl, note });
    this.#succession.announce(name, heir);
    try {
      await this.#line.sleep(name, Math.min(left, pause), signal);
    } catch (error) {
      // It was handed over in the very moment in which the wait was called off.
      if (heir.won !== undefined) await this.#table.release(heir.won.claim, ttl).catch(() => {});
      throw error;
    } finally {
      this.#succession.withdraw(name, heir);
    }
    return heir.won === undefined ? undefined : this.#keep(name, heir.won, ttl);
  }

  async #contend(
    name: string,
    bytes: Buffer,
    { ttl, note }: ResolvedLockOptions,
    patience?: number,
  ): Promise<LockLease | undefined> {
    const won = await this.#contest.once(bytes, ttl, note, patience);
    return won === undefined ? undefined : this.#keep(name, won, ttl);
  }

  async #keep(name: string, { claim, sentAt }: Won, ttl: number): Promise<LockLease> {
    if (this.#closed) {
      // Nobody would renew it, and close() has given back all it knew of.
      await this.#table.release(claim, ttl).catch(() => {});
      this.#refuseIfClosed();
    }
    const lease = new LockLease(this.#keeper, name, claim, ttl, sentAt);
    this.#held.set(name, lease);
    this.#renewal.add(lease);
    this.#sweeper.ride();
    return lease;
  }

  #noteRelease(error: unknown): void {
    this.logger.warn(
      { errorType: (error as Error).name },
      'a lock could not be given back; it ends by its ttl',
    );
  }
}

function timedOut(wait: number): LockAcquireTimeoutError {
  return new LockAcquireTimeoutError(
    `The lock was not to be had within ${wait} ms. list() and holder() tell who has it.`,
  );
}
