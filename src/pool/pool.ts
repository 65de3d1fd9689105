import { Liveness, type Clock } from '../clock';
import { classify } from '../driver/classify';
import type { Connection, Driver } from '../driver/connection';
import { normalizeSql } from '../driver/sql-text';
import { PoolClosedError, type PoolNumbers } from '../errors';
import { errorFields, type Logger } from '../logger';
import { noTotals, type PoolStats, type PoolTotals } from '../metrics/counters';
import type { ResolvedOptions } from '../options';
import { Connector } from './connector';
import { PoolEntry } from './entry';
import { exhausted } from './exhaustion';
import { IdleStack } from './idle-stack';
import { Lease, type LeaseHome } from './lease';
import { Opener } from './opener';
import { ReturnCeremony } from './return-ceremony';
import { SessionSetup } from './session';
import { WaitQueue } from './wait-queue';

/** How long a connection may take over its goodbye before the socket is closed. */
const GOODBYE = 1000;

export interface AcquireOptions {
  /** Rejects the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The longest wait in ms instead of `acquireTimeout`. */
  readonly within?: number | undefined;
  /** Replaces the advice in the error text where the caller knows better why nothing came. */
  readonly hint?: (() => string | undefined) | undefined;
}

/**
 * Connections to one database, lent one borrower at a time.
 *
 * Lazy: nothing is opened before the first acquire. First come, first served. Every acquire settles
 * within its deadline. A lease comes back by {@link Lease.release}, and what it left behind does not
 * reach the next borrower.
 */
