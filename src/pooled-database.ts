import { EventEmitter } from 'node:events';
import { systemClock } from './clock';
import type { Driver } from './driver/connection';
import { Mysql2Driver } from './driver/mysql2-driver';
import { InvalidArgumentError, checkFunction, checkOptionNames, describe } from './errors';
import { checkBounds } from './limit';
import { createLogger, safeLogger } from './logger';
import type { DatabaseStats } from './metrics/counters';
import { emittingTracker, type DatabaseEvents } from './metrics/events';
import type { LeaseHolder } from './metrics/holder';
import { Instruments, type Instrument } from './metrics/instruments';
import { Observation, type ObserveOptions } from './metrics/observation';
import { OBSERVED, type Observer } from './metrics/observer';
import {
  resolveLimits,
  resolveOptions,
  type DatabaseOptions,
  type LimitOptions,
  type ResolvedOptions,
} from './options';
import type { Owner } from './pool/entry';
import { healthOf, pingWithin, type Health } from './pool/health';
import type { Lease } from './pool/lease';
import { Pool } from './pool/pool';
import { RetryPolicy } from './retry/policy';
import { invoke } from './scope/connection-scope';
import { currentContext } from './scope/context';
import { PooledConnection } from './transaction/pooled-connection';
import { StatementRouter } from './transaction/router';
import type { TransactionHost } from './transaction/transaction';

export interface EndOptions {
  /** How long leases may stay out, in ms, before their connections are closed. @default 10000 */
  readonly deadline?: number;
}

/** @internal What a database is made of. */
export interface DatabaseParts {
  readonly driver: Driver;
  readonly pool: Pool;
  readonly host: TransactionHost;
  readonly statements: StatementRouter;
  /** Where what stands on it makes itself known to whoever watches. */
  readonly instruments: Instruments;
}

/** @internal What a database is made of, for the library's own modules above it. */
export let partsOf: (db: PooledDatabase) => DatabaseParts;

const END_DEADLINE = 10_000;
const OWN_SHAPE = { rowsAsArray: false, nestTables: false, typeCast: true };
const NO_OPTIONS = Object.freeze({});
/** The owner of what is taken outside scopes while nobody watches for leaks. */
const NOBODY: Owner = Object.freeze({});

/**
 * A database's pool as its operator sees it: connections of one's own, numbers, limits, the end.
 * Statements and transactions are {@link RetryingPooledDatabase}'s.
 */
export class PooledDatabase extends EventEmitter<DatabaseEvents> {
  static {
    partsOf = (db) => db.parts;
  }

  /** @internal */
  protected readonly parts: DatabaseParts;
  readonly #selfDeadlock: 'wait' | 'fail';

  constructor(options: string | DatabaseOptions) {
    super();
    const resolved: ResolvedOptions = resolveOptions(options);
    const logger = safeLogger(resolved.log.logger ?? createLogger(resolved.log.logLevel));
    const clock = systemClock;
    const driver = new Mysql2Driver(resolved.driver);
    const { host: name, port, database, rowsAsArray, nestTables, typeCast } = resolved.driver;
    const observation = new Observation({ host: name, port, database });
    const tracker = emittingTracker(this);
    const pool = new Pool(driver, resolved, clock, logger, tracker, observation);
    const policy = new RetryPolicy(resolved.retry, pool.acquireTimeout, clock, logger, observation);
    const isPlain = [rowsAsArray, nestTables, typeCast].every((option) => option === undefined);
    const ownShape = isPlain ? undefined : OWN_SHAPE;
    const host = { clock, logger, policy, observation, ownShape, ...resolved.statement };
    const statements = new StatementRouter(pool, host);
    this.parts = { driver, pool, host, statements, instruments: new Instruments() };
    this.#selfDeadlock = resolved.pool.selfDeadlock;
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
      const idle = this.parts.pool.tryAcquire(own);
      if (idle !== undefined) return Promise.resolve(this.#lent(idle));
    }
    return invoke(() => {
      const signal = checkedSignal(options);
      const hint = this.#hint();
      const orFail = this.#selfDeadlock === 'fail' && hint?.() !== undefined;
      return this.parts.pool
        .acquire({ signal, hint, orFail, owner: own })
        .then((lease) => this.#lent(lease));
    });
  }

  #lent(lease: Lease): PooledConnection {
    return new PooledConnection(lease, this.parts.pool, this.parts.host);
  }

