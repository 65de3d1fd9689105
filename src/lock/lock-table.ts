import type { RetryingPooledDatabase } from '../database';
import type { ResultHeader } from '../driver/statement';
import type { StatementOptions } from '../driver/statement-arguments';
import { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';

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

/**
 * Every statement on the table of locks. All but {@link assertHeld} run outside the caller's scope and
 * transaction, each on a connection for itself alone. Only the server's clock is asked.
 */
export class LockTable {
  readonly #access: TableAccess;
  readonly #db: RetryingPooledDatabase;
  readonly #table: string;

  constructor(db: RetryingPooledDatabase, prefix: string, autoInstall: boolean) {
    this.#access = new TableAccess(db, lockTable, prefix, autoInstall);
    this.#db = db;
    this.#table = this.#access.table;
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
    options: StatementOptions,
  ): Promise<number> {
    // Assignments are made from left to right: the end of the old claim comes last.
    const free = `expires_at <= ${NOW}`;
    const sql =
      `INSERT INTO ${this.#table} (name, token, owner, acquired_at, meta, expires_at) VALUES ` +
      `(?, LAST_INSERT_ID(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ${NOW})), ?, ${NOW}, ?, ${LATER}) ` +
      'ON DUPLICATE KEY UPDATE ' +
      `token = IF(${free}, LAST_INSERT_ID(token + 1), token + 0 * LAST_INSERT_ID(0)), ` +
      `owner = IF(${free}, VALUES(owner), owner), ` +
      `acquired_at = IF(${free}, VALUES(acquired_at), acquired_at), ` +
      `meta = IF(${free}, VALUES(meta), meta), ` +
      `expires_at = IF(${free}, VALUES(expires_at), expires_at)`;
    const header = await this.#alone(sql, [name, owner, meta, micros(ttl)], options);
    return header.insertId;
  }

  /** How long somebody else still has the name, in ms; 0 where it is free. Waits for nobody. */
  async remaining(name: Buffer, options: StatementOptions = {}): Promise<number> {
    const sql = `SELECT ${MICROSECONDS_LEFT} AS remaining FROM ${this.#table} WHERE name = ?`;
    const row = await this.#one<{ remaining: number }>(sql, [name], options);
    return Math.max(0, (row?.remaining ?? 0) / 1000);
  }

  /** Who has the name; `undefined` where it is free. */
  async holder(name: Buffer, options: StatementOptions = {}): Promise<HolderRow | undefined> {
    const sql =
      `SELECT ${HOLDER} FROM ${this.#table} ` +
      `WHERE name = ? AND owner IS NOT NULL AND expires_at > ${NOW}`;
    const row = await this.#one<RawHolder>(sql, [name], options);
    return row === undefined ? undefined : holderOf(row);
  }

  /** Who has what, by name, from `after` on. */
  async holders(after: Buffer, most: number): Promise<HolderRow[]> {
    const sql =
      `SELECT ${HOLDER} FROM ${this.#table} ` +
      `WHERE name > ? AND owner IS NOT NULL AND expires_at > ${NOW} ORDER BY name LIMIT ?`;
    return this.#access.run(async () => {
      const values = [after, String(most)];
      const [rows] = await this.#outside(() => this.#db.execute<RawHolder[]>(sql, values, READ));
      return rows.map(holderOf);
    });
  }

  /** Extends claims that still hold, all by the same time. Resolves to how many there were. */
  async renew(claims: readonly Claim[], ttl: number, options: StatementOptions): Promise<number> {
    const sorted = [...claims].sort((a, b) => Buffer.compare(a.name, b.name));
    const list = sorted.map(() => '?').join(', ');
    // Not as pairs: MariaDB reads the whole table for those. An owner has one name only.
    const sql =
      `UPDATE ${this.#table} FORCE INDEX (PRIMARY) SET expires_at = ${LATER} ` +
      `WHERE name IN (${list}) AND owner IN (${list}) AND expires_at > ${NOW}`;
    const names = sorted.map(({ name }) => name);
    const owners = sorted.map(({ owner }) => owner);
    const values = [micros(ttl), ...names, ...owners];
    const header = await this.#alone(sql, values, { ...options, idempotent: true });
    return header.affectedRows;
  }

  /** Which of the claims still hold, by owner in hex. */
  async holding(claims: readonly Claim[], options: StatementOptions): Promise<Set<string>> {
    const list = claims.map(() => '?').join(', ');
    const sql =
      `SELECT owner FROM ${this.#table} FORCE INDEX (PRIMARY) ` +
      `WHERE name IN (${list}) AND owner IN (${list}) AND expires_at > ${NOW}`;
    const values = [...claims.map(({ name }) => name), ...claims.map(({ owner }) => owner)];
    return this.#access.run(async () => {
      const [rows] = await this.#outside(() =>
        this.#db.execute<{ owner: Buffer }[]>(sql, values, { ...READ, ...options }),
      );
      return new Set(rows.map(({ owner }) => owner.toString('hex')));
    });
  }

  /** Ends a claim. False where it had ended. The row stays: its token must go on growing. */
  async release(
    { name, owner }: Omit<Claim, 'token'>,
    options: StatementOptions,
  ): Promise<boolean> {
    const sql = `UPDATE ${this.#table} SET owner = NULL, expires_at = ${NOW} WHERE name = ? AND owner = ?`;
    const header = await this.#alone(sql, [name, owner], { ...options, idempotent: true });
    return header.affectedRows > 0;
  }

  /** Ends whoever's claim there is. Resolves to whether there was one. */
  async forceRelease(name: Buffer): Promise<boolean> {
    const sql =
      `UPDATE ${this.#table} SET owner = NULL, expires_at = ${NOW} ` +
      `WHERE name = ? AND owner IS NOT NULL AND expires_at > ${NOW}`;
    const header = await this.#alone(sql, [name], {});
    return header.affectedRows > 0;
  }

  /**
   * Inside the caller's transaction: locks the row and extends the claim, if it still holds. Always a
   * write: on a cluster a guard that only reads does not keep a stale transaction from committing.
   */
  async assertHeld({ name, owner, token }: Claim, ttl: number): Promise<boolean> {
    const sql =
      `UPDATE ${this.#table} SET expires_at = GREATEST(expires_at, ${LATER}) ` +
      'WHERE name = ? AND owner = ? AND token = ?';
    return this.#access.run(async () => {
      const values = [micros(ttl), name, owner, token];
      const [header] = await this.#db.execute<ResultHeader>(sql, values);
      return header.affectedRows > 0;
    });
  }

  /** Names after `after` that nobody has had for so long; some at a time. */
  async idle(
    after: Buffer,
    idleFor: number,
    most: number,
  ): Promise<{ last: Buffer | undefined; idle: Buffer[] }> {
    const sql =
      `SELECT name, expires_at < ${NOW} - INTERVAL ? MICROSECOND AS idle ` +
      `FROM ${this.#table} WHERE name > ? ORDER BY name LIMIT ?`;
    return this.#access.run(async () => {
      const values = [micros(idleFor), after, String(most)];
      const [rows] = await this.#outside(() =>
        this.#db.execute<{ name: Buffer; idle: number }[]>(sql, values, READ),
      );
      const last = rows.length < most ? undefined : rows.at(-1)?.name;
      return { last, idle: rows.filter(({ idle }) => idle === 1).map(({ name }) => name) };
    });
  }

  /** Deletes rows of names that are still idle. */
  async sweep(names: readonly Buffer[], idleFor: number): Promise<number> {
    const list = names.map(() => '?').join(', ');
    const sql =
      `DELETE FROM ${this.#table} WHERE name IN (${list}) ` +
      `AND expires_at < ${NOW} - INTERVAL ? MICROSECOND`;
    const header = await this.#alone(sql, [...names, micros(idleFor)], { idempotent: true });
    return header.affectedRows;
  }

  #alone(sql: string, values: unknown[], options: StatementOptions): Promise<ResultHeader> {
    return this.#access.run(async () => {
      const [header] = await this.#outside(() =>
        this.#db.execute<ResultHeader>(sql, values, options),
      );
      return header;
    });
  }

  #one<T>(sql: string, values: unknown[], options: StatementOptions): Promise<T | undefined> {
    return this.#access.run(() =>
      this.#outside(() => this.#db.queryOne<T>(sql, values, { ...READ, ...options })),
    );
  }

  #outside<T>(work: () => T): T {
    return this.#db.withoutScope(work);
  }
}

const READ: StatementOptions = Object.freeze({ idempotent: true });
