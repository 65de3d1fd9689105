import type { ResultHeader } from '../driver/statement';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { currentContext } from '../scope/context';
import type { TableAccess } from '../schema/table-access';
import type { CacheKey } from './cache-key';
import type {
  Doomed,
  KeyRow,
  LookRow,
  PageRow,
  SampleRow,
  SoleValueRow,
  ValueRow,
  WalkRow,
} from './cache-row';
import { cacheTable, statementsOn } from './cache-table';
import type { Entry } from './entry';

const micros = (ms: number): number => Math.round(ms * 1000);
/** What a row takes beside its value, about. */
const sizeOf = ({ key, packed }: Entry): number => packed.bytes.length + key.full.length + 100;
/** Parameters of a row up to its epoch, and with it. */
const COLUMNS_TO_EPOCH = 7;
/** Rows behind `after` up to `beyond` whose full keys begin with `prefix`; so many at most. */
type PageOfRows = [after: Buffer, beyond: Buffer, prefix: Buffer, most: number];
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

  /**
   * @param timeout of each statement, in ms; 0 is the database's own.
   * @param timed whether values come with how long they are fresh.
   */
  constructor(
    access: TableAccess,
    tagTable: string,
    epochId: Buffer,
    { timeout, timed }: { readonly timeout: number; readonly timed: boolean },
  ) {
    this.#access = access;
    this.#own = partsOf(access.db);
    this.#epoch = epochId;
    this.#timeout = timeout;
    this.#sql = statementsOn(access.name(cacheTable), tagTable, timed);
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

  /** Keys of several whose values count if their tags do. */
  keys(ids: readonly Buffer[]): Promise<KeyRow[]> {
    return this.#rows(this.#sql.keys(ids.length), [...ids, this.#epoch]);
  }

  async look({ id, full }: CacheKey): Promise<LookRow | undefined> {
    return (await this.#rows<LookRow>(this.#sql.look, [this.#epoch, id, full]))[0];
  }

  looks(ids: readonly Buffer[]): Promise<LookRow[]> {
    return this.#rows(this.#sql.looks(ids.length), [this.#epoch, ...ids]);
  }

  /**
   * Writes entries, whatever was there. Fills that are under way are overtaken.
   *
   * @param epoch of those entries that bear none of their own.
   * @returns the epoch that counted while it wrote; where it is another one, those entries are void.
   */
  async put(entries: readonly Entry[], version: Buffer, epoch: number): Promise<number> {
    const sorted = entries.length > 1 ? entries.toSorted(byId) : entries;
    const asks = sorted.some(({ basis }) => basis.epoch === undefined);
    const values: unknown[] = [];
    for (const entry of sorted) {
      const { key, packed, basis, ttl, grace } = entry;
      values.push(key.id, key.full, version, packed.kind, packed.bytes, sizeOf(entry));
      values.push(basis.epoch ?? epoch);
      // Asked for in the first row.
      if (asks && values.length === COLUMNS_TO_EPOCH) values.push(this.#epoch);
      values.push(...tagsOf(entry), micros(ttl), micros(ttl + grace));
    }
    const sql = asks ? this.#sql.putAsking(sorted.length) : this.#sql.put(sorted.length);
    // Run again after a lost answer it could bring back what somebody has deleted since.
    const { insertId } = await this.#change(sql, values, false);
    return asks ? insertId : epoch;
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
    await this.#change(this.#sql.bury(sorted.length), values);
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
    const rows = await this.#rows<
      Omit<SampleRow, 'written'> & { readonly written: number | string }
    >(this.#sql.sample, values);
    return rows.map(({ written, ...row }) => ({ ...row, written: Number(written) }));
  }

  /** Keys and values that count, but for their tags, in the order of their ids. */
  page(...where: PageOfRows): Promise<PageRow<ValueRow>[]> {
    return this.#rows(this.#sql.page, this.#pageValues(...where));
  }

  /** The keys alone. */
  keyPage(...where: PageOfRows): Promise<PageRow<KeyRow>[]> {
    return this.#rows(this.#sql.keyPage, this.#pageValues(...where));
  }

  #pageValues(...[after, beyond, prefix, most]: PageOfRows): unknown[] {
    return [after, beyond, prefix.length, prefix, this.#epoch, String(most)];
  }

  /** How many count, but for their tags. */
  async count(first: Buffer, beyond: Buffer): Promise<number> {
    const values = [first, beyond, this.#epoch];
    const [row] = await this.#rows<{ count: number | string }>(this.#sql.count, values);
    return Number(row?.count ?? 0);
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
