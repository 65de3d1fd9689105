import { classify } from '../driver/classify';
import type { Connection, StatementEnd, StatementTracer } from '../driver/connection';
import { normalizeSql } from '../driver/sql-text';
import { tellingAll, type FullObserver, type Observer } from './observer';
import { operationOf } from './operation';
import { isTraced, traceStatement, type ServerName } from './statement-channel';

/** How somebody watches. */
export interface ObserveOptions {
  /**
   * Captures for one of so many connections that `getConnection()` and scopes take where that was
   * (about 5 µs each); 0 for none. Of several observers the most curious one decides. @default 0
   */
  readonly stackEvery?: number;
}

interface Watcher {
  readonly observer: Observer;
  readonly stackEvery: number;
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
  #stackEvery = 0;
  #untilStack = 0;
  readonly #server: ServerName;

  constructor(server: ServerName = UNKNOWN) {
    this.#server = server;
  }

  /** From now on `observer` is told. Returns what ends that. */
  add(observer: Observer, { stackEvery = 0 }: ObserveOptions = {}): () => void {
    const watcher = { observer, stackEvery };
    this.#watch([...this.#watchers, watcher]);
    return () => this.#watch(this.#watchers.filter((other) => other !== watcher));
  }

  #watch(watchers: readonly Watcher[]): void {
    this.#watchers = watchers;
    this.current =
      watchers.length === 0 ? undefined : tellingAll(watchers.map(({ observer }) => observer));
    const wishes = watchers.map(({ stackEvery }) => stackEvery).filter((every) => every > 0);
    this.#stackEvery = wishes.length === 0 ? 0 : Math.min(...wishes);
    this.#untilStack = 0;
  }

  /** Whether the stack of the lease that is taken now is wanted. */
  wantsStack(): boolean {
    if (this.#stackEvery === 0) return false;
    if (this.#untilStack-- > 0) return false;
    this.#untilStack = this.#stackEvery - 1;
    return true;
  }

  /** A statement is given to the driver, in the context of who issued it. */
  begun(sql: string, connection: Connection): StatementEnd | undefined {
    const { current } = this;
    const trace = isTraced() ? traceStatement(sql, connection, this.#server) : undefined;
    if (current === undefined) return trace;
    return (elapsed, error) => {
      const errorClass =
        error === null ? undefined : classify(error, { flavour: connection.flavour }).name;
      const operation = operationOf(sql);
      current.statement({ operation, elapsed, errorClass, text: () => normalizeSql(sql) });
      trace?.(elapsed, error);
    };
  }
}
