import type { TableDefinition } from '../schema/table';
import { marks } from '../schema/marks';
import { KeyKind } from './key-kind';
import { found, versionIn } from './key-table';
import { memberStatements } from './member-table';

/** One row per member of a sorted set, under the version of its key, in order by score, then by bytes. */
export const sortedSetTable: TableDefinition = {
  name: 'store_sorted_set_members',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'version BINARY(12) NOT NULL, ' +
    'member VARBINARY(3000) NOT NULL, ' +
    'score DOUBLE NOT NULL, ' +
    // Changes with every write: an upsert counts 1 for a new row and 2 for a changed one, and either
    // for a row that stays the same.
    'turn BIT(1) NOT NULL DEFAULT 0, ' +
    'PRIMARY KEY (version, member), ' +
    'KEY by_score (version, score, member)' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

export type Direction = 'ASC' | 'DESC';

const KIND = KeyKind.sortedSet;
const WITHIN = (name: string): string => `${name}.score >= ? AND ${name}.score <= ?`;

export function sortedSetStatements(table: string, keys: string) {
  const ordered = (direction: Direction): string =>
    `ORDER BY m.score ${direction}, m.member ${direction} LIMIT ?`;
  const change = 'ON DUPLICATE KEY UPDATE score = VALUES(score), turn = 1 - turn';
  const inOrder = `FROM ${table} AS m FORCE INDEX (by_score)`;
  const ofKey = (what: string, ...alias: string[]): string =>
    [`SELECT k.kind, ${what} FROM ${keys} AS k`, ...alias, `WHERE ${found('k')}`].join(' ');
  // The key comes first, whether it has such members or not; they are read in the index's order.
  const withKey = (members: string): string =>
    `(SELECT kind, NULL AS member, NULL AS score FROM ${keys} AS k WHERE ${found('k')}) UNION ALL ` +
    `(SELECT NULL, m.member, m.score ${inOrder} WHERE m.version = ${versionIn(keys, KIND)} ${members})`;
  const counted = (condition: string): string =>
    `(SELECT COUNT(*) ${inOrder} WHERE m.version = k.version${condition}) AS n`;
  return {
    ...memberStatements(table),
    /** To a sorted set that is there, as {@link setStatements} do; 0 rows tell that it is not. */
    addToOne:
      `INSERT INTO ${table} (version, member, score) SELECT k.version, CAST(? AS BINARY), ? ` +
      `FROM ${keys} AS k WHERE ${found('k')} AND k.kind = ${KIND} LOCK IN SHARE MODE ${change}`,
    add: (count: number) =>
      `INSERT INTO ${table} (version, member, score) VALUES ${marks(count, '(?, ?, ?)')} ${change}`,
    scoreForUpdate: `SELECT score FROM ${table} WHERE version = ? AND member = ? FOR UPDATE`,
    score: ofKey('m.score', `LEFT JOIN ${table} AS m ON m.version = k.version AND m.member = ?`),
    count: ofKey(counted('')),
    countWithin: ofKey(counted(` AND ${WITHIN('m')}`)),
    rank: ofKey(
      'o.score, (SELECT COUNT(*) ' +
        `${inOrder} WHERE m.version = k.version AND m.score <= o.score ` +
        'AND (m.score < o.score OR m.member < o.member)) AS n',
      `LEFT JOIN ${table} AS o ON o.version = k.version AND o.member = ?`,
    ),
    byRank: (direction: Direction) => withKey(`${ordered(direction)} OFFSET ?`),
    byScore: (direction: Direction) => withKey(`AND ${WITHIN('m')} ${ordered(direction)} OFFSET ?`),
    ends: (direction: Direction) =>
      `SELECT m.member, m.score ${inOrder} WHERE m.version = ? ${ordered(direction)} FOR UPDATE`,
    removeWithin: `DELETE m ${inOrder} WHERE m.version = ? AND ${WITHIN('m')}`,
  };
}
