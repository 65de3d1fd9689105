import type { Clock } from '../clock';
import { classify } from '../driver/classify';
import type { Driver } from '../driver/connection';
import { normalizeSql } from '../driver/sql-text';
import { errorFields, type Logger } from '../logger';
import type { Observation } from '../metrics/observation';
import type { PoolTracker } from '../metrics/tracker';
import type { ResolvedOptions } from '../options';
import { Connector, LONGEST_DELAY } from './connector';
import type { Demand } from './demand';
import { PoolEntry } from './entry';
import { Housekeeper } from './housekeeper';
import { lifespanOf } from './lifespan';
import { connectionsNeeded, type PoolLimits } from './limits';
import { Opener, type Opened } from './opener';
import { provesAlive } from './proof';
import type { Roster } from './roster';
import type { SessionSetup } from './session';
import type { Voices } from './voices';

/** How long a sign of life may take, in ms, and from when on it no longer stands for a waiter. */
const PROOF_LIMIT = 1000;
const OVERDUE = 100;

/** A connection that is lost younger than this, in ms, counts as a connect that failed. */
const YOUNG = 1000;

/** How long a connect failure is worth telling where nothing else bounds it, in ms. */
const FAILURE_MEMORY = 60_000;

/**
 * The connections that nobody has at the moment: opens them as they are needed, keeps them alive,
 * retires them, and offers each to whoever waits longest.
 */
export class Stock {
  readonly #options: ResolvedOptions['pool'];
  readonly #slowStatement: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #tracker: PoolTracker;
  readonly #observation: Observation;
  readonly #roster: Roster;
  readonly #demand: Demand;
  readonly #connector: Connector<Opened & { generation: number }>;
  readonly #housekeeper: Housekeeper;
  #limits: PoolLimits;
  #generation = 0;
  #maxAllowedPacket: number | undefined;
  #lastFailure: unknown;
  #lastFailureAt = 0;
  readonly #proofs = new Set<Promise<void>>();
  /** Proofs that take long. */
  #overdue = 0;
  readonly #proofLimit: number;
  #open: 'unused' | 'used' | 'closed' = 'unused';

