import type { ResultHeader } from '../driver/statement';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { marks } from '../schema/marks';
import type { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';

/**
 * One row per tag, and per namespace, that was invalidated; what never was is at version 0. An entry
 * bears the versions it was made under, and counts only while they have not changed.
 *
 * A version is the moment it was given, in ms since 1970 by the server's clock, and greater than the one
 * before it: a tag whose row was removed does not come back to a version that an entry may bear.
 */
export const cacheTagTable: TableDefinition = {
  name: 'cache_tags',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'id BINARY(16) NOT NULL PRIMARY KEY, ' +
    'version BIGINT UNSIGNED NOT NULL' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

/**
 * How long the row of a tag stays after the tag was invalidated, in ms. Whatever is stored later was
 * made under a version that was read less long ago.
 */
const KEPT = 86_400_000;

/** How old what an entry is made under may be when it is stored, in ms. */
export const OLDEST_BASIS = KEPT / 2;

const NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000";
const IS_OLD = `version < ${NOW} - ${KEPT}`;

/** Rows removed by one statement. */
const BATCH = 500;

/** A tag that was invalidated, and whether that was long ago. */
export interface TagRow {
  readonly id: Buffer;
  readonly old: number | string;
}

/** The versions of tags, by id as latin1; those at 0 are not in it. */
export type Versions = ReadonlyMap<string, number>;

export const versionOf = (versions: Versions, id: Buffer): number =>
  versions.get(id.toString('latin1')) ?? 0;

/** SQL for the version of one tag, whose id is a parameter. */
export const versionSql = (table: string): string =>
  `COALESCE((SELECT t.version FROM ${table} t WHERE t.id = ?), 0)`;

/** SQL for the sum of the versions of tags whose ids the expressions give. */
export const versionSumSql = (table: string, ids: readonly string[]): string =>
  `(SELECT COALESCE(SUM(t.version), 0) FROM ${table} t WHERE t.id IN (${ids.join(', ')}))`;

/** Every statement on the table of tags. */
export class CacheTagTable {
  readonly #access: TableAccess;
  readonly #statements: DatabaseParts['statements'];
  readonly #options: { readonly idempotent: true; readonly timeout?: number };
  readonly table: string;

  /** @param timeout of each statement, in ms; 0 is the database's own. */
  constructor(access: TableAccess, timeout: number) {
    this.#access = access;
    this.#options = timeout > 0 ? { idempotent: true, timeout } : { idempotent: true };
    this.#statements = partsOf(access.db).statements;
    this.table = access.name(cacheTagTable);
  }

  /** Read without a lock, in the caller's transaction or scope. */
  async versions(ids: readonly Buffer[]): Promise<Versions> {
    const sql = `SELECT id, version FROM ${this.table} WHERE id IN (${marks(ids.length)})`;
    const [rows] = await this.#access.run(() =>
      this.#statements.here<{ id: Buffer; version: number | string }[]>(sql, ids, this.#options),
    );
    return new Map(rows.map(({ id, version }) => [id.toString('latin1'), Number(version)]));
  }

  /** Whatever was made under an earlier version of it is void from here on. */
  async raise(id: Buffer): Promise<void> {
    const sql =
      `INSERT INTO ${this.table} (id, version) VALUES (?, ${NOW}) ` +
      'ON DUPLICATE KEY UPDATE version = GREATEST(version + 1, VALUES(version))';
    // Once more than needed does no harm.
    await this.#access.run(() => this.#statements.here<ResultHeader>(sql, [id], this.#options));
  }

  /** Tags behind `after`, in the order of their ids. */
  async page(after: Buffer, last: Buffer, most: number): Promise<TagRow[]> {
    const sql =
      `SELECT id, ${IS_OLD} AS old FROM ${this.table} FORCE INDEX (PRIMARY) ` +
      'WHERE id > ? AND id <= ? ORDER BY id LIMIT ?';
    const values = [after, last, String(most)];
    const [rows] = await this.#access.run(() =>
      this.#statements.here<TagRow[]>(sql, values, this.#options),
    );
    return rows;
  }

  /** Removes those that were not invalidated again since; they are in the order of their ids. */
  async removeOld(ids: readonly Buffer[]): Promise<void> {
    for (let at = 0; at < ids.length; at += BATCH) {
      const some = ids.slice(at, at + BATCH);
      const sql =
        `DELETE t FROM ${this.table} AS t FORCE INDEX (PRIMARY) ` +
        `WHERE t.id IN (${marks(some.length)}) AND t.${IS_OLD}`;
      await this.#access.run(() => this.#statements.here<ResultHeader>(sql, some, this.#options));
    }
  }
}
