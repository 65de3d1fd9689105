import { EventEmitter } from 'node:events';
import { systemClock } from './clock';
import type { Driver } from './driver/connection';
import { Mysql2Driver } from './driver/mysql2-driver';
import type { DefaultRows, Result } from './driver/statement';
import {
  requestOf,
  type StatementObject,
  type StatementOptions,
} from './driver/statement-arguments';
import {
  InvalidArgumentError,
  TransactionOpenError,
  checkFunction,
  checkOptionNames,
  describe,
} from './errors';
import { createLogger, safeLogger } from './logger';
import type { PoolStats } from './metrics/counters';
import { emittingTracker, type DatabaseEvents } from './metrics/events';
import {
  resolveLimits,
  resolveOptions,
  type DatabaseOptions,
  type LimitOptions,
  type ResolvedOptions,
} from './options';
import { healthOf, pingWithin, type Health } from './pool/health';
import type { Owner } from './pool/entry';
import type { Lease } from './pool/lease';
import { Pool } from './pool/pool';
import { RetryPolicy } from './retry/policy';
import { invoke } from './scope/connection-scope';
import { currentContext, withoutScope } from './scope/context';
import {
  addHook,
  atomic,
  currentFrame,
  type AtomicOptions,
  type AtomicTarget,
  type TransactionBlock,
} from './transaction/atomic';
import { runHook, type Hook } from './transaction/hooks';
import { PooledConnection } from './transaction/pooled-connection';
import { StatementRouter } from './transaction/router';
import type { TransactionHost } from './transaction/transaction';

export interface EndOptions {
  /** How long leases may stay out, in ms, before their connections are closed. @default 10000 */
  readonly deadline?: number;
}

const END_DEADLINE = 10_000;
const NO_OPTIONS = Object.freeze({});
/** The owner of what is taken outside scopes while nobody watches for leaks. */
const NOBODY: Owner = Object.freeze({});

/**
 * A MySQL or MariaDB database behind a pool whose connections always come back.
 *
 * Each statement uses the connection of the transaction or scope it is issued in, or one of its own
 * for that statement alone: forgetting `@releaseConnection` cannot leak. Nothing is connected before
 * the first statement, and an idle database keeps no process alive.
 *
 * Driver and server errors come as they are; what this library raises itself extends
 * `BoomerangError`. Every promise settles within its deadline.
 *
 * @example
 * const db = new RetryingPooledDatabase('mysql://app:secret@127.0.0.1/shop');
 * const [rows] = await db.execute('SELECT * FROM orders WHERE id = ?', [42]);
 * await db.end();
 */
export class RetryingPooledDatabase extends EventEmitter<DatabaseEvents> {
  readonly #driver: Driver;
  readonly #pool: Pool;
  readonly #host: TransactionHost;
  readonly #selfDeadlock: 'wait' | 'fail';
  readonly #router: StatementRouter;
  readonly #target: AtomicTarget;

  /**
   * @param options a URL (`mysql://user:password@host:port/database?connectionLimit=20`) or options.
   * @throws {ConfigurationError} naming the option and the rule; nothing is corrected in silence.
   */
  constructor(options: string | DatabaseOptions) {
    super();
    const resolved: ResolvedOptions = resolveOptions(options);
    const logger = safeLogger(resolved.log.logger ?? createLogger(resolved.log.logLevel));
    const clock = systemClock;
    this.#driver = new Mysql2Driver(resolved.driver);
    this.#pool = new Pool(this.#driver, resolved, clock, logger, emittingTracker(this));
    this.#selfDeadlock = resolved.pool.selfDeadlock;
    this.#host = { clock, logger, policy: new RetryPolicy(resolved.retry, clock) };
    this.#target = {
      key: this.#pool,
      slot: (scope) => (scope.root() ?? scope).slotFor(this.#pool, clock),
    };
    this.#router = new StatementRouter(this.#pool, this.#host);
  }

