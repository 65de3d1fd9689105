import type { Clock } from '../clock';
import { classify } from '../driver/classify';
import type { Connection, StatementEnd, StatementTracer } from '../driver/connection';
import { normalizeSql } from '../driver/sql-text';
import { tellingAll, type FullObserver, type ObservedStatement, type Observer } from './observer';
import { operationOf } from './operation';
import { statementChannel, traceStatement } from './statement-channel';
import type { ServerName } from './trace-channel';
import { traceTransaction, transactionChannel } from './transaction-channel';
import { traceWait, waitChannel } from './wait-channel';

/** How somebody watches. */
export interface ObserveOptions {
  /**
   * Of how many of the connections that `getConnection()` and scopes take it is noted each second where
   * that was: all of them in a quiet program, and a bounded cost (about 10 µs each) in a busy one.
   * Of several observers the most curious one decides. @default 0
   */
  readonly stacksPerSecond?: number;
}

interface Watcher {
  readonly observer: Observer;
  readonly stacksPerSecond: number;
}

/** A statement that ended. One is made for each while somebody watches: its fields are all it costs. */
class EndedStatement implements ObservedStatement {
  readonly #sql: string;
  readonly elapsed: number;
  readonly errorClass: string | undefined;

  constructor(sql: string, elapsed: number, errorClass: string | undefined) {
    this.#sql = sql;
    this.elapsed = elapsed;
    this.errorClass = errorClass;
  }

  get operation(): string {
    return operationOf(this.#sql);
  }

  get text(): string {
    return normalizeSql(this.#sql);
  }
}

const UNKNOWN: ServerName = { host: undefined, port: undefined, database: undefined };

/**
 * Who watches one database. Nobody does at first: each place that has something to tell then looks at
 * one field and goes on.
 */
export class Observation implements StatementTracer {
  /** Tells all who watch; `undefined` while nobody does. */
  current: FullObserver | undefined;
  #watchers: readonly Watcher[] = [];
  /** Milliseconds between two stacks; `Infinity` for none. */
  #stackGap = Infinity;
  #nextStackAt = 0;
  readonly #server: ServerName;

  constructor(server: ServerName = UNKNOWN) {
    this.#server = server;
  }

  /** From now on `observer` is told. Returns what ends that. */
  add(observer: Observer, { stacksPerSecond = 0 }: ObserveOptions = {}): () => void {
    const watcher = { observer, stacksPerSecond };
    this.#watch([...this.#watchers, watcher]);
    return () => this.#watch(this.#watchers.filter((other) => other !== watcher));
  }

  #watch(watchers: readonly Watcher[]): void {
    this.#watchers = watchers;
    this.current =
      watchers.length === 0 ? undefined : tellingAll(watchers.map(({ observer }) => observer));
    this.#stackGap = 1000 / Math.max(0, ...watchers.map((one) => one.stacksPerSecond));
  }

  /** Whether the stack of the lease that is taken now is wanted. */
  wantsStack(clock: Clock): boolean {
    if (this.#stackGap === Infinity) return false;
    const now = clock.now();
    if (now < this.#nextStackAt) return false;
    this.#nextStackAt = now + this.#stackGap;
    return true;
  }

  /** Whether somebody wants to hear of transactions: else nothing of {@link transaction} is needed. */
  get hearsTransactions(): boolean {
    return transactionChannel.isHeard;
  }

  /** Runs an outermost transaction block, and tells of it. */
  transaction<T>(label: string | undefined, clock: Clock, run: () => Promise<T>): Promise<T> {
    return traceTransaction(this.#server, label, clock, run);
  }

  /** Tells of a wait for a connection, where somebody wants to hear of that. */
  wait<T>(label: string | undefined, clock: Clock, wait: Promise<T>): Promise<T> {
    return waitChannel.isHeard ? traceWait(this.#server, label, clock, wait) : wait;
  }

  begun(sql: string, connection: Connection): StatementEnd | undefined {
    return statementChannel.isHeard ? traceStatement(sql, connection, this.#server) : undefined;
  }

  ended(
    sql: string,
    { flavour }: Connection,
    elapsed: number,
    error: Error | null,
    trace: StatementEnd | undefined,
  ): void {
    trace?.(elapsed, error);
    const { current } = this;
    if (current === undefined) return;
    const errorClass = error === null ? undefined : classify(error, { flavour }).name;
    current.statement(new EndedStatement(sql, elapsed, errorClass));
  }
}
