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
 * Runs statements on tables of the library's that belong together. Whether they are there is found
 * out by using them: that costs nothing while they are.
 */
export class TableAccess {
  readonly db: RetryingPooledDatabase;
  readonly #definitions: readonly TableDefinition[];
  readonly #prefix: string;
  readonly #autoInstall: boolean;
  #installing: Promise<void> | undefined;

  constructor(
    db: RetryingPooledDatabase,
    definitions: readonly TableDefinition[],
    prefix: string,
    autoInstall: boolean,
  ) {
    this.db = db;
    this.#definitions = definitions;
    this.#prefix = prefix;
    this.#autoInstall = autoInstall;
  }

  /** The table's name as it stands in SQL. */
  name(definition: TableDefinition): string {
    return nameOf(definition, this.#prefix);
  }

  /** @throws {SchemaError} where a table is missing and `autoInstall` is off. */
  run<T>(statement: () => Promise<T>): Promise<T> {
    // Every statement's way: no promise more than it takes to look at its error.
    try {
      return statement().catch((error: unknown) => this.#failed(error, statement));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #failed<T>(error: unknown, statement: () => Promise<T>): Promise<T> {
    if (!isMissing(error)) throw error;
    if (!this.#autoInstall) throw this.#missing(error);
    await this.#install();
    try {
      return await statement();
    } catch (again) {
      throw isMissing(again) ? this.#missing(again) : again;
    }
  }

  /** Callers who find a table missing at the same time wait for one installation. */
  #install(): Promise<void> {
    // Not kept: the next that finds it missing tries again, after a failure or a DROP.
    this.#installing ??= installTables(this.db, this.#definitions, this.#prefix).finally(() => {
      this.#installing = undefined;
    });
    return this.#installing;
  }

  #missing(cause: unknown): SchemaError {
    const tables = this.#definitions.map((definition) => this.name(definition));
    const names =
      tables.length === 1 ? `The table ${tables[0]} is` : `One of ${tables.join(', ')} is`;
    return new SchemaError(
      `${names} missing or of another version: run install(db, { prefix }) once, the ` +
        'statements of installSql() in a migration, or say autoInstall: true.',
      { cause },
    );
  }
}
