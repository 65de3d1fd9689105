import { releaseConnection } from '../decorators/release-connection';
import type { ResultHeader } from '../driver/statement';
import { InvalidArgumentError, describeType } from '../errors';
import type { StoredValue } from '../values/codec';
import { batches } from './batches';
import { unaddable, isRefusal, wholeOf } from './counter-commands';
import { KeyKind, checkKind } from './key-kind';
import { SortedSetQueries } from './sorted-set-queries';
import type { StoreKey } from './store-key';
import type { NameForm, NameLike, NameOf } from './store-options';

/** Fields with their values, in any of these forms. */
export type Fields =
  | Readonly<Record<string, unknown>>
  | ReadonlyMap<NameLike, unknown>
  | readonly (readonly [field: NameLike, value: unknown])[];

interface FieldRow {
  readonly keyKind: number;
  readonly member?: Buffer;
  readonly kind: number | null;
  readonly value: Buffer;
}

/** A field as it is written. */
interface Field extends StoredValue {
  readonly field: Buffer;
}

/** Commands on hashes: fields with values, which come back as what they were. */
export class HashCommands<Form extends NameForm> extends SortedSetQueries<Form> {
  /**
   * Sets fields: `hset(key, field, value)`, or `hset(key, fields)` with an object, a Map or pairs.
   *
   * @returns how many fields are new.
   */
  hset(key: NameLike, field: NameLike, value: unknown): Promise<number>;
  hset(key: NameLike, fields: Fields): Promise<number>;
  @releaseConnection
  hset(key: NameLike, given: NameLike | Fields, value?: unknown): Promise<number> {
    return this._hset(key, given, value);
  }

