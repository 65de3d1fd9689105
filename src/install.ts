import { cacheTable } from './cache/cache-table';
import { cacheTagTable } from './cache/cache-tag-table';
import type { RetryingPooledDatabase } from './database';
import { lockTable } from './lock/lock-table';
import { QUEUE_TABLES } from './queue/queue-schema';
import { installTables, installText, prefixOf, type InstallOptions } from './schema/install-tables';
import type { TableDefinition } from './schema/table';
import { tableStates, type TableState } from './schema/table-state';
import { storeTables } from './store/store-tables';

/** Every table of this library's. */
const TABLES: readonly TableDefinition[] = [
  lockTable,
  ...storeTables,
  cacheTable,
  cacheTagTable,
  ...QUEUE_TABLES,
];

/**
 * Brings the library's tables to this version's form: creates what is missing, upgrades what is older.
 * May be run at each start of a program, by any number of processes at once.
 *
 * @throws {SchemaError} where a table is of a newer version than this library knows.
 */
export async function install(
  db: RetryingPooledDatabase,
  options: InstallOptions = {},
): Promise<void> {
  await installTables(db, TABLES, prefixOf(options));
}

/** The statements of a new installation, for those who run migrations themselves. */
export function installSql(options: InstallOptions = {}): string[] {
  return installText(TABLES, prefixOf(options));
}

/** @internal How the library's tables stand. Changes nothing. */
export function inspectTables(db: RetryingPooledDatabase, prefix: string): Promise<TableState[]> {
  return tableStates(db, TABLES, prefix);
}
