import { marks, perCount } from '../schema/marks';
import type { TableDefinition } from '../schema/table';
import { TAG_BYTES } from './cache-key';
import { versionSql, versionSumSql } from './cache-tag-table';

/** How many seconds one step of `due` is: an entry is removed so much later than it could be at most. */
const STEP = 10;

/** Tags that an entry may have. */
export const MOST_TAGS = 16;

/**
 * One row per key, found by a hash of it and compared in full. `kind` is NULL where there is no value:
 * while the first one is being made, and for a time after a deletion, so that whoever read before it
 * finds out. Nothing counts past `gone_at`, nothing is fresh past `fresh_until`.
 */
export const cacheTable: TableDefinition = {
  name: 'cache',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'id BINARY(24) NOT NULL PRIMARY KEY, ' +
    'full_key VARBINARY(3328) NOT NULL, ' +
    'version BINARY(8) NOT NULL, ' +
    'kind TINYINT UNSIGNED NULL, ' +
    'value LONGBLOB NULL, ' +
    'size INT UNSIGNED NOT NULL, ' +
    'epoch BIGINT UNSIGNED NOT NULL, ' +
    `tags VARBINARY(${MOST_TAGS * TAG_BYTES}) NULL, ` +
    'tag_sum BIGINT UNSIGNED NOT NULL DEFAULT 0, ' +
    'cost INT UNSIGNED NOT NULL, ' +
    'written_at DATETIME(6) NOT NULL, ' +
    'fresh_until DATETIME(6) NOT NULL, ' +
    'gone_at DATETIME(6) NOT NULL, ' +
    // Coarse, so that rewriting an entry seldom changes the index.
    `due INT UNSIGNED AS (TIMESTAMPDIFF(SECOND, '2000-01-01', gone_at) DIV ${STEP}) STORED, ` +
    'filler BINARY(8) NULL, ' +
    'fill_until DATETIME(6) NULL, ' +
    'KEY due (due)' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

const NOW = 'UTC_TIMESTAMP(6)';
/** So many microseconds from now. What has no end has the same one always, for the index's sake. */
const LATER = `LEAST(${NOW} + INTERVAL ? MICROSECOND, TIMESTAMP'2200-01-01 00:00:00')`;
/** Whether nobody is making a value. */
const UNFILLED = `(fill_until IS NULL OR fill_until <= ${NOW})`;

const until = (column: string): string => `TIMESTAMPDIFF(MICROSECOND, ${NOW}, ${column})`;

const COLUMNS =
  'id, full_key, version, kind, value, size, epoch, tags, tag_sum, cost, written_at, fresh_until, gone_at';

/**
 * Every statement, or what it is made of.
 *
 * @param timed whether values come with how long they are fresh: who keeps them has to know.
 */
export function statementsOn(table: string, tagTable: string, timed: boolean) {
  const epoch = versionSql(tagTable);
  // For one key the row is known when the subquery is planned, and each of these a constant.
  const ids = Array.from(
    { length: MOST_TAGS },
    (_, at) => `SUBSTRING(c.tags, ${at * TAG_BYTES + 1}, ${TAG_BYTES})`,
  );
  const tagsHold = `(c.tags IS NULL OR c.tag_sum = ${versionSumSql(tagTable, ids)})`;
  const counts = `kind IS NOT NULL AND fresh_until > ${NOW} AND epoch = ${epoch}`;
  const fresh = `${until('fresh_until')} AS fresh`;
  const sole = timed ? `kind, value, ${fresh}` : 'kind, value';
  const value = `full_key, ${sole}, tags, tag_sum`;
  const look =
    `full_key, kind, value, ${fresh}, tags, tag_sum, version, cost, ${until('gone_at')} AS remaining, ` +
    `${until('fill_until')} AS filling, `;
  const assigned =
    'version = ?, kind = ?, value = ?, size = ?, epoch = ?, tags = ?, tag_sum = ?, cost = ?, ' +
    `written_at = ${NOW}, fresh_until = ${LATER}, gone_at = ${LATER}, filler = NULL, fill_until = NULL`;
  const isFree = `((${UNFILLED} AND version <=> ?) OR filler <=> ?)`;
  const row = (epochSql: string): string =>
    `(?, ?, ?, ?, ?, ?, ${epochSql}, ?, ?, 0, ${NOW}, ${LATER}, ${LATER})`;
  const rows = (count: number, first = row('?')): string =>
    first + `, ${row('?')}`.repeat(count - 1);
  const overwrite =
    'ON DUPLICATE KEY UPDATE ' +
    COLUMNS.split(', ')
      .slice(1)
      .map((column) => `${column} = VALUES(${column})`)
      .join(', ') +
    ', filler = NULL, fill_until = NULL';
  const upsert = (written: string): string =>
    `INSERT INTO ${table} (${COLUMNS}) VALUES ${written} ${overwrite}`;
  // As of many tables, since only those take an index.
  const remove = (count: number): string =>
    `DELETE c FROM ${table} AS c FORCE INDEX (PRIMARY) WHERE c.id IN (${marks(count)})`;
  const page = (columns: string): string =>
    `SELECT ${columns} FROM ${table} FORCE INDEX (PRIMARY) ` +
    `WHERE id > ? AND id <= ? AND LEFT(full_key, ?) = ? AND ${counts} ORDER BY id LIMIT ?`;
  return {
    value: `SELECT ${sole}, tags IS NOT NULL AS tagged FROM ${table} WHERE id = ? AND full_key = ? AND ${counts}`,
    taggedValue: `SELECT ${sole} FROM ${table} c WHERE id = ? AND full_key = ? AND ${counts} AND ${tagsHold}`,
    values: perCount(
      (count) => `SELECT ${value} FROM ${table} WHERE id IN (${marks(count)}) AND ${counts}`,
    ),
    keys: perCount(
      (count) =>
        `SELECT full_key, tags, tag_sum FROM ${table} WHERE id IN (${marks(count)}) AND ${counts}`,
    ),
    look:
      `SELECT ${look} epoch = ${epoch} AND ${tagsHold} AS valid ` +
      `FROM ${table} c WHERE id = ? AND full_key = ?`,
    looks: perCount(
      (count) =>
        `SELECT ${look} epoch = ${epoch} AS valid FROM ${table} WHERE id IN (${marks(count)})`,
    ),
    put: perCount((count) => upsert(rows(count))),
    // The answer's `insertId` is the epoch that counts while it is written; it waits for a
    // transaction that has cleared the namespace and is open still.
    putAsking: perCount((count) => upsert(rows(count, row(`? + 0 * LAST_INSERT_ID(${epoch})`)))),
    bury: perCount((count) =>
      upsert(marks(count, `(?, ?, ?, NULL, NULL, 0, 0, NULL, 0, 0, ${NOW}, ${NOW}, ${LATER})`)),
    ),
    // Assignments are made from left to right: what decides comes last.
    lease:
      `INSERT INTO ${table} (id, full_key, version, size, epoch, cost, written_at, fresh_until, gone_at, ` +
      'filler, fill_until) VALUES ' +
      `(?, ?, ?, 0, 0, LAST_INSERT_ID(1) - 1, ${NOW}, ${NOW}, ${LATER}, ?, ${LATER}) ` +
      'ON DUPLICATE KEY UPDATE ' +
      `cost = IF(${isFree}, cost + 0 * LAST_INSERT_ID(1), cost + 0 * LAST_INSERT_ID(0)), ` +
      `filler = IF(${isFree}, VALUES(filler), filler), ` +
      `fill_until = IF(${UNFILLED} AND filler <=> ?, VALUES(fill_until), fill_until)`,
    renew: `UPDATE ${table} SET fill_until = ${LATER} WHERE id = ? AND filler = ?`,
    giveUp: `UPDATE ${table} SET filler = NULL, fill_until = NULL WHERE id = ? AND filler = ?`,
    fill: `UPDATE ${table} SET ${assigned} WHERE id = ? AND filler = ?`,
    fillSeen: `UPDATE ${table} SET ${assigned} WHERE id = ? AND version = ?`,
    fillNew:
      `INSERT INTO ${table} (${COLUMNS}) VALUES ` +
      `(?, ?, ?, ?, ?, ?, ?, ?, ?, ? + 0 * LAST_INSERT_ID(1), ${NOW}, ${LATER}, ${LATER}) ` +
      'ON DUPLICATE KEY UPDATE cost = cost + 0 * LAST_INSERT_ID(0)',
    touch:
      `UPDATE ${table} c SET fresh_until = ${LATER}, gone_at = ${LATER} ` +
      `WHERE id = ? AND full_key = ? AND ${counts} AND ${tagsHold}`,
    gone:
      `SELECT id FROM ${table} FORCE INDEX (due) ` +
      `WHERE due < TIMESTAMPDIFF(SECOND, '2000-01-01', ${NOW}) DIV ${STEP} ORDER BY due LIMIT ?`,
    removeGone: (count: number) => `${remove(count)} AND c.gone_at < ${NOW} AND ${UNFILLED}`,
    remove: (count: number) =>
      `${remove(count)} AND c.version IN (${marks(count)}) AND ${UNFILLED}`,
    walk:
      `SELECT id, version, epoch, tags, tag_sum FROM ${table} FORCE INDEX (PRIMARY) ` +
      `WHERE id >= ? AND id <= ? AND kind IS NOT NULL ORDER BY id LIMIT ?`,
    sample:
      `SELECT id, version, size, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', written_at) AS written ` +
      `FROM ${table} FORCE INDEX (PRIMARY) ` +
      'WHERE id >= ? AND id <= ? AND kind IS NOT NULL ORDER BY id LIMIT ?',
    page: page(`id, ${value}`),
    keyPage: page('id, full_key, tags, tag_sum'),
    totals:
      `SELECT LEFT(full_key, LOCATE(CHAR(0), full_key) - 1) AS namespace, epoch, COUNT(*) AS entries, ` +
      `SUM(fresh_until > ${NOW}) AS fresh, SUM(gone_at <= ${NOW}) AS gone, SUM(size) AS bytes ` +
      `FROM ${table} WHERE kind IS NOT NULL GROUP BY namespace, epoch ORDER BY namespace`,
    count:
      `SELECT COUNT(*) AS count FROM ${table} FORCE INDEX (PRIMARY) ` +
      `WHERE id >= ? AND id <= ? AND ${counts}`,
  };
}
