import { randomBytes } from 'node:crypto';
import { releaseConnection } from '../decorators/release-connection';
import type { StoredValue } from '../values/codec';
import { checkFits } from '../values/packet';
import { batches, paddedBatches } from './batches';
import { KeyCommands, idsAndNames } from './key-commands';
import { checkValue, isValue } from './key-kind';
import type { StoreKey } from './store-key';
import {
  checkWhole,
  lifetimeOf,
  type ExpiryOptions,
  type NameForm,
  type NameLike,
} from './store-options';

/** A value as its row has it. */
export interface ValueRow {
  readonly kind: number;
  readonly value: Buffer;
}

/** A key that is to be set. */
export interface NewValue {
  readonly key: NameLike;
  readonly value: unknown;
  readonly options?: ExpiryOptions | undefined;
}

const NO_EXPIRY: ExpiryOptions = Object.freeze({});

/**
 * Commands on single values: bytes, strings, numbers, bigints and JSON, which come back as what they
 * were. `undefined` is what is absent; `null` is a value.
 */
export class StringCommands<Form extends NameForm> extends KeyCommands<Form> {
  /**
   * The value of a key; `undefined` where there is none.
   *
   * @throws {WrongTypeError} where the key holds a collection.
   */
  @releaseConnection
  get<T = unknown>(key: NameLike): Promise<T | undefined> {
    return this._get<T>(key);
  }

  async _get<T = unknown>(key: NameLike): Promise<T | undefined> {
    const { id, name } = this.space.key(key);
    const [row] = await this.tables.read<ValueRow>(this.tables.keys.get, [id, name]);
    return this.decoded(row) as T | undefined;
  }

  /** Sets a key, of whatever kind it was. Without a `ttl` it lives for ever. */
  @releaseConnection
  set(key: NameLike, value: unknown, options?: ExpiryOptions): Promise<void> {
    return this._set(key, value, options);
  }

  async _set(key: NameLike, value: unknown, options: ExpiryOptions = NO_EXPIRY): Promise<void> {
    const { id, name, head } = this.space.key(key);
    const lifetime = lifetimeOf(options);
    const { kind, bytes } = await this._fitting(value);
    this.noteWrite();
    await this.tables.write(this.tables.keys.set, [id, name, head, kind, bytes, lifetime]);
  }

  /** Sets a key that is absent. @returns false where it was there; nothing has changed then. */
  @releaseConnection
  setNx(key: NameLike, value: unknown, options?: ExpiryOptions): Promise<boolean> {
    return this._setNx(key, value, options);
  }

  async _setNx(
    key: NameLike,
    value: unknown,
    options: ExpiryOptions = NO_EXPIRY,
  ): Promise<boolean> {
    const lifetime = lifetimeOf(options);
    return this._offer(this.space.key(key), await this._fitting(value), lifetime);
  }

  /** Sets a key, for ever, and gives what it held; `undefined` where it was absent. */
  @releaseConnection
  getSet<T = unknown>(key: NameLike, value: unknown): Promise<T | undefined> {
    return this._getSet<T>(key, value);
  }

  async _getSet<T = unknown>(key: NameLike, value: unknown): Promise<T | undefined> {
    const row = this.space.key(key);
    const stored = await this._fitting(value);
    return this.tables.atomic(async () => {
      if (await this._offer(row, stored, null)) return undefined;
      const old = await this._locked<T>(row);
      const { id, name, head } = row;
      const { kind, bytes } = stored;
      await this.tables.write(this.tables.keys.set, [id, name, head, kind, bytes, null]);
      return old;
    });
  }

  /** Deletes a key and gives what it held; `undefined` where it was absent. */
  @releaseConnection
  getDelete<T = unknown>(key: NameLike): Promise<T | undefined> {
    return this._getDelete<T>(key);
  }

  async _getDelete<T = unknown>(key: NameLike): Promise<T | undefined> {
    const row = this.space.key(key);
    return this.tables.atomic(async () => {
      const old = await this._locked<T>(row);
      if (old !== undefined) await this._change(this.tables.keys.delete, row);
      return old;
    });
  }

  /** Deletes a key that holds these bytes, as for a token of one's own. @returns whether it did. */
  @releaseConnection
  deleteIfEqual(key: NameLike, expected: unknown): Promise<boolean> {
    return this._deleteIfEqual(key, expected);
  }

  async _deleteIfEqual(key: NameLike, expected: unknown): Promise<boolean> {
    const row = this.space.key(key);
    const { bytes } = await this._fitting(expected, 'expected');
    const { affectedRows } = await this._change(this.tables.keys.deleteIfEqual, row, bytes);
    return affectedRows > 0 || this.#unequal(row);
  }

  /** Sets a key that holds these bytes, as {@link set} does. @returns whether it did. */
  @releaseConnection
  setIfEqual(
    key: NameLike,
    expected: unknown,
    value: unknown,
    options?: ExpiryOptions,
  ): Promise<boolean> {
    return this._setIfEqual(key, expected, value, options);
  }

  async _setIfEqual(
    key: NameLike,
    expected: unknown,
    value: unknown,
    options: ExpiryOptions = NO_EXPIRY,
  ): Promise<boolean> {
    const row = this.space.key(key);
    const lifetime = lifetimeOf(options);
    const { bytes: wanted } = await this._fitting(expected, 'expected');
    const { kind, bytes } = await this._fitting(value);
    this.noteWrite();
    const values = [kind, bytes, lifetime, row.id, row.name, wanted];
    const { affectedRows } = await this.tables.write(this.tables.keys.setIfEqual, values);
    return affectedRows > 0 || this.#unequal(row);
  }

