import { EventEmitter } from 'node:events';
import { Readable, type ReadableOptions } from 'node:stream';
import type { Result, StatementKind } from '../../driver/statement';
import type { StatementObject, StatementValues } from '../../driver/statement-arguments';

/** What runs statements: a connection, or the database as a whole. */
export interface Runner {
  run(
    kind: StatementKind,
    sql: string | StatementObject,
    values?: StatementValues,
  ): Promise<Result<unknown>>;
  stream(
    kind: StatementKind,
    sql: string | StatementObject,
    values?: StatementValues,
  ): AsyncIterable<unknown>;
}

export type Callback = (error: unknown, ...results: readonly unknown[]) => void;

/**
 * Calls back when the promise settles, outside of it. What a callback throws, and an error that there is
 * no callback for, is an uncaught exception as with mysql2, and no rejection of ours.
 */
export function answer(
  promise: Promise<unknown>,
  callback: Callback | undefined,
  resultsOf: (value: unknown) => readonly unknown[] = () => [],
): void {
  const call = (error: unknown, results: readonly unknown[]): void => {
    try {
      if (callback !== undefined) callback(error, ...results);
      else if (error !== null) throw error as Error;
    } catch (thrown) {
      process.nextTick(() => {
        throw thrown;
      });
    }
  };
  promise.then(
    (value) => call(null, resultsOf(value)),
    (error: unknown) => call(error, []),
  );
}

/**
 * `(sql, values?, callback?)` as mysql2 takes it. Without a callback the statement is a {@link Command};
 * with one there is nothing to return.
 */
export function send(
  runner: Runner,
  kind: StatementKind,
  sql: string | StatementObject,
  values?: StatementValues | Callback,
  callback?: Callback,
): Command | undefined {
  const given = typeof values === 'function' ? undefined : values;
  const done = typeof values === 'function' ? values : callback;
  if (done === undefined) return new Command(runner, kind, sql, given);
  answer(runner.run(kind, sql, given), done, (result) => result as Result<unknown>);
  return undefined;
}

/**
 * A statement that was sent without a callback: a source of rows by {@link stream}, if that is asked for
 * at once, else an emitter of `result`, `fields`, `end` and `error`.
 */
export class Command extends EventEmitter {
  readonly #rows: () => AsyncIterable<unknown>;
  #streamed = false;

  constructor(
    runner: Runner,
    kind: StatementKind,
    sql: string | StatementObject,
    values: StatementValues | undefined,
  ) {
    super();
    this.#rows = () => runner.stream(kind, sql, values);
    queueMicrotask(() => {
      if (!this.#streamed) answer(runner.run(kind, sql, values), this.#tell, (all) => all as []);
    });
  }

  /** Rows as they arrive. Destroying the stream gives back what it holds. */
  stream(options: ReadableOptions = {}): Readable {
    this.#streamed = true;
    return Readable.from(this.#rows(), { ...options, objectMode: true });
  }

  readonly #tell = (error: unknown, rows?: unknown, fields?: unknown): void => {
    if (error !== null) {
      this.emit('error', error);
      return;
    }
    this.emit('fields', fields);
    for (const row of Array.isArray(rows) ? rows : [rows]) this.emit('result', row);
    this.emit('end');
  };
}