  async _hset(key: NameLike, given: NameLike | Fields, value?: unknown): Promise<number> {
    const row = this.space.key(key);
    const isField = typeof given === 'string' || given instanceof Uint8Array;
    const fields = await this.#fields(isField ? [[given, value]] : pairsOf(given));
    const [one] = fields;
    if (one === undefined) return 0;
    this.noteWrite();
    // In the caller's transaction a shared lock could not grow later: two would wait for each other.
    if (fields.length === 1 && !this.tables.inTransaction) {
      const values = [one.field, one.kind, one.bytes, row.id, row.name];
      const { affectedRows } = await this.tables.write(this.tables.hashes.addToOne, values);
      if (affectedRows > 0) return 2 - affectedRows;
    }
    return this.tables.atomic(() => this.#add(row, fields));
  }

  /** A field's value; `undefined` where there is none. */
  @releaseConnection
  hget<T = unknown>(key: NameLike, field: NameLike): Promise<T | undefined> {
    return this._hget<T>(key, field);
  }

  async _hget<T = unknown>(key: NameLike, field: NameLike): Promise<T | undefined> {
    const { id, name } = this.space.key(key);
    const values = [this.space.member('field', field), id, name];
    const [row] = await this.#read<FieldRow>(this.tables.hashes.get, values);
    if (row === undefined || row.kind === null) return undefined;
    return this.codec.decode(row.kind, row.value) as T;
  }

  /** All fields with their values; an empty Map where there is no hash. */
  @releaseConnection
  hgetAll<T = unknown>(key: NameLike): Promise<Map<NameOf<Form>, T>> {
    return this._hgetAll<T>(key);
  }

  async _hgetAll<T = unknown>(key: NameLike): Promise<Map<NameOf<Form>, T>> {
    const { id, name } = this.space.key(key);
    const fields = new Map<NameOf<Form>, T>();
    const rows = await this.#read<FieldRow>(this.tables.hashes.all, [id, name]);
    for (const { member, kind, value } of rows) {
      if (member === undefined || kind === null) continue;
      fields.set(this.space.nameOf(member), this.codec.decode(kind, value) as T);
    }
    return fields;
  }

  /** Deletes fields. @returns how many there were. */
  @releaseConnection
  hdel(key: NameLike, ...fields: NameLike[]): Promise<number> {
    return this._hdel(key, ...fields);
  }

  async _hdel(key: NameLike, ...fields: NameLike[]): Promise<number> {
    const bytes = fields.map((field) => this.space.member('fields', field));
    let removed = 0;
    await this._shrink(KeyKind.hash, this.tables.names.hashes, key, async (held) => {
      removed = await this._removeMembers(this.tables.hashes, held, bytes);
      return removed > 0;
    });
    return removed;
  }

  /**
   * Adds to a field that counts, which begins at 0, and gives the sum; as {@link incrBy} does.
   *
   * @throws {WrongTypeError} where the field holds no whole number.
   * @throws {InvalidArgumentError} where the sum has no room in 64 bits; nothing is changed.
   */
  @releaseConnection
  hincrBy(key: NameLike, field: NameLike, by: bigint | number = 1): Promise<bigint> {
    return this._hincrBy(key, field, by);
  }

  async _hincrBy(key: NameLike, field: NameLike, by: bigint | number = 1): Promise<bigint> {
    const row = this.space.key(key);
    const bytes = this.space.member('field', field);
    const more = wholeOf('by', by);
    const { hashes } = this.tables;
    this.noteWrite();
    if (!this.tables.inTransaction) {
      const values = [bytes, more, row.id, row.name, more];
      const added = await this.#adding(row, bytes, () =>
        this.tables.write(hashes.incrementInOne, values),
      );
      if (added.affectedRows > 0) return BigInt(added.insertId);
    }
    return this.tables.atomic(async () => {
      const version = await this._open(KeyKind.hash, row);
      const values = [version, bytes, more, more];
      const { insertId } = await this.#adding(row, bytes, () =>
        this.tables.write(hashes.increment, values),
      );
      return BigInt(insertId);
    });
  }

  /** How many fields there are. They are counted. */
  @releaseConnection
  hlen(key: NameLike): Promise<number> {
    return this._hlen(key);
  }

  async _hlen(key: NameLike): Promise<number> {
    const { id, name } = this.space.key(key);
    const [row] = await this.#read<{ keyKind: number; n: number | string }>(
      this.tables.hashes.count,
      [id, name],
    );
    return Number(row?.n ?? 0);
  }

  /** By bytes; of a field that is there twice the last value counts. */
  async #fields(pairs: Iterable<readonly [NameLike, unknown]>): Promise<Field[]> {
    const byBytes = new Map<string, Field>();
    for (const [name, value] of pairs) {
      const field = this.space.member('field', name);
      byBytes.set(field.toString('latin1'), { field, ...(await this._fitting(value)) });
    }
    return [...byBytes.values()].sort((a, b) => Buffer.compare(a.field, b.field));
  }

  async #add(key: StoreKey, fields: readonly Field[]): Promise<number> {
    const version = await this._open(KeyKind.hash, key);
    let added = 0;
    for (const part of batches(fields, ({ field, bytes }) => field.length + bytes.length)) {
      const values = part.flatMap(({ field, kind, bytes }) => [version, field, kind, bytes]);
      // Each new one counts 1, each other one 2.
      const { affectedRows } = await this.tables.write(this.tables.hashes.add(part.length), values);
      added += 2 * part.length - affectedRows;
    }
    return added;
  }

  /** @throws {WrongTypeError} or {@link InvalidArgumentError} for what the server refuses to add. */
  async #adding(
    { id, name }: StoreKey,
    field: Buffer,
    add: () => Promise<ResultHeader>,
  ): Promise<ResultHeader> {
    try {
      return await add();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [row] = await this.#read<FieldRow>(this.tables.hashes.get, [field, id, name]);
      if (row === undefined || row.kind === null) throw error;
      throw unaddable({ kind: row.kind, value: row.value });
    }
  }

  /** Rows that bear the kind of their key. @throws {WrongTypeError} where that is no hash. */
  async #read<Row extends { readonly keyKind: number }>(
    sql: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const rows = await this.tables.read<Row>(sql, values);
    const [first] = rows;
    if (first !== undefined) checkKind(first.keyKind, KeyKind.hash);
    return rows;
  }
}

function pairsOf(fields: unknown): Iterable<readonly [NameLike, unknown]> {
  if (Array.isArray(fields) || fields instanceof Map) return fields as [NameLike, unknown][];
  const isRecord = typeof fields === 'object' && fields !== null && !(fields instanceof Uint8Array);
  if (isRecord) return Object.entries(fields);
  const rule = `must be an object, a Map or pairs, got ${describeType(fields)}`;
  throw new InvalidArgumentError('fields', rule);
}
