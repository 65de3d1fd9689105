import type { TableDefinition } from '../schema/table';
import { marks } from '../schema/marks';
import { KeyKind } from './key-kind';
import { found } from './key-table';
import { memberStatements } from './member-table';

/** One row per member of a set, under the version of its key. */
export const setTable: TableDefinition = {
  name: 'store_set_members',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'version BINARY(12) NOT NULL, ' +
    'member VARBINARY(3000) NOT NULL, ' +
    'PRIMARY KEY (version, member)' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

export function setStatements(table: string, keys: string) {
  const beside = `FROM ${keys} AS k LEFT JOIN ${table} AS m ON m.version = k.version`;
  return {
    ...memberStatements(table),
    /**
     * To a set that is there. The key's row is locked, shared with others who add: it stays what it
     * is. No record tells that there is no such set.
     */
    addToOne:
      `INSERT IGNORE INTO ${table} (version, member) SELECT k.version, CAST(? AS BINARY) ` +
      `FROM ${keys} AS k WHERE ${found('k')} AND k.kind = ${KeyKind.set} LOCK IN SHARE MODE`,
    add: (count: number) =>
      `INSERT IGNORE INTO ${table} (version, member) VALUES ${marks(count, '(?, ?)')}`,
    all: `SELECT k.kind, m.member ${beside} WHERE ${found('k')}`,
    has:
      `SELECT k.kind, EXISTS (SELECT 1 FROM ${table} AS m WHERE m.version = k.version ` +
      `AND m.member = ?) AS n FROM ${keys} AS k WHERE ${found('k')}`,
    count: `SELECT k.kind, (SELECT COUNT(*) FROM ${table} AS m WHERE m.version = k.version) AS n FROM ${keys} AS k WHERE ${found('k')}`,
    random: `SELECT member FROM ${table} WHERE version = ? ORDER BY RAND() LIMIT ? FOR UPDATE`,
  };
}
