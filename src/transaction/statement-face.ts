import type { DefaultRows, Result, Row, StatementKind } from '../driver/statement';
import {
  requestOf,
  type StatementObject,
  type StatementOptions,
  type StatementRequest,
  type StatementValues,
} from '../driver/statement-arguments';
import { InvalidArgumentError } from '../errors';
import { RowStream, type OpenStream } from './row-stream';

/** @throws {InvalidArgumentError} where the statement, which has been run, gives no rows. */
function rowsOf<T>(rows: T[]): T[] {
  if (Array.isArray(rows)) return rows;
  throw new InvalidArgumentError('sql', 'was run, and is none that gives rows: use execute()');
}

/** `query` and `execute` in mysql2's shape, over one way to run a statement that was checked. */
export abstract class StatementFace {
  readonly #named: boolean;

  /** @internal */
  constructor({ namedPlaceholders }: { readonly namedPlaceholders: boolean }) {
    this.#named = namedPlaceholders;
  }

  /** Sends text with the values escaped into it; resolves to `[rows, fields]`. */
  query<T = DefaultRows>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#run<T>('query', sql, values, options);
  }

  /** Prepares the statement and binds the values; resolves to `[rows, fields]`. */
  execute<T = DefaultRows>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#run<T>('execute', sql, values, options);
  }

  /** Prepares the statement and gives its rows one by one, as they arrive. */
  stream<T = Row>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): RowStream<T> {
    try {
      return new RowStream<T>(this.dispatchStream(requestOf(sql, values, options, this.#named)));
    } catch (error) {
      return new RowStream<T>(() => Promise.reject(error));
    }
  }

  /** @internal As {@link stream}, sent as {@link query} sends it. */
  streamText<T = Row>(sql: string | StatementObject, values?: StatementValues): RowStream<T> {
    try {
      const request = requestOf(sql, values, undefined, this.#named);
      const statement = { ...request.statement, asText: true };
      return new RowStream<T>(this.dispatchStream({ ...request, statement }));
    } catch (error) {
      return new RowStream<T>(() => Promise.reject(error));
    }
  }

  /** The first row of a prepared statement; `undefined` where there is none. */
  async queryOne<T = Row>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<T | undefined> {
    const [rows] = await this.execute<T[]>(sql, values, options);
    return rowsOf(rows)[0];
  }

  /** The first column of that row; `undefined` where there is none. */
  async queryValue<T = unknown>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<T | undefined> {
    const shape = { ...options, rowsAsArray: true };
    const [rows] = await this.execute<T[][]>(sql, values, shape);
    return rowsOf(rows)[0]?.[0];
  }

  #run<T>(
    kind: StatementKind,
    sql: string | StatementObject,
    values: StatementValues | undefined,
    options: StatementOptions | undefined,
  ): Promise<Result<T>> {
    try {
      return this.dispatch<T>(kind, requestOf(sql, values, options, this.#named));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal What begins the stream, on the connection that belongs to where it was asked for. May throw. */
  protected abstract dispatchStream(request: StatementRequest): OpenStream;

  /** @internal May throw: that becomes a rejection. */
  protected abstract dispatch<T>(
    kind: StatementKind,
    request: StatementRequest,
  ): Promise<Result<T>>;
}
