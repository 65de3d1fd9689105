import type { TableDefinition } from '../schema/table';

/**
 * One row per collection that was ever begun, until its members are swept. A key that is deleted, has
 * expired or was overwritten leaves its members behind: they belong to a version that no key has any
 * more, and none will ever have again.
 */
export const collectionTable: TableDefinition = {
  name: 'store_collections',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'version BINARY(12) NOT NULL PRIMARY KEY, ' +
    'id BINARY(20) NOT NULL, ' +
    'kind TINYINT UNSIGNED NOT NULL' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

export function collectionStatements(table: string, keys: string) {
  return {
    register: `INSERT INTO ${table} (version, id, kind) VALUES (?, ?, ?)`,
    /** Some of them in order, and whether their key is gone. */
    page:
      `SELECT c.version, c.kind, k.id IS NULL AS abandoned FROM ${table} AS c ` +
      `LEFT JOIN ${keys} AS k ON k.id = c.id AND k.version = c.version ` +
      'WHERE c.version > ? ORDER BY c.version LIMIT ?',
    forget: `DELETE FROM ${table} WHERE version = ?`,
    /** Removes a key that has no members left, and all that is known of it. */
    drop: (members: string) =>
      `DELETE k, c FROM ${keys} AS k STRAIGHT_JOIN ${table} AS c ON c.version = k.version ` +
      `WHERE k.id = ? AND k.version = ? AND NOT EXISTS (SELECT 1 FROM ${members} WHERE version = ?)`,
  };
}
