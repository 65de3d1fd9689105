import type { RetryingPooledDatabase } from '../database';
import { partsOf } from '../pooled-database';
import { nameOf, type TableDefinition } from './table';

/** Which version each table of a prefix is. */
export const versionTable: TableDefinition = {
  name: 'schema',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'name VARBINARY(64) NOT NULL PRIMARY KEY, ' +
    'version INT UNSIGNED NOT NULL' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

/** The versions by table, as far as tables were installed. */
export async function readVersions(
  db: RetryingPooledDatabase,
  prefix: string,
): Promise<ReadonlyMap<string, number>> {
  const rows = await partsOf(db).statements.alone<{ name: string; version: number }[]>(
    `SELECT CONVERT(name USING utf8mb4) AS name, version FROM ${nameOf(versionTable, prefix)}`,
    [],
    { idempotent: true },
  );
  return new Map(rows.map(({ name, version }) => [name, version]));
}

/** Never lowers a version: of several installers the newest counts. */
export async function writeVersion(
  db: RetryingPooledDatabase,
  prefix: string,
  { name, version }: TableDefinition,
): Promise<void> {
  await db.execute(writeVersionSql(prefix), [name, version], { idempotent: true });
}

export function writeVersionSql(prefix: string): string {
  return (
    `INSERT INTO ${nameOf(versionTable, prefix)} (name, version) VALUES (?, ?) ` +
    'ON DUPLICATE KEY UPDATE version = GREATEST(version, VALUES(version))'
  );
}
