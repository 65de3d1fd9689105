import type { RetryingPooledDatabase } from '../database';
import type { ResultHeader } from '../driver/statement';
import { Limit } from '../limit';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { marks } from '../schema/marks';
import { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';
import type { AloneOptions } from '../transaction/router';

/**
 * One row per name. A name that was never locked has none; one that is free has no owner, or an end
 * that has passed. Names are bytes: no collation folds `a` and `A` into one lock.
 */
export const lockTable: TableDefinition = {
  name: 'locks',
  version: 1,
  create: (table) =>
    `CREATE TABLE IF NOT EXISTS ${table} (` +
    'name VARBINARY(255) NOT NULL PRIMARY KEY, ' +
    'owner BINARY(16) NULL, ' +
    'token BIGINT UNSIGNED NOT NULL, ' +
    'acquired_at DATETIME(6) NOT NULL, ' +
    'expires_at DATETIME(6) NOT NULL, ' +
    'meta VARBINARY(512) NULL' +
    ') ENGINE=InnoDB',
  upgrades: {},
};

const NOW = 'UTC_TIMESTAMP(6)';
/** So many microseconds from now. */
const LATER = `${NOW} + INTERVAL ? MICROSECOND`;
const MICROSECONDS_LEFT = `TIMESTAMPDIFF(MICROSECOND, ${NOW}, expires_at)`;

/** A claim to a name: by whom, and which one it is. */
export interface Claim {
  readonly name: Buffer;
  /** Random, one per acquisition. */
  readonly owner: Buffer;
  readonly token: number;
}

/** Who has a name. Durations are the server's, in ms. */
export interface HolderRow {
  readonly name: Buffer;
  readonly owner: Buffer;
  readonly token: number;
  readonly heldFor: number;
  readonly expiresIn: number;
  readonly meta: Buffer | null;
}

const HOLDER =
  `name, owner, token, TIMESTAMPDIFF(MICROSECOND, acquired_at, ${NOW}) AS held, ` +
  `${MICROSECONDS_LEFT} AS remaining, meta`;

interface RawHolder {
  readonly name: Buffer;
  readonly owner: Buffer;
  readonly token: number | string;
  readonly held: number | string;
  readonly remaining: number | string;
  readonly meta: Buffer | null;
}

function holderOf(row: RawHolder): HolderRow {
  return {
    name: row.name,
    owner: row.owner,
    token: Number(row.token),
    heldFor: Number(row.held) / 1000,
    expiresIn: Number(row.remaining) / 1000,
    meta: row.meta,
  };
}

const micros = (ms: number): number => Math.round(ms * 1000);

/** Names that are known to have a row; more are not remembered. */
const REMEMBERED = 10_000;

/**
 * Every statement on the table of locks. All but {@link assertHeld} run outside the caller's scope and
 * transaction, each on a connection for itself alone. Only the server's clock is asked.
 */
export class LockTable {
  readonly #access: TableAccess;
  readonly #db: RetryingPooledDatabase;
  readonly #parts: DatabaseParts;
  readonly #table: string;
  readonly #sql: ReturnType<typeof statementsOn>;
  readonly #known = new Set<string>();

  constructor(db: RetryingPooledDatabase, prefix: string, autoInstall: boolean) {
    this.#access = new TableAccess(db, [lockTable], prefix, autoInstall);
    this.#db = db;
    this.#parts = partsOf(db);
    this.#table = this.#access.name(lockTable);
    this.#sql = statementsOn(this.#table);
  }

  /** Whether a statement would have to wait for a connection. */
  get hasToWait(): boolean {
    return this.#db.stats().waiting > 0;
  }

  /**
   * Takes the name if it is free. Resolves to the token, or to 0 where somebody else has it; in one
   * round trip, with and without FOUND_ROWS. A name's first token is the server's microseconds since
   * 1970, so that tokens grow also after an idle row was swept.
   */
  async acquire(
    name: Buffer,
    owner: Buffer,
    ttl: number,
    meta: Buffer,
    limit?: Limit,
  ): Promise<number> {
    const key = name.toString('latin1');
    if (this.#known.has(key)) {
      // The row is there: changing it is cheaper than offering another.
      const values = [owner, meta, micros(ttl), name];
      const { affectedRows, insertId } = await this.#alone(this.#sql.take, values, { limit });
      if (affectedRows > 0) return insertId;
      // Somebody has it, or it was swept: then it is free.
      const rows = await this.#rows<object>(this.#sql.remaining, [name], limit);
      if (rows.length > 0) return 0;
    }
    const values = [name, owner, meta, micros(ttl)];
    const { insertId } = await this.#alone(this.#sql.offer, values, { limit });
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.add(key);
    return insertId;
  }

  /** Gives a claim that still holds to another owner. Resolves to the token, or to 0 where it had ended. */
  async handOver(
    { name, owner }: Claim,
    heir: Buffer,
    ttl: number,
    meta: Buffer,
    within: number,
  ): Promise<number> {
    const values = [heir, meta, micros(ttl), name, owner];
    const { affectedRows, insertId } = await this.#within(within, (limit) =>
      this.#alone(this.#sql.handOver, values, { limit }),
    );
    return affectedRows > 0 ? insertId : 0;
  }

  /** How long somebody else still has the name, in ms; 0 where it is free. Waits for no lock. */
  async remaining(name: Buffer, within = 0): Promise<number> {
    const rows = await this.#within(within, (limit) =>
      this.#rows<{ remaining: number }>(this.#sql.remaining, [name], limit),
    );
    return Math.max(0, (rows[0]?.remaining ?? 0) / 1000);
  }

  /** Who has the name; `undefined` where it is free. */
  async holder(name: Buffer, within = 0): Promise<HolderRow | undefined> {
    const rows = await this.#within(within, (limit) =>
      this.#rows<RawHolder>(this.#sql.holder, [name], limit),
    );
    return rows[0] === undefined ? undefined : holderOf(rows[0]);
  }

  /** Who has what, by name, from `after` on. */
  async holders(after: Buffer, most: number): Promise<HolderRow[]> {
    const rows = await this.#rows<RawHolder>(this.#sql.holders, [after, String(most)]);
    return rows.map(holderOf);
  }

  /**
   * Extends claims that still hold, all by the same time. Resolves to how many there were. Never
   * shortens one: of two that overtake each other both keep what they promised.
   */
  async renew(claims: readonly Claim[], ttl: number, within: number): Promise<number> {
    const sorted = [...claims].sort((a, b) => Buffer.compare(a.name, b.name));
    const list = marks(sorted.length);
    // Not as pairs: MariaDB reads the whole table for those. An owner has one name only.
    const sql =
      `UPDATE ${this.#table} FORCE INDEX (PRIMARY) SET expires_at = ` +
      `GREATEST(expires_at, ${LATER}) ` +
      `WHERE name IN (${list}) AND owner IN (${list}) AND expires_at > ${NOW}`;
    const names = sorted.map(({ name }) => name);
    const owners = sorted.map(({ owner }) => owner);
    const values = [micros(ttl), ...names, ...owners];
    const header = await this.#within(within, (limit) =>
      this.#alone(sql, values, { limit, idempotent: true }),
    );
    return header.affectedRows;
  }

  /** Which of the claims still hold, by owner in hex. */
  async holding(claims: readonly Claim[], within: number): Promise<Set<string>> {
    const list = marks(claims.length);
    const sql =
      `SELECT owner FROM ${this.#table} FORCE INDEX (PRIMARY) ` +
      `WHERE name IN (${list}) AND owner IN (${list}) AND expires_at > ${NOW}`;
    const values = [...claims.map(({ name }) => name), ...claims.map(({ owner }) => owner)];
    const rows = await this.#within(within, (limit) =>
      this.#rows<{ owner: Buffer }>(sql, values, limit),
    );
    return new Set(rows.map(({ owner }) => owner.toString('hex')));
  }

  /** Ends a claim. False where it had ended. The row stays: its token must go on growing. */
  async release({ name, owner }: Omit<Claim, 'token'>, within: number): Promise<boolean> {
    const header = await this.#within(within, (limit) =>
      this.#alone(this.#sql.release, [name, owner], { limit, idempotent: true }),
    );
    return header.affectedRows > 0;
  }

  /** The same for a claim that may never have been made; tried once, for so long in ms. */
  async withdraw({ name, owner }: Omit<Claim, 'token'>, within: number): Promise<void> {
    await this.#within(within, (limit) =>
      this.#alone(this.#sql.release, [name, owner], { limit, retries: 0 }),
    );
  }

  /** Ends whoever's claim there is. Resolves to whether there was one. */
  async forceRelease(name: Buffer): Promise<boolean> {
    const header = await this.#alone(this.#sql.forceRelease, [name]);
    return header.affectedRows > 0;
  }

  /**
   * Inside the caller's transaction: locks the row and extends the claim, if it still holds. Always a
   * write: on a cluster a guard that only reads does not keep a stale transaction from committing.
   */
  assertHeld({ name, owner, token }: Claim, ttl: number): Promise<boolean> {
    return this.#access.run(async () => {
      const values = [micros(ttl), name, owner, token];
      const { statements } = this.#parts;
      const [header] = await statements.here<ResultHeader>(this.#sql.assertHeld, values);
      return header.affectedRows > 0;
    });
  }

  /** Names after `after` that nobody has had for so long; some at a time. */
  async idle(
    after: Buffer,
    idleFor: number,
    most: number,
  ): Promise<{ last: Buffer | undefined; idle: Buffer[] }> {
    const values = [micros(idleFor), after, String(most)];
    const rows = await this.#rows<{ name: Buffer; idle: number | string }>(this.#sql.idle, values);
    const last = rows.length < most ? undefined : rows.at(-1)?.name;
    return { last, idle: rows.filter(({ idle }) => Number(idle) === 1).map(({ name }) => name) };
  }

  /** Deletes rows of names that are still idle. Tried for so long in ms: it can wait. */
  async sweep(names: readonly Buffer[], idleFor: number, within: number): Promise<number> {
    const list = marks(names.length);
    // As of many tables, since only those take an index: a walk through the whole table would keep
    // all of it locked while it waits for one row that a transaction asserts.
    const sql =
      `DELETE l FROM ${this.#table} AS l FORCE INDEX (PRIMARY) WHERE l.name IN (${list}) ` +
      `AND l.expires_at < ${NOW} - INTERVAL ? MICROSECOND`;
    const header = await this.#within(within, (limit) =>
      this.#alone(sql, [...names, micros(idleFor)], { limit, idempotent: true }),
    );
    return header.affectedRows;
  }

  #alone(sql: string, values: unknown[], options?: AloneOptions): Promise<ResultHeader> {
    return this.#access.run(() => this.#parts.statements.alone<ResultHeader>(sql, values, options));
  }

  #rows<T>(sql: string, values: unknown[], limit?: Limit): Promise<T[]> {
    return this.#access.run(() =>
      this.#parts.statements.alone<T[]>(sql, values, { idempotent: true, limit }),
    );
  }

  async #within<T>(ms: number, work: (limit: Limit) => Promise<T>): Promise<T> {
    const limit = new Limit(this.#parts.host.clock, { kind: 'statement' }, { timeout: ms });
    try {
      return await work(limit);
    } finally {
      limit.end();
    }
  }
}

