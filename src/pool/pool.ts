import { Liveness, type Clock } from '../clock';
import type { Driver } from '../driver/connection';
import { PoolClosedError, type PoolNumbers } from '../errors';
import type { Logger } from '../logger';
import type { PoolStats } from '../metrics/counters';
import type { LeaseHolder } from '../metrics/holder';
import { Observation } from '../metrics/observation';
import type { LeakReport, PoolTracker } from '../metrics/tracker';
import type { ResolvedOptions } from '../options';
import type { AcquireOptions } from './acquire-options';
import type { Admission } from './admission';
import { Canceller } from './canceller';
import { cutOff } from './cut-off';
import type { Owner, PoolEntry } from './entry';
import { LEAK_TEXTS, LeakWatch } from './leak-watch';
import { Lease, type LeaseHome } from './lease';
import type { PoolLimits } from './limits';
import { ReturnCeremony } from './return-ceremony';
import { Roster } from './roster';
import { SessionSetup } from './session';
import { Shortage } from './shortage';
import { Stock } from './stock';
import { WaitQueue } from './wait-queue';
import { askerOf } from './witness';

const NO_CONNECTION = 'No connection within the caller’s own limit';

/**
 * Connections to one database, lent one borrower at a time.
 *
 * Lazy: nothing is opened before the first acquire. First come, first served. Every acquire settles
 * within its deadline. A lease comes back by {@link Lease.giveBack}, and what it left behind does not
 * reach the next borrower.
 */
export class Pool implements LeaseHome {
  readonly #options: ResolvedOptions['pool'];
  readonly #log: ResolvedOptions['log'];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #tracker: PoolTracker;
  readonly #observation: Observation;
  readonly #ceremony: ReturnCeremony;
  readonly #roster: Roster;
  readonly #waiting: WaitQueue;
  readonly #stock: Stock;
  readonly #shortage: Shortage;
  readonly #leaks: LeakWatch;
  readonly #canceller: Canceller;
  readonly #liveness = new Liveness();
  #ending: Promise<void> | undefined;

