import type { TableDefinition } from '../schema/table';
import { marks } from '../schema/marks';
import { KeyKind } from './key-kind';
import { REPORTED, found, sumIn } from './key-table';
import { memberStatements } from './member-table';

/** One row per field of a hash, under the version of its key. */
export const hashTable: TableDefinition = {
  name: 'store_hash_fields',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'version BINARY(12) NOT NULL, ' +
    'member VARBINARY(3000) NOT NULL, ' +
    'kind TINYINT UNSIGNED NOT NULL, ' +
    'value LONGBLOB NOT NULL, ' +
    // As in sorted sets: tells a field that is new from one that is written again.
    'turn BIT(1) NOT NULL DEFAULT 0, ' +
    'PRIMARY KEY (version, member)' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

const COLUMNS = '(version, member, kind, value)';

export function hashStatements(table: string, keys: string) {
  const change =
    'ON DUPLICATE KEY UPDATE kind = VALUES(kind), value = VALUES(value), turn = 1 - turn';
  const increase = `ON DUPLICATE KEY UPDATE value = ${sumIn(`${table}.value`)}, kind = 1`;
  const toOne = (values: string): string =>
    `INSERT INTO ${table} ${COLUMNS} SELECT k.version, CAST(? AS BINARY), ${values} ` +
    `FROM ${keys} AS k WHERE ${found('k')} AND k.kind = ${KeyKind.hash} LOCK IN SHARE MODE`;
  const ofKey = (what: string, condition = ''): string =>
    `SELECT k.kind AS keyKind, ${what} FROM ${keys} AS k ` +
    `LEFT JOIN ${table} AS m ON m.version = k.version${condition} WHERE ${found('k')}`;
  return {
    ...memberStatements(table),
    addToOne: `${toOne('?, CAST(? AS BINARY)')} ${change}`,
    add: (count: number) =>
      `INSERT INTO ${table} ${COLUMNS} VALUES ${marks(count, '(?, ?, ?, ?)')} ${change}`,
    /** Reports the sum. */
    incrementInOne: `${toOne(`1, ${REPORTED}`)} ${increase}`,
    increment: `INSERT INTO ${table} ${COLUMNS} VALUES (?, ?, 1, ${REPORTED}) ${increase}`,
    get: ofKey('m.kind, m.value', ' AND m.member = ?'),
    all: ofKey('m.member, m.kind, m.value'),
    count: `SELECT k.kind AS keyKind, (SELECT COUNT(*) FROM ${table} AS m WHERE m.version = k.version) AS n FROM ${keys} AS k WHERE ${found('k')}`,
  };
}