/** Every statement whose text is always the same. */
function statementsOn(table: string) {
  const free = `expires_at <= ${NOW}`;
  const isHeld = `owner IS NOT NULL AND expires_at > ${NOW}`;
  return {
    take:
      `UPDATE ${table} SET owner = ?, meta = ?, token = LAST_INSERT_ID(token + 1), ` +
      `acquired_at = ${NOW}, expires_at = ${LATER} WHERE name = ? AND ${free}`,
    handOver:
      `UPDATE ${table} SET owner = ?, meta = ?, token = LAST_INSERT_ID(token + 1), ` +
      `acquired_at = ${NOW}, expires_at = ${LATER} ` +
      `WHERE name = ? AND owner = ? AND expires_at > ${NOW}`,
    // Assignments are made from left to right: the end of the old claim comes last.
    offer:
      `INSERT INTO ${table} (name, token, owner, acquired_at, meta, expires_at) VALUES ` +
      `(?, LAST_INSERT_ID(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${NOW})), ?, ${NOW}, ?, ${LATER}) ` +
      'ON DUPLICATE KEY UPDATE ' +
      `token = IF(${free}, LAST_INSERT_ID(token + 1), token + 0 * LAST_INSERT_ID(0)), ` +
      `owner = IF(${free}, VALUES(owner), owner), ` +
      `acquired_at = IF(${free}, VALUES(acquired_at), acquired_at), ` +
      `meta = IF(${free}, VALUES(meta), meta), ` +
      `expires_at = IF(${free}, VALUES(expires_at), expires_at)`,
    remaining: `SELECT ${MICROSECONDS_LEFT} AS remaining FROM ${table} WHERE name = ?`,
    holder: `SELECT ${HOLDER} FROM ${table} WHERE name = ? AND ${isHeld}`,
    holders: `SELECT ${HOLDER} FROM ${table} WHERE name > ? AND ${isHeld} ORDER BY name LIMIT ?`,
    release: `UPDATE ${table} SET owner = NULL, expires_at = ${NOW} WHERE name = ? AND owner = ?`,
    forceRelease: `UPDATE ${table} SET owner = NULL, expires_at = ${NOW} WHERE name = ? AND ${isHeld}`,
    assertHeld:
      `UPDATE ${table} SET expires_at = GREATEST(expires_at, ${LATER}) ` +
      'WHERE name = ? AND owner = ? AND token = ?',
    idle:
      `SELECT name, expires_at < ${NOW} - INTERVAL ? MICROSECOND AS idle ` +
      `FROM ${table} WHERE name > ? ORDER BY name LIMIT ?`,
  };
}