  /** The pool at this moment, with totals since the database was made. */
  stats(): DatabaseStats {
    return Object.freeze({ ...this.parts.pool.stats(), retries: this.parts.host.policy.repeats });
  }

  /** Who has a connection of the pool right now. `heldFor` is known where somebody watches. */
  holders(): readonly LeaseHolder[] {
    return this.parts.pool.holders();
  }

  /** The limits that hold now. */
  limits(): Required<LimitOptions> {
    const { connectionLimit, minIdle, maxIdle } = this.parts.pool.limits;
    return Object.freeze({ connectionLimit, minIdle, maxIdle });
  }

  /** What stands on this database: locks, caches, queues, each with its numbers. */
  instruments(): readonly Instrument[] {
    return this.parts.instruments.list();
  }

  /**
   * Has `observer` told of waits, holds, connects, statements, repeats and transactions as they happen:
   * the seam for metrics of any kind. What it throws reaches nobody's statement.
   *
   * @returns what ends it.
   * @throws {InvalidArgumentError} for what is no observer.
   */
  observe(observer: Observer, options: ObserveOptions = {}): () => void {
    if (typeof observer !== 'object' || observer === null) {
      throw new InvalidArgumentError('observer', `must be an object, got ${describe(observer)}`);
    }
    for (const method of OBSERVED) {
      const listener: unknown = Reflect.get(observer, method);
      if (listener !== undefined) checkFunction(method, listener);
    }
    checkOptionNames('options', options, ['stacksPerSecond']);
    const { stacksPerSecond = 0 } = options;
    if (!Number.isFinite(stacksPerSecond) || stacksPerSecond < 0) {
      const rule = `must be a number, 0 or more, got ${describe(stacksPerSecond)}`;
      throw new InvalidArgumentError('stacksPerSecond', rule);
    }
    return this.parts.host.observation.add(observer, options);
  }

  /**
   * Opens connections up to `minIdle` now instead of with the first statements.
   *
   * Rejects where one of them cannot be had; those that came are closed again.
   */
  async warmUp(): Promise<void> {
    // Those that are out count: they come back.
    const length = Math.max(0, this.parts.pool.limits.minIdle - this.parts.pool.stats().active);
    const taken = await Promise.allSettled(Array.from({ length }, () => this.parts.pool.acquire()));
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
    this.parts.pool.resize(resolveLimits(limits, this.parts.pool.limits));
  }

  /**
   * Replaces every connection by a new one: idle ones now, others when they come back. For changed
   * credentials, a failover, a new certificate.
   */
  evictAll(): void {
    this.parts.pool.evictAll();
  }

  /** Whether the database can be worked with: has a connection answer within `within` ms. Rejects for a wrong argument only. */
  health(options: { readonly within?: number } = {}): Promise<Health> {
    const within = options?.within ?? 1000;
    if (typeof within !== 'number' || !(within > 0)) {
      const rule = `must be a number of milliseconds above 0, got ${describe(within)}`;
      return Promise.reject(new InvalidArgumentError('within', rule));
    }
    return healthOf(this.parts.pool, systemClock, within);
  }

  /** Takes a connection and asks the server for a sign of life on it, within `acquireTimeout`. */
  async ping(): Promise<void> {
    await pingWithin(this.parts.pool, systemClock, this.parts.pool.acquireTimeout, this.#hint());
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
    return this.parts.pool.end(deadline);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** The statement with the values escaped into it, as {@link query} would send it. */
  format(sql: string, values?: readonly unknown[]): string {
    return this.parts.driver.format(sql, values);
  }

  /** A value as an SQL literal. */
  escape(value: unknown): string {
    return this.parts.driver.escape(value);
  }

  /** A name as a quoted SQL identifier. */
  escapeId(name: string): string {
    return this.parts.driver.escapeId(name);
  }

  #ownerHere(): Owner {
    const scope = currentContext()?.scope;
    // A stack costs microseconds: only where somebody watches for leaks.
    if (!this.parts.pool.watchesLeaks) return scope ?? NOBODY;
    return { label: scope?.label, stack: new Error('taken here').stack };
  }

  /** Looks at the caller's own scope when the wait has failed: the timer runs in nobody's context. */
  #hint(): (() => string | undefined) | undefined {
    const root = currentContext()?.scope?.root();
    if (root === undefined) return undefined;
    return () => {
      if (root.slotOf(this.parts.pool)?.holdsLease !== true) return undefined;
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
  checkBounds(options);
  return options.signal;
}
