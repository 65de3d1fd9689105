import type { DefaultRows, Result, StatementKind } from '../driver/statement';
import {
  requestOf,
  type StatementObject,
  type StatementOptions,
  type StatementRequest,
  type StatementValues,
} from '../driver/statement-arguments';
import { invoke } from '../scope/connection-scope';

/** `query` and `execute` in mysql2's shape, over one way to run a statement that was checked. */
export abstract class StatementFace {
  readonly #named: boolean;

  constructor({ namedPlaceholders }: { readonly namedPlaceholders: boolean }) {
    this.#named = namedPlaceholders;
  }

  /** Sends text with the values escaped into it; resolves to `[rows, fields]`. */
  query<T = DefaultRows>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return invoke(() => this.dispatch<T>('query', requestOf(sql, values, options, this.#named)));
  }

  /** Prepares the statement and binds the values; resolves to `[rows, fields]`. */
  execute<T = DefaultRows>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return invoke(() => this.dispatch<T>('execute', requestOf(sql, values, options, this.#named)));
  }

  /** May throw: that becomes a rejection. */
  protected abstract dispatch<T>(
    kind: StatementKind,
    request: StatementRequest,
  ): Promise<Result<T>>;
}
