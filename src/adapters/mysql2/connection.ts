import type { RetryingPooledDatabase } from '../../database';
import type { Result } from '../../driver/statement';
import type { StatementObject, StatementValues } from '../../driver/statement-arguments';
import type { Checkout } from '../../transaction/checkout';
import { answer, send, type Callback, type Command } from './command';

/** What a connection and a pool have in common. */
export class Formatting {
  protected readonly db: RetryingPooledDatabase;

  constructor(db: RetryingPooledDatabase) {
    this.db = db;
  }

  format(sql: string, values?: readonly unknown[]): string {
    return this.db.format(sql, values);
  }

  escape(value: unknown): string {
    return this.db.escape(value);
  }

  escapeId(name: string): string {
    return this.db.escapeId(name);
  }
}

/** A connection in the shape of mysql2's, with callbacks. */
export class CallbackConnection extends Formatting {
  readonly #checkout: Checkout;
  #promised: PromiseConnection | undefined;

  constructor(db: RetryingPooledDatabase, checkout: Checkout) {
    super(db);
    this.#checkout = checkout;
  }

  /** The server's number for the session; `undefined` inside a block of ours, whose connection it is. */
  get threadId(): number | undefined {
    return this.#checkout.threadId;
  }

  query(
    sql: string | StatementObject,
    values?: StatementValues | Callback,
    callback?: Callback,
  ): Command | undefined {
    return send(this.#checkout, 'query', sql, values, callback);
  }

  execute(
    sql: string | StatementObject,
    values?: StatementValues | Callback,
    callback?: Callback,
  ): Command | undefined {
    return send(this.#checkout, 'execute', sql, values, callback);
  }

  beginTransaction(callback?: Callback): void {
    answer(this.#checkout.run('query', 'BEGIN'), callback);
  }

  commit(callback?: Callback): void {
    answer(this.#checkout.run('query', 'COMMIT'), callback);
  }

  rollback(callback?: Callback): void {
    answer(this.#checkout.run('query', 'ROLLBACK'), callback);
  }

  ping(callback?: Callback): void {
    answer(this.#checkout.run('query', 'DO 0'), callback);
  }

  release(): void {
    void this.#checkout.release();
  }

  /** As {@link release}: a connection of a pool is not ended by its borrower. */
  end(callback?: Callback): void {
    answer(this.#checkout.release(), callback);
  }

  destroy(): void {
    this.#checkout.destroy();
  }

  promise(): PromiseConnection {
    return (this.#promised ??= new PromiseConnection(this.db, this.#checkout, this));
  }
}

/** The same with promises. */
export class PromiseConnection extends Formatting {
  readonly connection: CallbackConnection;
  readonly #checkout: Checkout;

  constructor(db: RetryingPooledDatabase, checkout: Checkout, connection: CallbackConnection) {
    super(db);
    this.#checkout = checkout;
    this.connection = connection;
  }

  get threadId(): number | undefined {
    return this.#checkout.threadId;
  }

  query(sql: string | StatementObject, values?: StatementValues): Promise<Result<unknown>> {
    return this.#checkout.run('query', sql, values);
  }

  execute(sql: string | StatementObject, values?: StatementValues): Promise<Result<unknown>> {
    return this.#checkout.run('execute', sql, values);
  }

  async beginTransaction(): Promise<void> {
    await this.query('BEGIN');
  }

  async commit(): Promise<void> {
    await this.query('COMMIT');
  }

  async rollback(): Promise<void> {
    await this.query('ROLLBACK');
  }

  async ping(): Promise<void> {
    await this.query('DO 0');
  }

  /** Resolves when it is back, where somebody wants to know. Never rejects. */
  release(): Promise<void> {
    return this.#checkout.release();
  }

  /** As {@link release}. */
  end(): Promise<void> {
    return this.release();
  }

  destroy(): void {
    this.#checkout.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