  constructor(
    driver: Driver,
    session: SessionSetup,
    { pool, log }: ResolvedOptions,
    { clock, logger, tracker, observation }: Voices,
    roster: Roster,
    demand: Demand,
  ) {
    this.#options = pool;
    this.#limits = pool;
    this.#proofLimit = Math.min(
      PROOF_LIMIT,
      pool.acquireTimeout > 0 ? pool.acquireTimeout / 2 : Infinity,
    );
    this.#slowStatement = log.slowStatement;
    this.#clock = clock;
    this.#logger = logger;
    this.#tracker = tracker;
    this.#observation = observation;
    this.#roster = roster;
    this.#demand = demand;
    const opener = new Opener(driver, session, clock, pool.connectTimeout);
    this.#housekeeper = new Housekeeper(clock, roster.idle, pool.idleTimeout, {
      minIdle: () => this.#limits.minIdle,
      retire: (entry) => this.#retire(entry),
      prove: (entry) => this.#prove(entry),
    });
    this.#connector = new Connector(
      {
        need: () => this.#need(),
        admitted: () => roster.admission?.enter() ?? true,
        open: async (signal) => {
          const generation = this.#generation;
          const begun = clock.now();
          try {
            const opened = await opener.open(signal);
            observation.current?.connected(clock.now() - begun);
            return { ...opened, generation };
          } catch (error) {
            roster.admission?.leave();
            throw error;
          }
        },
        opened: (opened) => this.#opened(opened),
        failed: (error, retryIn) => this.#connectFailed(error, retryIn),
      },
      clock,
    );
  }

  get limits(): PoolLimits {
    return this.#limits;
  }

  /** The last connect failure, until a connect succeeds or it is too old to have to do with anything. */
  get lastFailure(): unknown {
    const { acquireTimeout } = this.#options;
    // As long as anybody may have been waiting since, with the longest pause before the next connect.
    const memory = (acquireTimeout > 0 ? acquireTimeout : FAILURE_MEMORY) + LONGEST_DELAY;
    return this.#clock.now() - this.#lastFailureAt <= memory ? this.#lastFailure : undefined;
  }

  /** How often the connections were replaced as a whole. */
  get generation(): number {
    return this.#generation;
  }

  /** Of the newest connection; `undefined` while there was none. */
  get maxAllowedPacket(): number | undefined {
    return this.#maxAllowedPacket;
  }

  get connecting(): number {
    return this.#connector.connecting;
  }

  /** An idle connection that can be lent as it is. */
  takeFresh(): PoolEntry | undefined {
    const { top } = this.#roster.idle;
    if (top === undefined) return undefined;
    const now = this.#clock.now();
    if (now >= top.lifespan.retireAt || this.#needsProof(top, now)) return undefined;
    return this.#roster.idle.pop();
  }

  /** Somebody waits whom no fresh connection served: proves an idle one, else opens another. */
  wake(): void {
    this.#open = 'used';
    const now = this.#clock.now();
    const { idle } = this.#roster;
    for (let entry = idle.pop(); entry !== undefined; entry = idle.pop()) {
      if (now >= entry.lifespan.retireAt) {
        this.#retire(entry);
        continue;
      }
      // Others may wait as well: this one is for the longest of them.
      if (this.#needsProof(entry, now)) this.#prove(entry);
      else this.offer(entry);
      return;
    }
    this.#connector.poke();
  }

  /** To the longest waiter, else to the idle stack, else away. */
  offer(entry: PoolEntry): void {
    if (this.#isSpent(entry)) {
      this.#retire(entry);
    } else if (!this.#demand.serve(entry)) {
      if (this.#roster.idle.size >= this.#limits.maxIdle) {
        this.#retire(entry);
      } else {
        this.#roster.idle.push(entry);
        this.#housekeeper.noticed(entry);
      }
    }
  }

  /** A connection is gone that was not idle: another may be needed. */
  replenish(): void {
    this.#connector.poke();
  }

  /** Replaces every connection by a new one: idle ones now, others when they come back. */
  evictAll(): void {
    this.#generation++;
    for (const entry of this.#roster.idle.drain()) this.#retire(entry);
  }

  /** The same, unless connections of that generation are being replaced already. */
  evict(generation: number): void {
    if (generation === this.#generation) this.evictAll();
  }

  /** Closes `most` idle connections, those unused for longest first; how many there were. */
  closeIdle(most: number): number {
    let closed = 0;
    for (const entry of this.#roster.idle.bottomUp()) {
      if (closed >= most) break;
      if (!this.#roster.idle.remove(entry)) continue;
      closed++;
      this.#retire(entry);
    }
    return closed;
  }

  /** Closes what is idle, and what becomes idle, until somebody waits again. */
  rest(): void {
    if (this.#open === 'used' && this.#demand.waiting() === 0) this.#open = 'unused';
    this.closeIdle(Infinity);
    // No timer stays behind.
    this.#housekeeper.stop();
  }

  /** Changes how many connections there may be. What is out above the limit is closed on return. */
  resize(limits: PoolLimits): void {
    this.#limits = limits;
    const { idle } = this.#roster;
    for (const entry of idle.bottomUp()) {
      if (idle.size <= limits.maxIdle && this.#total() <= limits.connectionLimit) break;
      // A listener of `remove` may have taken it meanwhile.
      if (idle.remove(entry)) this.#retire(entry);
    }
    this.#housekeeper.review();
    this.#connector.poke();
  }

  /** Closes what is idle and calls off connects. What comes later is closed at once. */
  async close(reason: Error): Promise<void> {
    this.#open = 'closed';
    this.#housekeeper.stop();
    for (const entry of this.#roster.idle.drain()) this.#retire(entry);
    for (const { connection } of this.#roster.proving) connection.destroy(reason);
    await Promise.all([...this.#proofs, this.#connector.end(reason)]);
  }

  #total(): number {
    return this.#roster.numbers(0).total;
  }

  #need(): number {
    if (this.#open !== 'used') return 0;
    const numbers = this.#roster.numbers(this.#demand.waiting());
    const { proving, leaving } = this.#roster;
    return connectionsNeeded(this.#limits, numbers, proving.size - this.#overdue, leaving);
  }

  #needsProof(entry: PoolEntry, now: number): boolean {
    const { validateAfter } = this.#options;
    return validateAfter > 0 && now - entry.provenAt > validateAfter;
  }

  /** Asks an idle connection for a sign of life; with it the connection is on offer again. */
  #prove(entry: PoolEntry): void {
    const { proving } = this.#roster;
    proving.add(entry);
    let overdue = false;
    // One that takes long no longer stands for a waiter: another connection may be opened.
    const patience = this.#clock.setTimer(() => {
      overdue = true;
      this.#overdue++;
      this.#connector.poke();
    }, OVERDUE);
    const proof = provesAlive(entry.connection, this.#clock, this.#proofLimit).then((alive) => {
      patience.cancel();
      if (overdue) this.#overdue--;
      proving.delete(entry);
      this.#proofs.delete(proof);
      entry.provenAt = this.#clock.now();
      if (alive) this.offer(entry);
      else this.#distrust(entry);
    });
    this.#proofs.add(proof);
  }

  /** Silence is rarely one connection's own: those that rested as long are not trusted either. */
  #distrust(entry: PoolEntry): void {
    const now = this.#clock.now();
    this.#logger.warn({ ...this.#numbers() }, 'an idle connection gave no sign of life');
    this.#roster.gone(entry, 'lost');
    for (const other of this.#roster.idle.bottomUp()) {
      if (!this.#needsProof(other, now)) continue;
      if (this.#roster.idle.remove(other)) this.#retire(other);
    }
    this.#connector.poke();
  }

  /** At the end of its life, of an older generation, above a limit that was lowered, or too late. */
  #isSpent(entry: PoolEntry): boolean {
    return (
      this.#open !== 'used' ||
      entry.generation !== this.#generation ||
      entry.provenAt >= entry.lifespan.retireAt ||
      this.#total() >= this.#limits.connectionLimit ||
      this.#roster.admission?.yields(entry) === true
    );
  }

  #retire(entry: PoolEntry): void {
    // Its place is free when the server has let it go, or there would be more than the limit for a moment.
    this.#roster.retire(entry, () => this.#connector.poke());
  }

  #opened({ connection, facts, generation }: Opened & { generation: number }): void {
    this.#lastFailure = undefined;
    this.#maxAllowedPacket = facts.maxAllowedPacket;
    const now = this.#clock.now();
    const { maxLifetime, keepaliveInterval } = this.#options;
    const lifespan = lifespanOf(now, maxLifetime, keepaliveInterval, facts.waitTimeout);
    const entry = new PoolEntry(connection, facts, generation, lifespan, now);
    if (this.#slowStatement > 0) {
      connection.watch(this.#slowStatement, (sql, elapsed) => {
        const fields = { elapsed: Math.round(elapsed), sql: normalizeSql(sql) };
        this.#logger.warn({ ...this.#numbers(), ...fields }, 'slow statement');
      });
    }
    connection.trace(this.#observation);
    connection.onLost((reason) => this.#lost(entry, reason));
    this.#roster.created(entry);
    this.#logger.info({ ...this.#numbers(), threadId: connection.threadId }, 'connected');
    // Lost between its set-up and here: nobody was told.
    if (connection.lost === undefined) this.offer(entry);
    else this.#roster.gone(entry, 'lost');
  }

  /** An idle connection leaves at once; one that is out leaves when its borrower returns it. */
  #lost(entry: PoolEntry, reason: Error): void {
    this.#logger.warn({ ...this.#numbers(), ...errorFields(reason) }, 'connection lost');
    if (!this.#roster.idle.remove(entry)) return;
    this.#tracker.failed?.(reason);
    this.#roster.gone(entry, 'lost');
    // A server that takes connections and drops them at once is as good as one that refuses them.
    if (this.#clock.now() - entry.bornAt < YOUNG) this.#connector.setBack(reason);
    else this.#connector.poke();
  }

  #connectFailed(error: unknown, retryIn: number): void {
    this.#lastFailure = error;
    this.#lastFailureAt = this.#clock.now();
    this.#observation.current?.connectFailed();
    this.#tracker.failed?.(error);
    const fields = { ...this.#numbers(), ...errorFields(error), retryIn: Math.round(retryIn) };
    this.#logger.warn(fields, 'connect failed');
    // While connections live, a refusal may pass (credentials being changed); without one it will not.
    if (this.#total() === 0 && classify(error).name === 'refused for good') {
      this.#demand.refused(error as Error);
    }
  }

  #numbers(): object {
    return this.#roster.numbers(this.#demand.waiting());
  }
}
