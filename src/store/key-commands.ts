import { releaseConnection } from '../decorators/release-connection';
import { paddedBatches } from './batches';
import type { KeyRange, StoreKey } from './store-key';
import { StoreBase } from './store-base';
import { microsOf, type NameForm, type NameLike, type NameOf } from './store-options';

/** Keys read at a time by a scan. */
const PAGE = 500;

interface KeyRow {
  readonly id: Buffer;
  readonly head: Buffer;
  readonly name: Buffer;
}

/** Commands on keys of every kind. An expired key is absent for all of them, by the server's clock. */
export class KeyCommands<Form extends NameForm> extends StoreBase<Form> {
  /**
   * Deletes keys of whatever kind, in a time that does not grow with their members.
   *
   * @returns how many there were.
   */
  @releaseConnection
  delete(...keys: NameLike[]): Promise<number> {
    return this._delete(...keys);
  }

  async _delete(...keys: NameLike[]): Promise<number> {
    const sorted = this.space.sorted(keys);
    const [key] = sorted;
    if (key === undefined) return 0;
    if (sorted.length === 1) return (await this._change(this.tables.keys.delete, key)).affectedRows;
    this.noteWrite();
    const parts = paddedBatches(sorted);
    if (parts.length === 1) return this.#deleteMany(sorted);
    return this.tables.atomic(async () => {
      let deleted = 0;
      for (const part of parts) deleted += await this.#deleteMany(part);
      return deleted;
    });
  }

  /** How many of the keys are there; one that is named twice counts twice. */
  @releaseConnection
  exists(...keys: NameLike[]): Promise<number> {
    return this._exists(...keys);
  }

  async _exists(...keys: NameLike[]): Promise<number> {
    const there = new Set<string>();
    for (const part of paddedBatches(this.space.sorted(keys))) {
      const sql = this.tables.keys.count(part.length);
      const rows = await this.tables.read<{ id: Buffer }>(sql, idsAndNames(part));
      for (const { id } of rows) there.add(id.toString('latin1'));
    }
    return keys.filter((key) => there.has(this.space.key(key).id.toString('latin1'))).length;
  }

  /**
   * Lets a key end so many ms from now by the server's clock, to the microsecond; at once for 0 or less.
   *
   * @returns false where there is no such key.
   */
  @releaseConnection
  expire(key: NameLike, ttl: number): Promise<boolean> {
    return this._expire(key, ttl);
  }

  async _expire(key: NameLike, ttl: number): Promise<boolean> {
    const { id, name } = this.space.key(key);
    this.noteWrite();
    const values = [microsOf('ttl', ttl), id, name];
    return (await this.tables.write(this.tables.keys.expire, values)).affectedRows > 0;
  }

  /** Lets a key live for ever. @returns false where there is none, or none with an end. */
  @releaseConnection
  persist(key: NameLike): Promise<boolean> {
    return this._persist(key);
  }

  async _persist(key: NameLike): Promise<boolean> {
    return (await this._change(this.tables.keys.persist, this.space.key(key))).affectedRows > 0;
  }

  /** How long a key still lives, in ms; -1 without an end, -2 where there is none. */
  @releaseConnection
  ttl(key: NameLike): Promise<number> {
    return this._ttl(key);
  }

  async _ttl(key: NameLike): Promise<number> {
    const { id, name } = this.space.key(key);
    const [row] = await this.tables.read<{ remaining: number | string | null }>(
      this.tables.keys.ttl,
      [id, name],
    );
    if (row === undefined) return -2;
    // Rounded up: what lives has a time to live.
    return row.remaining === null ? -1 : Math.ceil(Number(row.remaining) / 1000);
  }

  /**
   * The keys that begin with `prefix`, in no particular order. Reads some at a time, and holds no
   * connection in between. A key that is there all the time comes exactly once.
   *
   * @example
   * for await (const key of store.scan('session:')) console.log(key);
   */
  scan(prefix: NameLike = ''): AsyncGenerator<NameOf<Form>, void, undefined> {
    return this.#scan(this.space.range(prefix));
  }

  async *#scan({ prefix, from, to }: KeyRange): AsyncGenerator<NameOf<Form>, void, undefined> {
    let last: Pick<KeyRow, 'head' | 'id'> = { head: from, id: Buffer.alloc(0) };
    for (;;) {
      const { head, id } = last;
      const values = [head, to, head, id, String(prefix.length), prefix, String(PAGE)];
      const rows = await this.tables.read<KeyRow>(this.tables.keys.page, values);
      for (const { name } of rows) yield this.space.keyOf(name);
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE) return;
      last = end;
    }
  }

  async #deleteMany(keys: readonly StoreKey[]): Promise<number> {
    const [part = []] = paddedBatches(keys);
    const sql = this.tables.keys.deleteMany(part.length);
    return (await this.tables.write(sql, idsAndNames(part))).affectedRows;
  }
}

/** What stands in `IN (…) AND … IN (…)`. */
export function idsAndNames(keys: readonly StoreKey[]): Buffer[] {
  return [...keys.map(({ id }) => id), ...keys.map(({ name }) => name)];
}
