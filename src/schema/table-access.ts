import type { RetryingPooledDatabase } from '../database';
import { SchemaError } from '../errors';
import { installTables } from './install-tables';
import { nameOf, type TableDefinition } from './table';

/** ER_NO_SUCH_TABLE and ER_BAD_FIELD_ERROR: not there, or of another version. */
const MISSING = [1146, 1054];

function isMissing(error: unknown): boolean {
  return MISSING.includes((error as { errno?: number }).errno ?? 0);
}

/**
 * Runs statements on one of the library's tables. Whether the table is there is found out by using
 * it: that costs nothing while it is.
 */
export class TableAccess {
  readonly db: RetryingPooledDatabase;
  /** As it stands in SQL. */
  readonly table: string;
  readonly #definition: TableDefinition;
  readonly #prefix: string;
  readonly #autoInstall: boolean;
  #installing: Promise<void> | undefined;

  constructor(
    db: RetryingPooledDatabase,
    definition: TableDefinition,
    prefix: string,
    autoInstall: boolean,
  ) {
    this.db = db;
    this.table = nameOf(definition, prefix);
    this.#definition = definition;
    this.#prefix = prefix;
    this.#autoInstall = autoInstall;
  }

  /** @throws {SchemaError} where the table is missing and `autoInstall` is off. */
  async run<T>(statement: () => Promise<T>): Promise<T> {
    try {
      return await statement();
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (!this.#autoInstall) throw this.#missing(error);
      await this.#install();
    }
    try {
      return await statement();
    } catch (error) {
      throw isMissing(error) ? this.#missing(error) : error;
    }
  }

  /** Callers who find the table missing at the same time wait for one installation. */
  #install(): Promise<void> {
    // Not kept: the next that finds it missing tries again, after a failure or a DROP.
    this.#installing ??= installTables(this.db, [this.#definition], this.#prefix).finally(() => {
      this.#installing = undefined;
    });
    return this.#installing;
  }

  #missing(cause: unknown): SchemaError {
    return new SchemaError(
      `The table ${this.table} is missing or of another version: run install(db, { prefix }) once, ` +
        'the statements of installSql() in a migration, or say autoInstall: true.',
      { cause },
    );
  }
}
