import type { DefaultRows, Result, Row } from './driver/statement';
import type {
  StatementObject,
  StatementOptions,
  StatementValues,
} from './driver/statement-arguments';
import { TransactionOpenError, checkFunction } from './errors';
import type { DatabaseOptions } from './options';
import { PooledDatabase } from './pooled-database';
import { currentContext, withoutScope } from './scope/context';
import { atomic, type AtomicCallback, type AtomicTarget } from './transaction/atomic';
import type { AtomicOptions } from './transaction/atomic-options';
import {
  bulkInsert,
  type BulkInsertOptions,
  type BulkInsertResult,
  type BulkTarget,
} from './transaction/bulk-insert';
import { Checkout } from './transaction/checkout';
import { BlockView, OwnLease } from './transaction/checkout-homes';
import { furtherSlot } from './transaction/further-slot';
import { runHook, type Hook } from './transaction/hooks';
import type { StatementRouter } from './transaction/router';
import type { RowStream } from './transaction/row-stream';
import { addHook, currentFrame } from './transaction/transaction-block';

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
export class RetryingPooledDatabase extends PooledDatabase {
  readonly #statements: StatementRouter;
  readonly #target: AtomicTarget;

  /**
   * @param options a URL (`mysql://user:password@host:port/database?connectionLimit=20`) or options.
   * @throws {ConfigurationError} naming the option and the rule; nothing is corrected in silence.
   */
  constructor(options: string | DatabaseOptions) {
    super(options);
    const { pool, host, statements } = this.parts;
    this.#statements = statements;
    this.#target = {
      key: pool,
      slot: (scope) => (scope.root() ?? scope).slotFor(pool, host.clock),
      further: (scope) => furtherSlot(pool, host.clock, scope),
    };
  }

  /**
   * Sends a statement as text with the values escaped into it, and resolves to `[rows, fields]` as
   * mysql2/promise does.
   *
   * Repeated by itself only where it certainly had no effect (never sent, or refused as in a
   * deadlock), or where `{ idempotent: true }` says that twice is the same as once; never inside a
   * transaction. With `timeout` or `signal` it is stopped on the server when its time is up.
   *
   * @throws {InvalidArgumentError} where `values` is not an array; nothing is sent.
   * @throws {PoolExhaustedError} where no connection was free within `acquireTimeout`.
   * @throws {StatementTimeoutError} where `timeout` passed, {@link StatementAbortedError} where
   * `signal` was aborted; `outcome` says what became of the statement.
   */
  query<T = DefaultRows>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#statements.query<T>(sql, values, options);
  }

  /** As {@link query}, prepared on the server with the values bound: safer, and faster when repeated. */
  execute<T = DefaultRows>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#statements.execute<T>(sql, values, options);
  }

  /** The first row of a prepared statement; `undefined` where there is none. */
  queryOne<T = Row>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<T | undefined> {
    return this.#statements.queryOne<T>(sql, values, options);
  }

  /** The first column of that row; `undefined` where there is none. */
  queryValue<T = unknown>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<T | undefined> {
    return this.#statements.queryValue<T>(sql, values, options);
  }

  /**
   * Brings many rows into a table, all of them or none, in as few INSERTs as `max_allowed_packet`
   * and `maxBytes` allow. Rows are objects by column, or arrays with `columns` given. Where it takes
   * several statements they are a transaction, or part of the one that is open.
   *
   * @throws {InvalidArgumentError} naming the row and the column, before anything is sent.
   *
   * @example
   * await db.bulkInsert('orders', [{ id: 1, total: 5 }, { id: 2, total: 7 }], { onDuplicate: 'update' });
   */
  bulkInsert(
    table: string | readonly string[],
    rows: Iterable<object>,
    options?: BulkInsertOptions,
  ): Promise<BulkInsertResult> {
    const { driver } = this.parts;
    const target: BulkTarget = {
      escape: (value) => driver.escape(value),
      maxAllowedPacket: () => this.#statements.maxAllowedPacket(),
      run: (sql) => this.#statements.runEscaped(sql),
      atomic: (fn) => this.atomic(fn),
    };
    return bulkInsert(target, table, rows, options);
  }

  /**
   * The rows of a prepared statement one by one, as they arrive; no faster than they are taken.
   *
   * Outside a transaction a stream has a connection of its own, so that statements can be run while
   * its rows are taken. Inside one it has the transaction's, and every other statement of that rejects
   * with {@link StreamOpenError} until the stream is read to its end or left. Nothing is sent before
   * the first `next()`. `timeout` counts from there to the last row.
   *
   * @example
   * for await (const row of db.stream('SELECT * FROM orders')) await archive(row);
   */
  stream<T = Row>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): RowStream<T> {
    return this.#statements.stream<T>(sql, values, options);
  }

  /** @internal As {@link stream}, sent as {@link query} sends it. */
  streamText(sql: string | StatementObject, values?: StatementValues): RowStream<Row> {
    return this.#statements.streamText(sql, values);
  }

  /** @internal A connection for the interface of another library, on which transaction control is text. */
  checkout(): Promise<Checkout> {
    const { pool, host } = this.parts;
    const frame = currentFrame(pool);
    if (frame === undefined) {
      return this.getConnection().then((own) => new Checkout(host, new OwnLease(own)));
    }
    const view = new BlockView(frame, host, (fn, options) => this.atomic(fn, options));
    return Promise.resolve(new Checkout(host, view));
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
   * @throws {TransactionTimeoutError} where its `timeout` passed before COMMIT was sent.
   * @throws {TransactionOpenError} where `durable`, `isolationLevel` or `readOnly` cannot be had
   * inside the transaction that is open.
   */
  atomic<T>(fn: AtomicCallback<T>, options?: AtomicOptions): Promise<T> {
    return atomic(this.parts.host, this.#target, fn, options);
  }

  /** Whether the caller stands in a transaction block of this database that is open. */
  get inTransaction(): boolean {
    return currentFrame(this.parts.pool)?.isOver === false;
  }

  /**
   * Runs `hook` once the open transaction is committed for good, or now where none is open. Resolves
   * when it is registered or, outside a transaction, has run. A hook's error is logged, never thrown.
   *
   * @throws {TransactionClosedError} in late work of a transaction block that is over.
   */
  async afterCommit(hook: Hook): Promise<void> {
    checkFunction('hook', hook);
    const frame = currentFrame(this.parts.pool);
    if (frame !== undefined) addHook(frame, 'afterCommit', hook);
    else await runHook(hook, this.parts.host.logger);
  }

  /** Runs `hook` once the open transaction is rolled back. Outside a transaction it never runs. */
  async afterRollback(hook: Hook): Promise<void> {
    checkFunction('hook', hook);
    const frame = currentFrame(this.parts.pool);
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
    const frame = currentFrame(this.parts.pool);
    if (frame?.isOver === false) {
      throw new TransactionOpenError(
        'manualClose() inside a transaction would cut it in two: call it before or after atomic()',
      );
    }
    const refusal = frame?.refusal();
    if (refusal !== undefined) throw refusal;
    const slot = currentContext()?.scope?.root()?.slotOf(this.parts.pool);
    if (slot === undefined) return false;
    return slot.lane.run(async () => {
      const held = slot.holdsLease;
      await slot.giveBack();
      return held;
    });
  }
}
