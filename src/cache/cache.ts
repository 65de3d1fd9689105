import type { RetryingPooledDatabase } from '../database';
import { releaseConnection } from '../decorators/release-connection';
import { InvalidArgumentError, checkFunction, checkOptionNames } from '../errors';
import type { Instruments } from '../metrics/instruments';
import { partsOf } from '../pooled-database';
import { holdsConnection, openFrame } from '../schema/standing';
import { CACHE_INSTRUMENT } from './cache-instrument';
import type { CacheKey } from './cache-key';
import type { CacheOptions, GetOrSetOptions, SetOptions } from './cache-options';
import { CacheParts, type Page } from './cache-parts';
import type { CacheStats } from './cache-stats';
import type { Entry } from './entry';
import { letGo, type Filled } from './filler';

/** An entry of {@link Cache.setMany}. */
export interface CacheItem extends SetOptions {
  readonly key: string;
  readonly value: unknown;
}

const ITEM_OPTIONS = ['ttl', 'grace', 'tags', 'compress'] as const;

/** Entries read at a time. */
const PAGE = 200;

/**
 * A cache in the database, shared by all processes that use it: what one of them has made the others
 * find. Times count by the database's clock. Keys are bytes, 3072 at most: `a`, `A` and `a ` are three.
 *
 * Inside `db.atomic` everything takes part in the transaction: it reads what the transaction sees, and
 * what it writes, deletes and invalidates is seen by others after COMMIT, or never.
 *
 * Values come back as they were: strings, numbers, bigints and bytes as such, all else as JSON holds it.
 *
 * @example
 * const cache = new Cache(db, { namespace: 'users', ttl: 60_000, grace: 600_000 });
 * const user = await cache.getOrSet(`${id}`, () => users.find(id), { tags: ['users'] });
 */
export class Cache {
  readonly #parts: CacheParts;
  readonly #instruments: Instruments;
  /** Calls that are making a value here, for others who want the same. */
  readonly #flights = new Map<string, Promise<Filled>>();

  /** @throws {ConfigurationError} naming the option and the rule. */
  constructor(db: RetryingPooledDatabase, options: CacheOptions = {}) {
    this.#parts = new CacheParts(db, options, (keys) => this.#changed(keys));
    this.#instruments = partsOf(db).instruments;
    this.#instruments.add(this, options.namespace ?? '', CACHE_INSTRUMENT);
  }

  /**
   * The value of a key; `undefined` where there is none, or its time is over.
   *
   * What callers who hold no connection ask for in one moment is read together.
   */
  @releaseConnection
  get<T = unknown>(key: string): Promise<T | undefined> {
    return this._get<T>(key);
  }

  async _get<T = unknown>(key: string): Promise<T | undefined> {
    const found = await this.#parts.read(this.#parts.key(key));
    return found === undefined ? undefined : (this.#parts.unpack(found) as T);
  }

  /** The values of several keys, in their order; `undefined` for each that is not there. */
  @releaseConnection
  getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]> {
    return this._getMany<T>(keys);
  }