  /** The values of keys in their order; `undefined` for what is absent or holds no single value. */
  @releaseConnection
  mget<T = unknown>(keys: readonly NameLike[]): Promise<(T | undefined)[]> {
    return this._mget<T>(keys);
  }

  async _mget<T = unknown>(keys: readonly NameLike[]): Promise<(T | undefined)[]> {
    const rows = await this._rows(keys);
    return rows.map((row) =>
      row === undefined || !isValue(row.kind) ? undefined : (this.decoded(row) as T),
    );
  }

  /** Sets many keys as {@link set} does, all of them or none. Of a key that is there twice the last counts. */
  @releaseConnection
  mset(entries: readonly (readonly [key: NameLike, value: unknown])[]): Promise<void> {
    return this._mset(entries);
  }

  async _mset(entries: readonly (readonly [key: NameLike, value: unknown])[]): Promise<void> {
    await this._setAll(entries.map(([key, value]) => ({ key, value })));
  }

  /**
   * A secret that is made once, at random, and is the same for whoever asks from then on.
   *
   * @param bytes how many, where it has to be made. @default 32
   */
  @releaseConnection
  getOrCreateSecret(key: NameLike, bytes = 32): Promise<Buffer> {
    return this._getOrCreateSecret(key, bytes);
  }

  async _getOrCreateSecret(key: NameLike, bytes = 32): Promise<Buffer> {
    checkWhole('bytes', bytes, 1);
    const found = await this._get<Buffer>(key);
    if (found !== undefined) return found;
    const secret = randomBytes(bytes);
    if (await this._setNx(key, secret)) return secret;
    const { id, name } = this.space.key(key);
    const [row] = await this.tables.read<ValueRow>(this.tables.keys.getNow, [id, name]);
    // Deleted in that moment, it is made anew.
    return (this.decoded(row) as Buffer | undefined) ?? this._getOrCreateSecret(key, bytes);
  }

  /** Sets many keys, all of them or none; of a key that is there twice the last counts. @internal */
  protected async _setAll(entries: readonly NewValue[]): Promise<void> {
    const rows = new Map<string, StoreKey & StoredValue & { readonly lifetime: number | null }>();
    for (const { key, value, options = NO_EXPIRY } of entries) {
      const lifetime = lifetimeOf(options);
      const row = { ...this.space.key(key), ...(await this._fitting(value)), lifetime };
      rows.set(row.id.toString('latin1'), row);
    }
    const sorted = [...rows.values()].sort((a, b) => Buffer.compare(a.id, b.id));
    const parts = batches(sorted, ({ name, bytes }) => name.length + bytes.length);
    this.noteWrite();
    const send = async (): Promise<void> => {
      for (const part of parts) {
        const values = part.flatMap(({ id, name, head, kind, bytes, lifetime }) => [
          ...[id, name, head, kind, bytes, lifetime],
        ]);
        await this.tables.write(this.tables.keys.setMany(part.length), values);
      }
    };
    await (parts.length > 1 ? this.tables.atomic(send) : send());
  }

  /** The rows of keys in their order, whatever they hold. @internal */
  protected async _rows(keys: readonly NameLike[]): Promise<(ValueRow | undefined)[]> {
    const found = new Map<string, ValueRow>();
    for (const part of paddedBatches(this.space.sorted(keys))) {
      const sql = this.tables.keys.getMany(part.length);
      const rows = await this.tables.read<ValueRow & { id: Buffer }>(sql, idsAndNames(part));
      for (const row of rows) found.set(row.id.toString('latin1'), row);
    }
    return keys.map((key) => found.get(this.space.key(key).id.toString('latin1')));
  }

  /** @throws {WrongTypeError} where it is no single value. @internal */
  protected decoded(row: ValueRow | undefined): unknown {
    if (row === undefined) return undefined;
    checkValue(row.kind);
    return this.codec.decode(row.kind, row.value);
  }

  /** Sets a key that is absent. False where it was there: it is locked then, in a transaction. @internal */
  protected async _offer(
    key: StoreKey,
    { kind, bytes }: StoredValue,
    lifetime: number | null,
  ): Promise<boolean> {
    const { id, name, head } = key;
    this.noteWrite();
    const values = [id, name, head, kind, bytes, lifetime];
    return (await this.tables.write(this.tables.keys.setNx, values)).insertId !== 0;
  }

  /** What a key holds, which nobody else changes from here to COMMIT. @internal */
  protected async _locked<T>({ id, name }: StoreKey): Promise<T | undefined> {
    const [row] = await this.tables.read<ValueRow>(this.tables.keys.getForUpdate, [id, name]);
    return this.decoded(row) as T | undefined;
  }

  /** A value in bytes that the server will take. @throws {InvalidArgumentError} @internal */
  protected async _fitting(value: unknown, argument = 'value'): Promise<StoredValue> {
    const stored = this.codec.encode(value, argument);
    await checkFits(this.tables.db, argument, stored.bytes.length);
    return stored;
  }

  /** @returns false. @throws {WrongTypeError} where it could not be equal. */
  async #unequal({ id, name }: StoreKey): Promise<false> {
    const [row] = await this.tables.read<{ kind: number }>(this.tables.keys.kind, [id, name]);
    if (row !== undefined) checkValue(row.kind);
    return false;
  }
}
