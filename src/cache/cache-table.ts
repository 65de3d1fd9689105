import type { RetryingPooledDatabase } from '../database';
import type { ResultHeader } from '../driver/statement';
import type { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';
import { TAG_BYTES, type CacheKey } from './cache-key';
import { versionSql, versionSumSql } from './cache-tag-table';
import type { Doomed, LookRow, SampleRow, SoleValueRow, ValueRow, WalkRow } from './cache-row';
import type { Entry } from './entry';

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
const micros = (ms: number): number => Math.round(ms * 1000);
/** What a row takes beside its value, about. */
const sizeOf = ({ key, packed }: Entry): number => packed.bytes.length + key.full.length + 100;
const listOf = (count: number): string => new Array<string>(count).fill('?').join(', ');
const byId = (a: Entry, b: Entry): number => Buffer.compare(a.key.id, b.key.id);

/** Every statement on the table of entries. All run in the caller's transaction or scope. */
export class CacheTable {
  readonly #access: TableAccess;
  readonly #db: RetryingPooledDatabase;
  readonly #table: string;
  readonly #epoch: Buffer;
  readonly #timeout: number;
  readonly #sql: ReturnType<typeof statementsOn>;
  /** Whether a value with tags was met: until then a read does not ask for versions of tags. */
  #meetsTags = false;

  /** @param timeout of each statement, in ms; 0 is the database's own. */
  constructor(access: TableAccess, tagTable: string, epochId: Buffer, timeout: number) {
    this.#access = access;
    this.#db = access.db;
    this.#table = access.name(cacheTable);
    this.#epoch = epochId;
    this.#timeout = timeout;
    this.#sql = statementsOn(this.#table, tagTable);
  }

  /** The value of one key, if it counts. */
  async value(key: CacheKey): Promise<SoleValueRow | undefined> {
    const { value, taggedValue } = this.#sql;
    const values = [key.id, key.full, this.#epoch];
    const sql = this.#meetsTags ? taggedValue : value;
    const [row] = await this.#rows<SoleValueRow>(sql, values);
    if (this.#meetsTags || row?.tagged !== 1) return row;
    this.#meetsTags = true;
    return this.value(key);
  }

  /** Values of several, which count if their tags do. */
  values(ids: readonly Buffer[]): Promise<ValueRow[]> {
    return this.#rows(this.#sql.values(ids.length), [...ids, this.#epoch]);
  }

  async look({ id, full }: CacheKey): Promise<LookRow | undefined> {
    return (await this.#rows<LookRow>(this.#sql.look, [this.#epoch, id, full]))[0];
  }

  looks(ids: readonly Buffer[]): Promise<LookRow[]> {
    return this.#rows(this.#sql.looks(ids.length), [this.#epoch, ...ids]);
  }

  /** Writes entries, whatever was there. Fills that are under way are overtaken. */
  async put(entries: readonly Entry[], version: Buffer): Promise<void> {
    const sorted = entries.length > 1 ? entries.toSorted(byId) : entries;
    const values: unknown[] = [];
    let rows = '';
    for (const entry of sorted) {
      const { key, packed, basis, ttl, grace } = entry;
      rows += rows === '' ? '' : ', ';
      rows += basis.epoch === undefined ? this.#sql.rowNow : this.#sql.row;
      values.push(key.id, key.full, version, packed.kind, packed.bytes, sizeOf(entry));
      values.push(basis.epoch ?? this.#epoch, ...tagsOf(entry));
      values.push(micros(ttl), micros(ttl + grace));
    }
    const sql = `${this.#sql.put} ${rows} ${this.#sql.overwrite}`;
    // Run again after a lost answer it could bring back what somebody has deleted since.
    await this.#change(sql, values, false);
  }

  /**
   * Takes the right to make the value, for so long in ms: false where somebody else has it, or the
   * value is another than the one of version `seen`.
   */
  async lease(
    { id, full }: CacheKey,
    seen: Buffer | null,
    filler: Buffer,
    ms: number,
  ): Promise<boolean> {
    const term = micros(ms);
    // A statement that was run twice finds its own first run: the same filler.
    const values = [id, full, filler, term, filler, term, seen, filler, seen, filler, filler];
    const { insertId } = await this.#change(this.#sql.lease, values);
    return insertId === 1;
  }

  async renew({ id }: CacheKey, filler: Buffer, ms: number): Promise<boolean> {
    const values = [micros(ms), id, filler];
    return (await this.#change(this.#sql.renew, values)).affectedRows > 0;
  }

  /** Gives the right back without a value. */
  async giveUp({ id }: CacheKey, filler: Buffer): Promise<void> {
    await this.#change(this.#sql.giveUp, [id, filler]);
  }

  /** Stores what was made. False where it was overtaken: by a deletion, another value, or another filler. */
  async fill(entry: Entry, filler: Buffer, version: Buffer, cost: number): Promise<boolean> {
    const values = [...this.#assigned(entry, version, cost), entry.key.id, filler];
    return (await this.#change(this.#sql.fill, values)).affectedRows > 0;
  }

  /** The same in a transaction, where nobody has the right: false where the row is not what it was. */
  async fillSeen(
    entry: Entry,
    seen: Buffer | null,
    version: Buffer,
    cost: number,
  ): Promise<boolean> {
    if (seen !== null) {
      const values = [...this.#assigned(entry, version, cost), entry.key.id, seen];
      return (await this.#change(this.#sql.fillSeen, values)).affectedRows > 0;
    }
    const { key, packed, basis, ttl, grace } = entry;
    const values = [key.id, key.full, version, packed.kind, packed.bytes, sizeOf(entry)];
    const rest = [basis.epoch, ...tagsOf(entry), cost, micros(ttl), micros(ttl + grace)];
    const { insertId } = await this.#change(this.#sql.fillNew, [...values, ...rest]);
    return insertId === 1;
  }

  /** Leaves rows without a value, where there were none too, for so long in ms. */
  async bury(keys: readonly CacheKey[], version: Buffer, ms: number): Promise<void> {
    const sorted = keys.toSorted((a, b) => Buffer.compare(a.id, b.id));
    const values = sorted.flatMap(({ id, full }) => [id, full, version, micros(ms)]);
    const rows = sorted.map(() => this.#sql.tombstone).join(', ');
    await this.#change(`${this.#sql.put} ${rows} ${this.#sql.overwrite}`, values);
  }

  /** Gives a value that counts another time. */
  async touch({ id, full }: CacheKey, ttl: number, grace: number): Promise<boolean> {
    const values = [micros(ttl), micros(ttl + grace), id, full, this.#epoch];
    return (await this.#change(this.#sql.touch, values)).affectedRows > 0;
  }

  /** Rows whose time is over, those first that have been for longest. */
  async gone(most: number): Promise<Buffer[]> {
    const rows = await this.#rows<{ id: Buffer }>(this.#sql.gone, [String(most)]);
    return rows.map(({ id }) => id);
  }

  async removeGone(ids: readonly Buffer[]): Promise<number> {
    const where = `c.gone_at < ${NOW} AND ${UNFILLED}`;
    return this.#remove(ids, where, []);
  }

  /** Removes rows that are still what they were. */
  async remove(rows: readonly Doomed[]): Promise<number> {
    const versions = rows.map(({ version }) => version);
    const where = `c.version IN (${listOf(versions.length)}) AND ${UNFILLED}`;
    return this.#remove(
      rows.map(({ id }) => id),
      where,
      versions,
    );
  }

  /** Rows between two ids, in their order, for the walk and for samples. */
  walk(from: Buffer, beyond: Buffer, most: number): Promise<WalkRow[]> {
    return this.#rows(this.#sql.walk, [from, beyond, String(most)]);
  }

  sample(from: Buffer, beyond: Buffer, most: number): Promise<SampleRow[]> {
    return this.#rows(this.#sql.sample, [from, beyond, String(most)]);
  }

  /** Keys and values that count, but for their tags, in the order of their ids. */
  page(after: Buffer, beyond: Buffer, most: number): Promise<ValueRow[]> {
    return this.#rows(this.#sql.page, [after, beyond, this.#epoch, String(most)]);
  }

  #assigned(entry: Entry, version: Buffer, cost: number): unknown[] {
    const { packed, basis, ttl, grace } = entry;
    const value = [version, packed.kind, packed.bytes, sizeOf(entry), basis.epoch];
    return [...value, ...tagsOf(entry), cost, micros(ttl), micros(ttl + grace)];
  }

  async #remove(
    ids: readonly Buffer[],
    where: string,
    values: readonly unknown[],
  ): Promise<number> {
    const sorted = ids.toSorted((a, b) => Buffer.compare(a, b));
    // As of many tables, since only those take an index.
    const sql =
      `DELETE c FROM ${this.#table} AS c FORCE INDEX (PRIMARY) ` +
      `WHERE c.id IN (${listOf(ids.length)}) AND ${where}`;
    return (await this.#change(sql, [...sorted, ...values])).affectedRows;
  }

  async #rows<T>(sql: string, values: readonly unknown[]): Promise<T[]> {
    return (await this.#run<T[]>(sql, values, true))[0];
  }

  async #change(sql: string, values: readonly unknown[], idempotent = true): Promise<ResultHeader> {
    return (await this.#run<ResultHeader>(sql, values, idempotent))[0];
  }

  #run<T>(sql: string, values: readonly unknown[], idempotent: boolean) {
    const timeout = this.#timeout;
    const options = timeout === 0 ? { idempotent } : { idempotent, timeout };
    return this.#access.run(() => this.#db.execute<T>(sql, values, options));
  }
}

function tagsOf({ basis: { tags, tagSum } }: Entry): [Buffer | null, number] {
  return [tags.length === 0 ? null : Buffer.concat(tags), tagSum];
}

const COLUMNS =
  'id, full_key, version, kind, value, size, epoch, tags, tag_sum, cost, written_at, fresh_until, gone_at';

/** Every statement, or what it is made of. */
function statementsOn(table: string, tagTable: string) {
  const epoch = versionSql(tagTable);
  // For one key the row is known when the subquery is planned, and each of these a constant.
  const ids = Array.from(
    { length: MOST_TAGS },
    (_, at) => `SUBSTRING(c.tags, ${at * TAG_BYTES + 1}, ${TAG_BYTES})`,
  );
  const tagsHold = `(c.tags IS NULL OR c.tag_sum = ${versionSumSql(tagTable, ids)})`;
  const counts = `kind IS NOT NULL AND fresh_until > ${NOW} AND epoch = ${epoch}`;
  const sole = `kind, value, ${until('fresh_until')} AS fresh, tags IS NOT NULL AS tagged`;
  const value = `id, full_key, ${sole}, tags, tag_sum`;
  const look =
    `${value}, version, cost, ${until('gone_at')} AS remaining, ` +
    `${until('fill_until')} AS filling, `;
  const assigned =
    'version = ?, kind = ?, value = ?, size = ?, epoch = ?, tags = ?, tag_sum = ?, cost = ?, ' +
    `written_at = ${NOW}, fresh_until = ${LATER}, gone_at = ${LATER}, filler = NULL, fill_until = NULL`;
  const isFree = `((${UNFILLED} AND version <=> ?) OR filler <=> ?)`;
  const row = (epochSql: string): string =>
    `(?, ?, ?, ?, ?, ?, ${epochSql}, ?, ?, 0, ${NOW}, ${LATER}, ${LATER})`;
  return {
    value: `SELECT ${sole} FROM ${table} WHERE id = ? AND full_key = ? AND ${counts}`,
    taggedValue: `SELECT ${sole} FROM ${table} c WHERE id = ? AND full_key = ? AND ${counts} AND ${tagsHold}`,
    values: (count: number) =>
      `SELECT ${value} FROM ${table} WHERE id IN (${listOf(count)}) AND ${counts}`,
    look:
      `SELECT ${look} epoch = ${epoch} AND ${tagsHold} AS valid ` +
      `FROM ${table} c WHERE id = ? AND full_key = ?`,
    looks: (count: number) =>
      `SELECT ${look} epoch = ${epoch} AS valid FROM ${table} WHERE id IN (${listOf(count)})`,
    put: `INSERT INTO ${table} (${COLUMNS}) VALUES`,
    row: row('?'),
    // Waits for a transaction that has cleared the namespace and is open still.
    rowNow: row(epoch),
    tombstone: `(?, ?, ?, NULL, NULL, 0, 0, NULL, 0, 0, ${NOW}, ${NOW}, ${LATER})`,
    overwrite:
      'ON DUPLICATE KEY UPDATE ' +
      COLUMNS.split(', ')
        .slice(1)
        .map((column) => `${column} = VALUES(${column})`)
        .join(', ') +
      ', filler = NULL, fill_until = NULL',
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
    walk:
      `SELECT id, version, epoch, tags, tag_sum FROM ${table} FORCE INDEX (PRIMARY) ` +
      `WHERE id >= ? AND id <= ? AND kind IS NOT NULL ORDER BY id LIMIT ?`,
    sample:
      `SELECT id, version, size, TIMESTAMPDIFF(MICROSECOND, written_at, ${NOW}) AS age ` +
      `FROM ${table} FORCE INDEX (PRIMARY) ` +
      'WHERE id >= ? AND id <= ? AND kind IS NOT NULL ORDER BY id LIMIT ?',
    page:
      `SELECT ${value} FROM ${table} FORCE INDEX (PRIMARY) ` +
      `WHERE id > ? AND id <= ? AND ${counts} ORDER BY id LIMIT ?`,
  };
}
