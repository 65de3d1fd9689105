import type { ResultHeader } from '../driver/statement';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { marks } from '../schema/marks';
import type { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';

/**
 * One row per tag, and per namespace, that was ever invalidated; what never was is at version 0.
 * An entry bears the versions it was made under, and counts only while they have not changed.
 * Rows are never removed: a tag that began again at 0 would bring entries back to life.
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
  readonly table: string;

  constructor(access: TableAccess) {
    this.#access = access;
    this.#statements = partsOf(access.db).statements;
    this.table = access.name(cacheTagTable);
  }

  /** Read without a lock, in the caller's transaction or scope. */
  async versions(ids: readonly Buffer[]): Promise<Versions> {
    const sql = `SELECT id, version FROM ${this.table} WHERE id IN (${marks(ids.length)})`;
    const [rows] = await this.#access.run(() =>
      this.#statements.here<{ id: Buffer; version: number | string }[]>(sql, ids, {
        idempotent: true,
      }),
    );
    return new Map(rows.map(({ id, version }) => [id.toString('latin1'), Number(version)]));
  }

  /** Whatever was made under an earlier version of it is void from here on. */
  async raise(id: Buffer): Promise<void> {
    const sql =
      `INSERT INTO ${this.table} (id, version) VALUES (?, 1) ` +
      'ON DUPLICATE KEY UPDATE version = version + 1';
    // Once more than needed does no harm.
    await this.#access.run(() =>
      this.#statements.here<ResultHeader>(sql, [id], { idempotent: true }),
    );
  }
}