  /**
   * Sends a statement as text with the values escaped into it, and resolves to `[rows, fields]` as
   * mysql2/promise does.
   *
   * Repeated by itself only where it certainly had no effect (never sent, or refused as in a
   * deadlock), or where `{ idempotent: true }` says that twice is the same as once; never inside a
   * transaction.
   *
   * @throws {InvalidArgumentError} where `values` is not an array; nothing is sent.
   * @throws {PoolExhaustedError} where no connection was free within `acquireTimeout`.
   */
  query<T = DefaultRows>(
    sql: string | StatementObject,
    values?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return invoke(() => this.#router.run<T>('query', requestOf(sql, values, options)));
  }

  /** As {@link query}, prepared on the server with the values bound: safer, and faster when repeated. */
  execute<T = DefaultRows>(
    sql: string | StatementObject,
    values?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return invoke(() => this.#router.run<T>('execute', requestOf(sql, values, options)));
  }

  /**
   * Runs `fn` in a transaction and resolves to its result once that is committed; a throw rolls back.
   * Inside an open transaction it is a savepoint. All statements issued inside `fn` take part, also
   * those of decorated methods. BEGIN and SAVEPOINT are sent with the first statement.
   *
   * @throws the first error, always: `fn`'s own, whatever rolling back meets.
   * @throws {CommitInDoubtError} where COMMIT was sent and its answer did not come.
   * @throws {TransactionDoomedError} where `fn` swallowed an error after which the transaction can
   * only be rolled back.
   */
  atomic<T>(fn: (tx: TransactionBlock) => PromiseLike<T> | T, options?: AtomicOptions): Promise<T> {
    return atomic(this.#host, this.#target, fn, options);
  }

  /**
   * Runs `hook` once the open transaction is committed for good, or now where none is open. Resolves
   * when it is registered or, outside a transaction, has run. A hook's error is logged, never thrown.
   *
   * @throws {TransactionClosedError} in late work of a transaction block that is over.
   */
  async afterCommit(hook: Hook): Promise<void> {
    checkFunction('hook', hook);
    const frame = currentFrame(this.#pool);
    if (frame !== undefined) addHook(frame, 'afterCommit', hook);
    else await runHook(hook, this.#host.logger);
  }

  /** Runs `hook` once the open transaction is rolled back. Outside a transaction it never runs. */
  async afterRollback(hook: Hook): Promise<void> {
    checkFunction('hook', hook);
    const frame = currentFrame(this.#pool);
    if (frame !== undefined) addHook(frame, 'afterRollback', hook);
  }

  /**
   * Runs `fn` outside every scope and transaction, of every database, and returns its result. For
   * what is made inside a transaction and outlives it: singletons, timers, emitters.
   */
  withoutScope<T>(fn: () => T): T {
    checkFunction('fn', fn);
    return withoutScope(fn);
  }

  /**
   * Gives the current scope's connection back now, for instance before a slow call to elsewhere; the
   * scope's next statement takes one again. Waits for the scope's running statements. The connection
   * goes to the pool; it is not closed. Session state (`@x`, temporary tables) is not carried over,
   * also not for the callers above in the same scope.
   *
   * @returns true where a connection went back, false where none was held or no scope is open.
   * @throws {TransactionOpenError} inside a transaction; nothing happens.
   */
  async manualClose(): Promise<boolean> {
    const frame = currentFrame(this.#pool);
    if (frame?.isOver === false) {
      throw new TransactionOpenError(
        'manualClose() inside a transaction would cut it in two: call it before or after atomic()',
      );
    }
    const refusal = frame?.refusal();
    if (refusal !== undefined) throw refusal;
    const slot = currentContext()?.scope?.root()?.slotOf(this.#pool);
    if (slot === undefined) return false;
    return slot.lane.run(async () => {
      const held = slot.holdsLease;
      await slot.giveBack();
      return held;
    });
  }

  /**
   * A connection of the caller's own, outside scopes and transactions, in mysql2's shape. Give it
   * back with `release()`, or declare it with `await using`.
   *
   * @throws {PoolExhaustedError} where none was free within `acquireTimeout`.
   * @throws the signal's reason, where it was aborted.
   */
  getConnection(
    options: { readonly signal?: AbortSignal } = NO_OPTIONS,
  ): Promise<PooledConnection> {
    const own = this.#ownerHere();
    if (options === NO_OPTIONS) {
      const idle = this.#pool.tryAcquire(own);
      if (idle !== undefined) return Promise.resolve(this.#lent(idle));
    }
    return invoke(() => {
      const signal = checkedSignal(options);
      const hint = this.#hint();
      const orFail = this.#selfDeadlock === 'fail' && hint?.() !== undefined;
      return this.#pool
        .acquire({ signal, hint, orFail, owner: own })
        .then((lease) => this.#lent(lease));
    });
  }

  #lent(lease: Lease): PooledConnection {
    return new PooledConnection(lease, this.#pool, this.#host);
  }

  /** The pool at this moment, with totals since the database was made. */
  stats(): PoolStats {
    return this.#pool.stats();
  }

  /**
   * Opens connections up to `minIdle` now instead of with the first statements.
   *
   * Rejects where one of them cannot be had; those that came are closed again.
   */
  async warmUp(): Promise<void> {
    const { minIdle } = this.#pool.limits;
    const taken = await Promise.allSettled(
      Array.from({ length: minIdle }, () => this.#pool.acquire()),
    );
    const failure = taken.find(({ status }) => status === 'rejected') as
      PromiseRejectedResult | undefined;
    for (const result of taken) {
      if (result.status === 'rejected') continue;
      if (failure === undefined) await result.value.giveBack();
      else result.value.discard(new Error('closed: the warm-up failed'));
    }
    if (failure !== undefined) throw failure.reason;
  }

  /**
   * Changes how many connections there may be, at once: the pool grows with the next need; idle ones
   * above the new limits are closed now, others when they come back.
   *
   * @throws {ConfigurationError} naming the option and the rule; nothing has changed then.
   */
  resize(limits: LimitOptions): void {
    this.#pool.resize(resolveLimits(limits, this.#pool.limits));
  }

  /**
   * Replaces every connection by a new one: idle ones now, others when they come back. For changed
   * credentials, a failover, a new certificate.
   */
  evictAll(): void {
    this.#pool.evictAll();
  }

  /** Whether the database can be worked with: has a connection answer within `within` ms. Rejects for a wrong argument only. */
  health(options: { readonly within?: number } = {}): Promise<Health> {
    const within = options?.within ?? 1000;
    if (typeof within !== 'number' || !(within > 0)) {
      const rule = `must be a number of milliseconds above 0, got ${describe(within)}`;
      return Promise.reject(new InvalidArgumentError('within', rule));
    }
    return healthOf(this.#pool, systemClock, within);
  }

  /** Takes a connection and asks the server for a sign of life on it, within `acquireTimeout`. */
  async ping(): Promise<void> {
    await pingWithin(this.#pool, systemClock, this.#pool.acquireTimeout, this.#hint());
  }

  /**
   * Takes no more work, rejects those that wait with `PoolClosedError`, waits for leases to come back,
   * says goodbye to every connection. What is still out at the deadline is closed. Never rejects for
   * that; a second call gives the first one's promise.
   */
  end(options: EndOptions = {}): Promise<void> {
    const deadline = options?.deadline ?? END_DEADLINE;
    if (typeof deadline !== 'number' || !(deadline >= 0)) {
      const rule = `must be a number of milliseconds, 0 or more, got ${describe(deadline)}`;
      return Promise.reject(new InvalidArgumentError('deadline', rule));
    }
    return this.#pool.end(deadline);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** The statement with the values escaped into it, as {@link query} would send it. */
  format(sql: string, values?: readonly unknown[]): string {
    return this.#driver.format(sql, values);
  }

  /** A value as an SQL literal. */
  escape(value: unknown): string {
    return this.#driver.escape(value);
  }

  /** A name as a quoted SQL identifier. */
  escapeId(name: string): string {
    return this.#driver.escapeId(name);
  }

  #ownerHere(): Owner {
    const scope = currentContext()?.scope;
    // A stack costs microseconds: only where somebody watches for leaks.
    if (!this.#pool.watchesLeaks) return scope ?? NOBODY;
    return { label: scope?.label, stack: new Error('taken here').stack };
  }

  /** Looks at the caller's own scope when the wait has failed: the timer runs in nobody's context. */
  #hint(): (() => string | undefined) | undefined {
    const root = currentContext()?.scope?.root();
    if (root === undefined) return undefined;
    return () => {
      if (root.slotOf(this.#pool)?.holdsLease !== true) return undefined;
      return (
        `The caller's own scope${root.label === undefined ? '' : ` '${root.label}'`} already holds a ` +
        'connection of this pool: a second one at a time per caller needs a connectionLimit above the ' +
        'number of such callers. Use the scope (db.query), or manualClose() first.'
      );
    };
  }
}

function checkedSignal(options: { readonly signal?: AbortSignal }): AbortSignal | undefined {
  checkOptionNames('options', options, ['signal']);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError('signal', `must be an AbortSignal, got ${describe(signal)}`);
  }
  return signal;
}
