import type { ResultHeader } from '../driver/statement';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { currentContext } from '../scope/context';
import type { TableAccess } from '../schema/table-access';
import type { CacheKey } from './cache-key';
import type { Doomed, LookRow, SampleRow, SoleValueRow, ValueRow, WalkRow } from './cache-row';
import { cacheTable, statementsOn } from './cache-table';
import type { Entry } from './entry';

const micros = (ms: number): number => Math.round(ms * 1000);
/** What a row takes beside its value, about. */
const sizeOf = ({ key, packed }: Entry): number => packed.bytes.length + key.full.length + 100;
const byId = (a: Entry, b: Entry): number => Buffer.compare(a.key.id, b.key.id);

/** Every statement on the table of entries. All run in the caller's transaction or scope. */
export class CacheRows {
  readonly #access: TableAccess;
  readonly #own: DatabaseParts;
  readonly #epoch: Buffer;
  readonly #timeout: number;
  readonly #sql: ReturnType<typeof statementsOn>;
  /** Whether a value with tags was met: until then a read does not ask for versions of tags. */
  #meetsTags = false;

  /** @param timeout of each statement, in ms; 0 is the database's own. */
  constructor(access: TableAccess, tagTable: string, epochId: Buffer, timeout: number) {
    this.#access = access;
    this.#own = partsOf(access.db);
    this.#epoch = epochId;
    this.#timeout = timeout;
    this.#sql = statementsOn(access.name(cacheTable), tagTable);
  }

  /** The value of one key, if it counts. */
  async value(key: CacheKey): Promise<SoleValueRow | undefined> {
    const { value, taggedValue } = this.#sql;
    const values = [key.id, key.full, this.#epoch];
    const sql = this.#meetsTags ? taggedValue : value;
    const [row] = await this.#rows<SoleValueRow>(sql, values);
    if (this.#meetsTags || Number(row?.tagged ?? 0) !== 1) return row;
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
    return this.#remove(ids, this.#sql.removeGone(ids.length), []);
  }

  /** Removes rows that are still what they were. */
  async remove(rows: readonly Doomed[]): Promise<number> {
    const versions = rows.map(({ version }) => version);
    const ids = rows.map(({ id }) => id);
    return this.#remove(ids, this.#sql.remove(ids.length), versions);
  }

  /** Rows between two ids, in their order, for the walk and for samples. */
  walk(from: Buffer, beyond: Buffer, most: number): Promise<WalkRow[]> {
    return this.#rows(this.#sql.walk, [from, beyond, String(most)]);
  }

  async sample(from: Buffer, beyond: Buffer, most: number): Promise<SampleRow[]> {
    const values = [from, beyond, String(most)];
    const rows = await this.#rows<Omit<SampleRow, 'age'> & { readonly age: number | string }>(
      this.#sql.sample,
      values,
    );
    return rows.map(({ age, ...row }) => ({ ...row, age: Number(age) }));
  }

  /** Keys and values that count, but for their tags, in the order of their ids. */
  page(after: Buffer, beyond: Buffer, prefix: Buffer, most: number): Promise<ValueRow[]> {
    const values = [after, beyond, prefix.length, prefix, this.#epoch, String(most)];
    return this.#rows(this.#sql.page, values);
  }

  /** How many count, but for their tags. */
  async count(first: Buffer, beyond: Buffer): Promise<number> {
    const rows = await this.#rows<{ count: number }>(this.#sql.count, [first, beyond, this.#epoch]);
    return rows[0]?.count ?? 0;
  }

  #assigned(entry: Entry, version: Buffer, cost: number): unknown[] {
    const { packed, basis, ttl, grace } = entry;
    const value = [version, packed.kind, packed.bytes, sizeOf(entry), basis.epoch];
    return [...value, ...tagsOf(entry), cost, micros(ttl), micros(ttl + grace)];
  }

  async #remove(ids: readonly Buffer[], sql: string, values: readonly unknown[]): Promise<number> {
    const sorted = ids.toSorted((a, b) => Buffer.compare(a, b));
    return (await this.#change(sql, [...sorted, ...values])).affectedRows;
  }

  #rows<T>(sql: string, values: readonly unknown[]): Promise<T[]> {
    return this.#run<T[]>(sql, values, true);
  }

  #change(sql: string, values: readonly unknown[], idempotent = true): Promise<ResultHeader> {
    return this.#run<ResultHeader>(sql, values, idempotent);
  }

  #run<T>(sql: string, values: readonly unknown[], idempotent: boolean): Promise<T> {
    return this.#access.run(() => this.#send<T>(sql, values, idempotent));
  }

  #send<T>(sql: string, values: readonly unknown[], idempotent: boolean): Promise<T> {
    const timeout = this.#timeout;
    const { host, statements } = this.#own;
    if (timeout === 0 && host.timeout === 0 && currentContext() === undefined) {
      // In nobody's scope, with nothing to bound it: the shortest way.
      return statements.alone<T>(sql, values, { idempotent });
    }
    const options = timeout > 0 ? { idempotent, timeout } : { idempotent };
    return statements.here<T>(sql, values, options).then(([rows]) => rows);
  }
}

function tagsOf({ basis: { tags, tagSum } }: Entry): [Buffer | null, number] {
  return [tags.length === 0 ? null : Buffer.concat(tags), tagSum];
}
