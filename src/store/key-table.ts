import type { TableDefinition } from '../schema/table';
import { marks } from '../schema/marks';
import { KeyKind, type CollectionKind } from './key-kind';

/**
 * One row per key: a single value stands in it, members of collections stand in tables of their own,
 * under the row's version. A key that expired has a row until it is swept or written again, and is
 * absent for every statement here. Keys are found by their hash, and compared.
 */
export const keyTable: TableDefinition = {
  name: 'store_keys',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'id BINARY(20) NOT NULL PRIMARY KEY, ' +
    'name VARBINARY(3138) NOT NULL, ' +
    'head VARBINARY(255) NOT NULL, ' +
    'kind TINYINT UNSIGNED NOT NULL, ' +
    'version BINARY(12) NULL, ' +
    'value LONGBLOB NULL, ' +
    'expires_at DATETIME(6) NULL, ' +
    'KEY expiry (expires_at), ' +
    'KEY scan (head, id)' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

const NOW = 'UTC_TIMESTAMP(6)';
/** So many microseconds from now; without an end for NULL. */
const LATER = `${NOW} + INTERVAL ? MICROSECOND`;
/** Its opposite is `expires_at <= NOW`: at the very microsecond a row is expired, and can be swept. */
const LIVE = `(expires_at IS NULL OR expires_at > ${NOW})`;
/** The key's row, if the key is there. */
const FOUND = `id = ? AND name = ? AND ${LIVE}`;
const IS_VALUE = `kind < ${KeyKind.set}`;

/**
 * Fails the statement (ER_DATA_OUT_OF_RANGE) where it is evaluated: an upsert cannot say otherwise
 * that it will not. `LENGTH(name)` keeps it from being reckoned in advance.
 */
const REFUSED = '18446744073709551615 + LENGTH(name)';
/** The server's errors for a statement that was refused, or that reckoned with what is no number. */
export const REFUSALS: readonly number[] = [1690, 1292, 1264, 1265, 1366];
/** First in each upsert: another key with the same hash is left alone. */
const SAME_KEY = `name = IF(name = VALUES(name), name, ${REFUSED})`;

/** Now, in microseconds since 1970. */
const MICROS = `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${NOW})`;
/** How long a full bucket's row stays, in microseconds. */
const BUCKET_ROOM = 60_000_000;

const COLUMNS = '(id, name, head, kind, version, value, expires_at)';

/** As a text or a double a parameter would make a double of every sum. */
const WHOLE = 'CAST(? AS SIGNED)';

/**
 * The text of a whole number in a column, and a number: as Redis reads it, without spaces, signs or
 * zeros that need not be there. The sum is what the statement reports, exactly.
 */
export function sumIn(column: string): string {
  const read = `CAST(${column} AS SIGNED)`;
  return (
    `IF(LENGTH(${column}) <= 20 AND CAST(${read} AS BINARY) = ${column}, ` +
    `CAST(LAST_INSERT_ID(${read} + ${WHOLE}) AS SIGNED), 18446744073709551615 + LENGTH(${column}) + 1)`
  );
}
/** A number that the statement reports. */
export const REPORTED = `CAST(LAST_INSERT_ID(${WHOLE}) AS SIGNED)`;

/** Every statement on the table of keys. */
export function keyStatements(table: string) {
  const upsert = (row: string, assignments: readonly string[]): string =>
    `INSERT INTO ${table} ${COLUMNS} VALUES ${row} ` +
    `ON DUPLICATE KEY UPDATE ${[SAME_KEY, ...assignments].join(', ')}`;
  // Assignments are made from left to right: the end comes last, since the others look at it.
  const unlessThere = [
    `kind = IF(${LIVE}, kind + 0 * LAST_INSERT_ID(0), VALUES(kind))`,
    `version = IF(${LIVE}, version, VALUES(version))`,
    `value = IF(${LIVE}, value, VALUES(value))`,
    `expires_at = IF(${LIVE}, expires_at, VALUES(expires_at))`,
  ];
  const set = (rows: number): string =>
    upsert(marks(rows, `(?, ?, ?, ?, NULL, ?, ${LATER})`), [
      'kind = VALUES(kind)',
      'version = NULL',
      'value = VALUES(value)',
      'expires_at = VALUES(expires_at)',
    ]);
  const used = `TIMESTAMPDIFF(MICROSECOND, ${NOW}, expires_at)`;
  const reading = 'CAST(value AS SIGNED)';
  const lacking = `GREATEST(0, ${reading} - ${MICROS})`;
  const listed = (count: number): string =>
    `k.id IN (${marks(count)}) AND k.name IN (${marks(count)}) AND ${LIVE}`;
  return {
    get: `SELECT kind, value FROM ${table} WHERE ${FOUND}`,
    /** What is committed, and stays so: also where the caller's transaction sees older rows. */
    getNow: `SELECT kind, value FROM ${table} WHERE ${FOUND} LOCK IN SHARE MODE`,
    getForUpdate: `SELECT kind, value FROM ${table} WHERE ${FOUND} FOR UPDATE`,
    getMany: (count: number) => `SELECT id, kind, value FROM ${table} AS k WHERE ${listed(count)}`,
    set: set(1),
    setMany: set,
    /** Reports 1 where it was set, 0 where there was one. */
    setNx: upsert(`(?, ?, ?, ? + 0 * LAST_INSERT_ID(1), NULL, ?, ${LATER})`, unlessThere),
    replace: `UPDATE ${table} SET kind = ?, value = ? WHERE ${FOUND}`,
    setIfEqual:
      `UPDATE ${table} SET kind = ?, value = ?, expires_at = ${LATER} ` +
      `WHERE ${FOUND} AND ${IS_VALUE} AND value = ?`,
    deleteIfEqual: `DELETE FROM ${table} WHERE ${FOUND} AND ${IS_VALUE} AND value = ?`,
    delete: `DELETE FROM ${table} WHERE ${FOUND}`,
    // As of many tables, since only those take an index.
    deleteMany: (count: number) =>
      `DELETE k FROM ${table} AS k FORCE INDEX (PRIMARY) WHERE ${listed(count)}`,
    count: (count: number) => `SELECT id FROM ${table} AS k WHERE ${listed(count)}`,
    expire: `UPDATE ${table} SET expires_at = ${LATER} WHERE ${FOUND}`,
    persist: `UPDATE ${table} SET expires_at = NULL WHERE ${FOUND} AND expires_at IS NOT NULL`,
    ttl: `SELECT ${used} AS remaining FROM ${table} WHERE ${FOUND}`,
    /** Reports the sum. */
    increment: upsert(`(?, ?, ?, 1, NULL, ${REPORTED}, NULL)`, [
      `value = IF(${LIVE}, IF(${IS_VALUE}, ${sumIn('value')}, ${REFUSED}), VALUES(value))`,
      'kind = 1',
      'version = NULL',
      `expires_at = IF(${LIVE}, expires_at, NULL)`,
    ]),
    /**
     * A bucket's value is the moment at which it will be full again, in microseconds since 1970. Reports
     * twice the microseconds until then, and 1 more where there was enough in it. Its row ends some
     * time after that moment, such that the index of ends changes once in that time and not each time.
     */
    take: upsert(
      `(?, ?, ?, ${KeyKind.bucket}, NULL, ${MICROS} + ${WHOLE} + 0 * LAST_INSERT_ID(2 * ${WHOLE} + 1), ` +
        `${NOW} + INTERVAL ? + ${BUCKET_ROOM} MICROSECOND)`,
      [
        `kind = IF(${LIVE}, IF(kind = ${KeyKind.bucket}, kind, ${REFUSED}), VALUES(kind))`,
        'version = NULL',
        `value = IF(${LIVE}, IF(${lacking} + ${WHOLE} <= ${WHOLE}, ` +
          `${MICROS} + ${lacking} + ${WHOLE} + 0 * LAST_INSERT_ID(2 * (${lacking} + ${WHOLE}) + 1), ` +
          `${reading} + 0 * LAST_INSERT_ID(2 * ${lacking})), VALUES(value))`,
        `expires_at = IF(${LIVE} AND (expires_at IS NULL OR ${used} >= ${reading} - ${MICROS}), ` +
          `expires_at, ${NOW} + INTERVAL ${reading} - ${MICROS} + ${BUCKET_ROOM} MICROSECOND)`,
      ],
    ),
    /** Reports 1 where the collection is new and the version offered is its own, 0 where there is a key. */
    open: (kind: CollectionKind) =>
      upsert(`(?, ?, ?, ${kind} + 0 * LAST_INSERT_ID(1), ?, NULL, NULL)`, unlessThere),
    hold: `SELECT kind, version FROM ${table} WHERE ${FOUND} FOR UPDATE`,
    kind: `SELECT kind FROM ${table} WHERE ${FOUND}`,
    page:
      `SELECT id, head, name FROM ${table} FORCE INDEX (scan) WHERE head >= ? AND head < ? ` +
      `AND (head > ? OR id > ?) AND LEFT(name, ?) = ? AND ${LIVE} ORDER BY head, id LIMIT ?`,
    expired:
      `SELECT id FROM ${table} FORCE INDEX (expiry) WHERE expires_at <= ${NOW} ` +
      'ORDER BY expires_at LIMIT ?',
    sweep: (count: number) =>
      `DELETE k FROM ${table} AS k FORCE INDEX (PRIMARY) WHERE k.id IN (${marks(count)}) ` +
      `AND k.expires_at <= ${NOW}`,
  };
}

/** The version of a key's collection of this kind, as a value in other tables' statements. */
export function versionIn(table: string, kind: CollectionKind): string {
  return `(SELECT version FROM ${table} WHERE ${FOUND} AND kind = ${kind})`;
}

/** The key's row, if the key is there, in statements that read other tables beside. */
export function found(alias: string): string {
  const live = `(${alias}.expires_at IS NULL OR ${alias}.expires_at > ${NOW})`;
  return `${alias}.id = ? AND ${alias}.name = ? AND ${live}`;
}