  async _getMany<T = unknown>(keys: readonly string[]): Promise<(T | undefined)[]> {
    const found = await this.#parts.readMany(this.#keysOf(keys));
    return (await this.#parts.packer.unpackAll(found)) as (T | undefined)[];
  }

  @releaseConnection
  has(key: string): Promise<boolean> {
    return this._has(key);
  }

  async _has(key: string): Promise<boolean> {
    return this.#parts.has(this.#parts.key(key));
  }

  /**
   * Writes a value, whatever was there. What is being made for this key elsewhere is not stored then.
   *
   * It stores what it is given: a value that was read before somebody changed the data is stale from
   * the start. `getOrSet` knows of that, and stores no such value.
   *
   * @throws {InvalidArgumentError} for a value that cannot be kept, or is longer than 16 MiB or than
   * the server takes.
   */
  @releaseConnection
  set(key: string, value: unknown, options?: SetOptions): Promise<void> {
    return this._set(key, value, options);
  }

  async _set(key: string, value: unknown, options?: SetOptions): Promise<void> {
    const entry = await this.#entry(this.#parts.key(key), value, options);
    await this.#parts.put(entry);
  }

  /**
   * Writes several values in as few statements as can be, all with the same options unless an item
   * has its own. Where it takes several statements they are no transaction, unless one is open.
   */
  @releaseConnection
  setMany(items: readonly CacheItem[], options?: SetOptions): Promise<void> {
    return this._setMany(items, options);
  }

  async _setMany(items: readonly CacheItem[], options?: SetOptions): Promise<void> {
    if (!Array.isArray(items)) throw new InvalidArgumentError('items', 'must be an array of items');
    const { writer, namespace, packer, terms } = this.#parts;
    const usual = terms(options, 'set');
    const wanted = items.map((item: CacheItem) => {
      checkOptionNames('items', item, ['key', 'value', ...ITEM_OPTIONS]);
      const { key, value, ...own } = item;
      const isPlain = Object.keys(own).length === 0;
      const its = isPlain ? usual : terms({ ...options, ...own }, 'set');
      return { key: namespace.key(key), value, ...its };
    });
    if (wanted.length === 0) return;
    const packed = await Promise.all(
      wanted.map(async ({ value, compressAbove }) => packer.pack(value, compressAbove)),
    );
    const bases = await writer.basesNow(wanted.map(({ tags }) => this.#parts.tagIds(tags)));
    await this.#parts.putMany(
      wanted.map(({ key, ttl, grace }, at) => {
        const entry = { key, packed: packed[at], basis: bases[at], ttl, grace };
        return entry as Entry;
      }),
    );
  }

  /** Resolves to whether there was a value. What is being made for the key is not stored then. */
  @releaseConnection
  delete(key: string): Promise<boolean> {
    return this._delete(key);
  }

  async _delete(key: string): Promise<boolean> {
    return (await this._deleteMany([key])) > 0;
  }

  /** Resolves to how many of them had a value. */
  @releaseConnection
  deleteMany(keys: readonly string[]): Promise<number> {
    return this._deleteMany(keys);
  }

  async _deleteMany(keys: readonly string[]): Promise<number> {
    return this.#parts.bury(this.#keysOf(keys));
  }

  /**
   * The value of a key, or what `factory` makes where there is none, which is then stored.
   *
   * Of all processes one runs its factory; the others are given a stale value within `grace`, or wait
   * for it. A value that was overtaken while it was made, by a deletion, an invalidation or `set`, is
   * given to who waited and not stored. Where the factory fails a stale value is given within `grace`.
   * What it makes comes back as the cache would keep it; `undefined` is given and not kept.
   *
   * `factory` is in nobody's scope: its statements take and return a connection each. Inside a
   * transaction it runs as part of that, whatever others are making, and so does storing its value.
   * Callers of one process who want the same key at the same time share the first one's call, and with
   * it its options.
   *
   * @throws the factory's error, where there is nothing stale to give.
   * @throws {FactoryTimeoutError} where `hardTimeout` passed and there is nothing to give.
   */
  async getOrSet<T>(
    key: string,
    factory: () => PromiseLike<T> | T,
    options?: GetOrSetOptions,
  ): Promise<T> {
    checkFunction('factory', factory);
    const { db, filler, namespace } = this.#parts;
    const terms = this.#parts.terms(options, 'getOrSet');
    const wish = { key: namespace.key(key), tags: this.#parts.tagIds(terms.tags), factory, terms };
    if (openFrame(db) !== undefined) {
      const packed = await filler.inTransaction(wish);
      await this.#parts.changed([wish.key]);
      return (packed === undefined ? undefined : this.#parts.unpack(packed)) as T;
    }
    const kept = this.#parts.recall(wish.key);
    if (kept !== undefined) return this.#parts.unpack(kept) as T;
    const running = this.#flights.get(wish.key.name);
    if (running !== undefined) await letGo(db);
    const find = (): Promise<Filled> => filler.get(wish);
    // Others may join: what ends the first one's scope is not to end it, unless it has the connection.
    const alone = holdsConnection(db) ? find : () => db.withoutScope(find);
    const filled = await (running ?? this.#fly(wish.key, alone));
    return (filled === undefined ? undefined : this.#parts.unpack(filled.packed)) as T;
  }

  /** Gives a value that is there another time to live. Resolves to whether there is one. */
  @releaseConnection
  touch(key: string, options?: Pick<SetOptions, 'ttl' | 'grace'>): Promise<boolean> {
    return this._touch(key, options);
  }

  async _touch(key: string, options?: Pick<SetOptions, 'ttl' | 'grace'>): Promise<boolean> {
    const { ttl, grace } = this.#parts.terms(options, 'set');
    const id = this.#parts.key(key);
    const touched = await this.#parts.table.touch(id, ttl, grace);
    await this.#parts.changed([id]);
    return touched;
  }

  /** Makes all values of the namespace void, in one row; their own are removed bit by bit. */
  @releaseConnection
  clear(): Promise<void> {
    return this._clear();
  }

  async _clear(): Promise<void> {
    await this.#parts.raise(this.#parts.namespace.epochId);
  }

  /** Makes all values that bear the tag void, in one row, and those too that are being made. */
  @releaseConnection
  invalidateTag(tag: string): Promise<void> {
    return this._invalidateTag(tag);
  }

  async _invalidateTag(tag: string): Promise<void> {
    await this.#parts.raise(this.#parts.namespace.tag(tag));
  }

  /** Removes the values of all keys that begin so, page by page. Resolves to how many there were. */
  async deletePrefix(prefix: string): Promise<number> {
    let removed = 0;
    const read = this.#parts.keyPage.bind(this.#parts);
    for await (const keys of this.#pages(prefix, read)) removed += await this.deleteMany(keys);
    return removed;
  }

  /**
   * Keys and values, of all keys or of those that begin with `prefix`, in no order. Reads some at a
   * time, and holds no connection in between.
   */
  async *entries<T = unknown>(
    prefix = '',
  ): AsyncGenerator<[key: string, value: T], void, undefined> {
    const read = this.#parts.page.bind(this.#parts);
    for await (const page of this.#pages(prefix, read)) {
      for (const [key, found] of page) yield [key, (await this.#parts.unpack(found)) as T];
    }
  }

  /** How many values there are. Those that lost a tag are counted until they are removed. */
  @releaseConnection
  count(): Promise<number> {
    return this._count();
  }

  async _count(): Promise<number> {
    const { table, namespace } = this.#parts;
    return table.count(namespace.first, namespace.beyond);
  }

  stats(): CacheStats {
    return this.#parts.stats();
  }

  /**
   * Removes now what goes by itself bit by bit: entries whose time is over, and some that were made void.
   *
   * @returns how many.
   */
  sweep(): Promise<number> {
    return this.#parts.sweeper.sweep();
  }

  /** Ends the work in the background. Resolves when it has ended; what is being made goes on. */
  async close(): Promise<void> {
    this.#instruments.remove(this);
    await this.#parts.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#pages<T>(
    prefix: string,
    read: (after: Buffer, begin: Buffer, most: number) => Promise<Page<T>>,
  ): AsyncGenerator<T[], void, undefined> {
    const begin = this.#parts.namespace.prefix(prefix);
    let after: Buffer | undefined = this.#parts.namespace.first;
    while (after !== undefined) {
      const page: Page<T> = await read(after, begin, PAGE);
      yield page.found;
      after = page.last;
    }
  }

  async #fly(key: CacheKey, find: () => Promise<Filled>): Promise<Filled> {
    const mark = this.#parts.memory?.begin();
    const flight = find();
    this.#flights.set(key.name, flight);
    try {
      const filled = await flight;
      if (filled !== undefined && mark !== undefined) {
        const { packed, freshFor } = filled;
        this.#parts.memory?.put(key.name, { ...packed, freshFor }, mark);
      }
      return filled;
    } finally {
      if (this.#flights.get(key.name) === flight) this.#flights.delete(key.name);
    }
  }

  /** Who asks after a change must not be given what was begun before it. */
  #changed(keys: readonly CacheKey[] | undefined): void {
    if (keys === undefined) this.#flights.clear();
    else for (const { name } of keys) this.#flights.delete(name);
  }

  async #entry(key: CacheKey, value: unknown, options: SetOptions | undefined): Promise<Entry> {
    const { writer, packer } = this.#parts;
    const { ttl, grace, tags, compressAbove } = this.#parts.terms(options, 'set');
    const packed = await packer.pack(value, compressAbove);
    return { key, packed, basis: await writer.basisNow(this.#parts.tagIds(tags)), ttl, grace };
  }

  #keysOf(keys: readonly string[]): CacheKey[] {
    if (!Array.isArray(keys)) throw new InvalidArgumentError('keys', 'must be an array of keys');
    return keys.map((key: string) => this.#parts.key(key));
  }
}