export class Pool implements LeaseHome {
  readonly #options: ResolvedOptions['pool'];
  readonly #log: ResolvedOptions['log'];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ceremony: ReturnCeremony;
  readonly #idle: IdleStack;
  readonly #waiting: WaitQueue;
  readonly #connector: Connector;
  readonly #liveness = new Liveness();
  readonly #totals: PoolTotals = noTotals();
  readonly #since: Date;
  readonly #out = new Set<PoolEntry>();
  readonly #goodbyes = new Set<Promise<void>>();
  #used = false;
  #lastFailure: unknown;
  #ending: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  constructor(driver: Driver, options: ResolvedOptions, clock: Clock, logger: Logger) {
    this.#options = options.pool;
    this.#log = options.log;
    this.#clock = clock;
    this.#logger = logger;
    this.#since = clock.date();
    const { idleTimeout, minIdle, resetOnRelease, initSql, connectTimeout } = options.pool;
    const session = new SessionSetup(driver, initSql);
    const opener = new Opener(driver, session, clock, connectTimeout);
    this.#ceremony = new ReturnCeremony(resetOnRelease, session, clock, connectTimeout, logger);
    this.#idle = new IdleStack(clock, idleTimeout, minIdle, (entry) => this.#retire(entry));
    this.#waiting = new WaitQueue(clock, options.pool.acquireTimeout, (waited) => {
      this.#liveness.drop();
      this.#noteWait(waited);
    });
    this.#connector = new Connector(
      {
        need: () => this.#need(),
        open: (signal) => opener.open(signal),
        opened: (connection) => this.#opened(connection),
        failed: (error, retryIn) => this.#connectFailed(error, retryIn),
      },
      clock,
    );
  }

  get acquireTimeout(): number {
    return this.#options.acquireTimeout;
  }

  /** An idle connection at once, or `undefined` where the caller has to wait with {@link acquire}. */
  tryAcquire(): Lease | undefined {
    if (this.#ending !== undefined || this.#waiting.size > 0) return undefined;
    const entry = this.#idle.pop();
    return entry === undefined ? undefined : this.#lend(entry);
  }

  /**
   * A connection: an idle one, one that comes back, or a new one.
   *
   * @throws {PoolExhaustedError} at the deadline, when the queue is full, or when waiting is off.
   * @throws {PoolClosedError} after {@link end}.
   * @throws the driver's error where the server refuses for good and no connection is left.
   */
  acquire({ signal, within, hint }: AcquireOptions = {}): Promise<Lease> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#ending !== undefined) return Promise.reject(closed());
    const lease = this.tryAcquire();
    if (lease !== undefined) return Promise.resolve(lease);
    this.#used = true;
    const refusal = this.#refusal(hint);
    if (refusal !== undefined) return Promise.reject(refusal);
    const limit = within ?? this.#options.acquireTimeout;
    const timeoutError = (): Error => this.#timedOut(limit, hint);
    this.#liveness.hold();
    const wait = this.#waiting.add({ within: limit, timeoutError, signal });
    this.#connector.poke();
    return wait;
  }

  /** Called by a lease, once. */
  takeBack(entry: PoolEntry, discard: Error | undefined): Promise<void> | undefined {
    const { connection } = entry;
    entry.state = 'returning';
    if (discard !== undefined) {
      connection.destroy(discard);
      this.#drop(entry);
      return undefined;
    }
    if (this.#ceremony.isClean(connection)) {
      this.#putBack(entry);
      return undefined;
    }
    return this.#ceremony.perform(connection).then((fit) => {
      if (fit) {
        this.#putBack(entry);
      } else {
        connection.destroy(connection.lost ?? new Error('closed on return'));
        this.#drop(entry);
      }
    });
  }

  stats(): PoolStats {
    return Object.freeze({
      ...this.#numbers(),
      connecting: this.#connector.connecting,
      auxiliary: 0,
      ...this.#totals,
      since: this.#since,
    });
  }

  /**
   * Takes no more acquires, rejects those that wait, waits for leases to come back, says goodbye to
   * every connection. At the deadline what is still out is closed. A second call gives the first
   * one's promise.
   */
  end(deadline: number): Promise<void> {
    this.#ending ??= this.#end(deadline);
    return this.#ending;
  }

  async #end(deadline: number): Promise<void> {
    // Let `#ending` be set before anything below looks at it.
    await Promise.resolve();
    this.#liveness.hold();
    this.#waiting.rejectAll(closed);
    for (const entry of this.#idle.drain()) this.#retire(entry);
    await this.#connector.end(closed());
    if (this.#out.size > 0) await this.#returnsWithin(deadline);
    await Promise.all(this.#goodbyes);
    this.#liveness.end();
  }

  #returnsWithin(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setDeadline(() => {
        this.#logger.warn({ ...this.#numbers() }, 'leases were still out at the deadline; closed');
        for (const { connection } of this.#out) connection.destroy(closed());
        resolve();
      }, deadline);
      this.#onEmpty = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #numbers(): PoolNumbers {
    const active = this.#out.size;
    const idle = this.#idle.size;
    return { total: active + idle, active, idle, waiting: this.#waiting.size };
  }

  #need(): number {
    if (this.#ending !== undefined || !this.#used) return 0;
    const { total, idle, waiting } = this.#numbers();
    const wanted = Math.max(waiting, this.#options.minIdle - idle);
    return Math.max(0, Math.min(wanted, this.#options.connectionLimit - total));
  }

  #refusal(hint: AcquireOptions['hint']): Error | undefined {
    const { queueLimit, waitForConnections, connectionLimit } = this.#options;
    const { total, waiting } = this.#numbers();
    const full =
      !waitForConnections && total + waiting >= connectionLimit
        ? 'No connection is free, and waitForConnections is false'
        : queueLimit > 0 && waiting >= queueLimit
          ? `The queue is full: queueLimit is ${queueLimit}`
          : undefined;
    if (full === undefined) return undefined;
    this.#logger.warn({ ...this.#numbers() }, 'acquire refused');
    return exhausted(full, this.#numbers(), connectionLimit, this.#lastFailure, hint?.());
  }

  #timedOut(limit: number, hint: AcquireOptions['hint']): Error {
    this.#totals.timeouts++;
    const numbers = this.#numbers();
    this.#logger.warn({ ...numbers, acquireTimeout: limit }, 'no connection within the deadline');
    return exhausted(
      `No connection within ${limit} ms`,
      numbers,
      this.#options.connectionLimit,
      this.#lastFailure,
      hint?.(),
    );
  }

  #noteWait(waited: number): void {
    const { slowAcquire } = this.#log;
    if (slowAcquire === 0 || waited < slowAcquire) return;
    this.#logger.warn({ ...this.#numbers(), waited: Math.round(waited) }, 'slow acquire');
  }

  #lend(entry: PoolEntry): Lease {
    entry.state = 'leased';
    this.#out.add(entry);
    this.#totals.acquired++;
    this.#liveness.hold();
    return new Lease(this, entry);
  }

  #comeBack(entry: PoolEntry): void {
    this.#out.delete(entry);
    this.#totals.released++;
    this.#liveness.drop();
  }

  #putBack(entry: PoolEntry): void {
    this.#comeBack(entry);
    this.#offer(entry);
    this.#noteEmpty();
  }

  #drop(entry: PoolEntry): void {
    this.#comeBack(entry);
    this.#gone(entry);
    this.#noteEmpty();
  }

  #noteEmpty(): void {
    if (this.#out.size === 0) this.#onEmpty?.();
  }

  /** To the longest waiter, else to the idle stack, else away. */
  #offer(entry: PoolEntry): void {
    if (this.#ending !== undefined) {
      this.#retire(entry);
      return;
    }
    const waiter = this.#waiting.next();
    if (waiter !== undefined) {
      waiter.resolve(this.#lend(entry));
    } else if (this.#idle.size >= this.#options.maxIdle) {
      this.#retire(entry);
    } else {
      this.#idle.push(entry);
    }
  }

  /** Closes a connection that is not out, with a goodbye. */
  #retire(entry: PoolEntry): void {
    const goodbye = entry.connection.close(GOODBYE).then(() => {
      this.#goodbyes.delete(goodbye);
    });
    this.#goodbyes.add(goodbye);
    this.#gone(entry);
  }

  #gone(entry: PoolEntry): void {
    entry.state = 'gone';
    this.#totals.destroyed++;
    this.#connector.poke();
  }

  #opened(connection: Connection): void {
    this.#lastFailure = undefined;
    this.#totals.created++;
    const entry = new PoolEntry(connection);
    if (this.#log.slowStatement > 0) {
      connection.watch(this.#log.slowStatement, (sql, elapsed) => {
        const fields = { elapsed: Math.round(elapsed), sql: normalizeSql(sql) };
        this.#logger.warn({ ...this.#numbers(), ...fields }, 'slow statement');
      });
    }
    connection.onLost((reason) => this.#lost(entry, reason));
    this.#logger.info({ ...this.#numbers(), threadId: connection.threadId }, 'connected');
    // Lost between its set-up and here: nobody was told.
    if (connection.lost === undefined) this.#offer(entry);
    else this.#gone(entry);
  }

  /** An idle connection leaves at once; one that is out leaves when its borrower returns it. */
  #lost(entry: PoolEntry, reason: Error): void {
    this.#logger.warn({ ...this.#numbers(), ...errorFields(reason) }, 'connection lost');
    if (this.#idle.remove(entry)) this.#gone(entry);
  }

  #connectFailed(error: unknown, retryIn: number): void {
    this.#lastFailure = error;
    const numbers = this.#numbers();
    this.#logger.warn(
      { ...numbers, ...errorFields(error), retryIn: Math.round(retryIn) },
      'connect failed',
    );
    // While connections live, a refusal may pass (credentials being changed); without one it will not.
    if (numbers.total === 0 && classify(error).name === 'refused for good') {
      this.#waiting.rejectAll(() => error as Error);
    }
  }
}

function closed(): PoolClosedError {
  return new PoolClosedError('This database was ended and takes no more work');
}