  constructor(
    driver: Driver,
    options: ResolvedOptions,
    clock: Clock,
    logger: Logger,
    tracker: PoolTracker = {},
    observation = new Observation(),
  ) {
    const { pool, log } = options;
    this.#options = pool;
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
    this.#tracker = tracker;
    this.#observation = observation;
    this.#roster = new Roster(clock, tracker, observation);
    const session = new SessionSetup(driver, pool.initSql);
    this.#ceremony = new ReturnCeremony(
      pool.resetOnRelease,
      session,
      clock,
      pool.connectTimeout,
      logger,
    );
    this.#waiting = new WaitQueue(clock, pool.acquireTimeout, (waited) => this.#waiterLeft(waited));
    this.#leaks = new LeakWatch(clock, pool.leakDetectionThreshold, this.#roster.out, (report) => {
      this.#reportLeak(report);
    });
    this.#canceller = new Canceller(driver, clock, pool.connectTimeout, logger);
    const voices = { clock, logger, tracker, observation };
    this.#stock = new Stock(driver, session, options, voices, this.#roster, {
      waiting: () => this.#waiting.size,
      serve: (entry) => this.#serve(entry),
      refused: (error) => this.#waiting.rejectAll(() => error),
    });
    this.#shortage = new Shortage(pool, voices, this.#roster, this.#stock, this.#waiting);
  }

  get acquireTimeout(): number {
    return this.#options.acquireTimeout;
  }

  /** How long the server may take over an answer that nobody's statement is waiting for, in ms; 0 is no limit. */
  get answerTimeout(): number {
    return this.#options.connectTimeout;
  }

  /** Whether leases are watched, so that it is worth knowing where one was taken. */
  get watchesLeaks(): boolean {
    return this.#leaks.watches;
  }

  /** An idle connection at once, or `undefined` where the caller has to wait with {@link acquire}. */
  tryAcquire(owner?: Owner): Lease | undefined {
    if (this.#ending !== undefined || this.#waiting.size > 0) return undefined;
    const entry = this.#stock.takeFresh();
    return entry === undefined
      ? undefined
      : this.#lend(entry, askerOf(owner, this.#observation, this.#clock), 0);
  }

  /**
   * A connection: an idle one, one that comes back, or a new one.
   *
   * Rejects with {@link PoolExhaustedError} at the deadline, when the queue is full, or when waiting
   * is off; with {@link PoolClosedError} after {@link end}; with the driver's error where the server
   * refuses for good and no connection is left.
   */
  acquire(options: AcquireOptions = {}): Promise<Lease> {
    const { limit, within, owner, hint, orFail = false } = options;
    if (limit?.hit === true) return Promise.reject(limit.error('notExecuted'));
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason as Error);
    if (this.#ending !== undefined) return Promise.reject(closed());
    const lease = this.tryAcquire(owner);
    if (lease !== undefined) return Promise.resolve(lease);
    const refusal = this.#shortage.refusal(hint, orFail);
    if (refusal !== undefined) return Promise.reject(refusal);
    const patience = within ?? this.#options.acquireTimeout;
    const signal = options.signal ?? limit?.signal;
    const timeoutError = (): Error => this.#shortage.timedOut(patience, hint);
    const asker = askerOf(owner, this.#observation, this.#clock);
    const wait = this.#waiting.add({ within: patience, timeoutError, signal, owner: asker });
    this.#liveness.hold();
    this.#tracker.enqueued?.();
    this.#stock.wake();
    const told = this.#observation.wait(owner?.label, this.#clock, wait);
    if (limit === undefined) return told;
    return told.catch((error: unknown) => {
      throw limit.hit
        ? limit.error('notExecuted', this.#shortage.error(NO_CONNECTION, hint))
        : error;
    });
  }

  /** Stops what runs on a connection that is out. */
  cutOff(entry: PoolEntry, grace?: number): Promise<void> {
    entry.stopping ??= cutOff(entry, this.#canceller, this.#clock, grace).then(() => {
      entry.stopping = undefined;
    });
    return entry.stopping;
  }

  /** Called by a lease, once. */
  takeBack(entry: PoolEntry, discard: Error | undefined): Promise<void> | undefined {
    const { connection } = entry;
    this.#leaks.returned(entry);
    if (discard !== undefined) {
      connection.destroy(discard);
      this.#drop(entry, 'discarded');
      return undefined;
    }
    const { stopping } = entry;
    return stopping === undefined
      ? this.#cleaned(entry)
      : stopping.then(() => this.#cleaned(entry));
  }

  /** Back to the stock, once nothing of the borrower's is left on it. */
  #cleaned(entry: PoolEntry): Promise<void> | undefined {
    const { connection } = entry;
    if (this.#ceremony.isClean(connection)) {
      this.#putBack(entry);
      return undefined;
    }
    return this.#ceremony.perform(connection).then((fit) => {
      if (fit) {
        this.#putBack(entry);
      } else {
        connection.destroy(connection.lost ?? new Error('closed on return'));
        this.#drop(entry, 'unfit');
      }
    });
  }

  /** A lease, or a scope with one, whose holder was garbage-collected is about to be given back. */
  noteAbandoned(entry: PoolEntry): void {
    this.#leaks.reclaimed(entry);
  }

  stats(): PoolStats {
    return this.#roster.stats(this.#waiting.size, this.#stock.connecting, this.#canceller.size);
  }

  holders(): LeaseHolder[] {
    return this.#roster.holders();
  }

  /** True where no statement of the user's shapes the sessions. */
  get plainSessions(): boolean {
    return this.#options.initSql.length === 0;
  }

  /** How often the connections were replaced as a whole. */
  get generation(): number {
    return this.#stock.generation;
  }

  /** The longest statement the server takes, in bytes; `undefined` before the first connection. */
  get maxAllowedPacket(): number | undefined {
    return this.#stock.maxAllowedPacket;
  }

  get limits(): PoolLimits {
    return this.#stock.limits;
  }

  /** The last connect failure, until a connect succeeds. */
  get lastFailure(): unknown {
    return this.#stock.lastFailure;
  }

  /** Has the pool share a bound with others. Before its first connection only. */
  govern(admission: Admission): void {
    this.#roster.admission = admission;
  }

  get governed(): boolean {
    return this.#roster.admission !== undefined;
  }

  get ended(): boolean {
    return this.#ending !== undefined;
  }

  /** There may be a place for a further connection now. */
  poke(): void {
    this.#stock.replenish();
  }

  /** Closes `most` idle connections, those unused for longest first; how many there were. */
  closeIdle(most = Infinity): number {
    return this.#stock.closeIdle(most);
  }

  /**
   * Closes what is idle, control connections too, and keeps nothing ready until the next acquire.
   * Nothing that is out or waited for is touched. Resolves when the sessions are over.
   */
  async rest(): Promise<void> {
    this.#stock.rest();
    this.#liveness.rest();
    await Promise.all([this.#roster.goodbyes(), this.#canceller.rest()]);
  }

  /** Replaces every connection by a new one: idle ones now, others when they come back. */
  evictAll(): void {
    this.#stock.evictAll();
  }

  /** The server of this connection is of no more use: replaces it and all that are as old. */
  evictOlder({ generation }: Lease): void {
    this.#stock.evict(generation);
  }

  /** Changes how many connections there may be. What is out above the limit is closed on return. */
  resize(limits: PoolLimits): void {
    this.#stock.resize(limits);
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
    await this.#stock.close(closed());
    if (!(await this.#roster.allReturned(this.#clock, deadline))) {
      this.#logger.warn({ ...this.numbers }, 'leases were still out at the deadline; closed');
      for (const { connection } of this.#roster.out) connection.destroy(closed());
    }
    this.#leaks.stop();
    await Promise.all([this.#roster.goodbyes(), this.#canceller.end()]);
    this.#liveness.end();
  }

  /** Where the connections are right now. */
  get numbers(): PoolNumbers {
    return this.#roster.numbers(this.#waiting.size);
  }

  #waiterLeft(waited: number): void {
    this.#liveness.drop();
    const { slowAcquire } = this.#log;
    if (slowAcquire === 0 || waited < slowAcquire) return;
    this.#logger.warn({ ...this.numbers, waited: Math.round(waited) }, 'slow acquire');
  }

  #serve(entry: PoolEntry): boolean {
    const waiter = this.#waiting.next();
    if (waiter === undefined) return false;
    const waited = this.#clock.now() - waiter.since;
    waiter.resolve(this.#lend(entry, waiter.owner, waited));
    return true;
  }

  #lend(entry: PoolEntry, owner: Owner | undefined, waited: number): Lease {
    entry.owner = owner;
    this.#roster.lend(entry, waited);
    this.#leaks.lent(entry);
    this.#liveness.hold();
    return new Lease(this, entry);
  }

  #putBack(entry: PoolEntry): void {
    this.#liveness.drop();
    const now = this.#clock.now();
    entry.idleSince = entry.provenAt = now;
    this.#roster.comeBack(entry, now);
    this.#stock.offer(entry);
    this.#roster.noteReturn();
  }

  #drop(entry: PoolEntry, reason: 'discarded' | 'unfit'): void {
    this.#liveness.drop();
    this.#roster.comeBack(entry, this.#clock.now());
    this.#roster.gone(entry, reason);
    this.#stock.replenish();
    this.#roster.noteReturn();
  }

  #reportLeak(report: LeakReport): void {
    this.#tracker.leaked?.(report);
    if (report.kind !== 'returned') this.#observation.current?.leaked(report.kind);
    this.#logger.warn({ ...this.numbers, ...report }, LEAK_TEXTS[report.kind]);
  }
}

function closed(): PoolClosedError {
  return new PoolClosedError('This database was ended and takes no more work');
}
