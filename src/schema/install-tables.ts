import type { RetryingPooledDatabase } from '../database';
import { SchemaError, checkOptionNames } from '../errors';
import { nameOf, type TableDefinition } from './table';
import { checkPrefix } from './table-prefix';
import { readVersions, versionTable, writeVersion, writeVersionSql } from './version-table';

export interface InstallOptions {
  /** Begins the name of every table. @default 'boomerang_' */
  readonly prefix?: string;
}

/** @throws {ConfigurationError} for a bad prefix. */
export function prefixOf(options: InstallOptions): string {
  checkOptionNames('options', options, ['prefix']);
  return checkPrefix(options.prefix);
}

/**
 * Brings the tables to this version's form: creates what is missing, upgrades what is older. Changes
 * nothing where all is as it should be, and may be run by any number of processes at once: each
 * statement may run twice.
 *
 * Runs outside the caller's scope and transaction, which a CREATE TABLE would commit.
 *
 * @throws {SchemaError} where a table is of a newer version than this library knows.
 */
export function installTables(
  db: RetryingPooledDatabase,
  tables: readonly TableDefinition[],
  prefix: string,
): Promise<void> {
  return db.withoutScope(async () => {
    await db.query(versionTable.create(nameOf(versionTable, prefix)), [], { idempotent: true });
    const versions = await readVersions(db, prefix);
    for (const table of tables) await bringUp(db, table, prefix, versions.get(table.name));
  });
}

async function bringUp(
  db: RetryingPooledDatabase,
  table: TableDefinition,
  prefix: string,
  found: number | undefined,
): Promise<void> {
  const name = nameOf(table, prefix);
  if (found !== undefined && found > table.version) {
    throw new SchemaError(
      `The table ${name} is of version ${found}, and this version of the library knows ` +
        `${table.version}: bring the library up to date, or use another prefix.`,
    );
  }
  // Whatever the version says: the table may have been dropped, or left out of a restored backup.
  await db.query(table.create(name), [], { idempotent: true });
  if (found === table.version) return;
  for (let next = (found ?? table.version) + 1; next <= table.version; next++) {
    for (const sql of table.upgrades[next]?.(name) ?? []) {
      await db.query(sql, [], { idempotent: true });
    }
  }
  await writeVersion(db, prefix, table);
}

/** The same as text, for those who run migrations themselves: a new installation, statement by statement. */
export function installText(tables: readonly TableDefinition[], prefix: string): string[] {
  const versions = tables.map(({ name, version }) =>
    writeVersionSql(prefix).replace('?', `'${name}'`).replace('?', String(version)),
  );
  return [versionTable, ...tables]
    .map((table) => table.create(nameOf(table, prefix)))
    .concat(versions);
}
