import type { Result } from '../../driver/statement';
import type { StatementObject, StatementValues } from '../../driver/statement-arguments';
import { answer, send, type Callback, type Command } from './command';
import { Formatting, type CallbackConnection, type PromiseConnection } from './connection';
import type { PoolCore } from './pool-core';

/** What a connection is given back by. */
interface Releasable {
  release(): unknown;
}

/** A pool in the shape of mysql2's, with callbacks. */
export class CallbackPool extends Formatting {
  readonly #core: PoolCore;
  #promised: PromisePool | undefined;

  constructor(core: PoolCore) {
    super(core.db);
    this.#core = core;
  }

  getConnection(callback: (error: unknown, connection?: CallbackConnection) => void): void {
    answer(this.#core.getConnection(), callback as Callback, (connection) => [connection]);
  }

  releaseConnection(connection: Releasable): void {
    connection.release();
  }

  query(
    sql: string | StatementObject,
    values?: StatementValues | Callback,
    callback?: Callback,
  ): Command | undefined {
    return send(this.#core, 'query', sql, values, callback);
  }

  execute(
    sql: string | StatementObject,
    values?: StatementValues | Callback,
    callback?: Callback,
  ): Command | undefined {
    return send(this.#core, 'execute', sql, values, callback);
  }

  end(callback?: Callback): void {
    answer(this.#core.end(), callback);
  }

  promise(): PromisePool {
    return (this.#promised ??= new PromisePool(this.#core, this));
  }
}

/** The same with promises. */
export class PromisePool extends Formatting {
  readonly pool: CallbackPool;
  readonly #core: PoolCore;

  constructor(core: PoolCore, pool: CallbackPool) {
    super(core.db);
    this.#core = core;
    this.pool = pool;
  }

  async getConnection(): Promise<PromiseConnection> {
    return (await this.#core.getConnection()).promise();
  }

  releaseConnection(connection: Releasable): void {
    connection.release();
  }

  query(sql: string | StatementObject, values?: StatementValues): Promise<Result<unknown>> {
    return this.#core.run('query', sql, values);
  }

  execute(sql: string | StatementObject, values?: StatementValues): Promise<Result<unknown>> {
    return this.#core.run('execute', sql, values);
  }

  end(): Promise<void> {
    return this.#core.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
