import { EventEmitter } from 'node:events';
import type { KeyvStoreAdapter } from 'keyv';
import { Cache } from '../../cache/cache';
import type { CacheOptions } from '../../cache/cache-options';
import type { RetryingPooledDatabase } from '../../database';

export interface KeyvBoomerangOptions extends Omit<CacheOptions, 'serializer' | 'tags' | 'grace'> {
  /** Of the cache that keeps all of it; Keyv's own namespaces are parts of the keys. @default 'keyv' */
  readonly namespace?: string;
}

/**
 * Keyv's values in the database: `new Keyv({ store: new KeyvBoomerang(db) })`, and by way of Keyv
 * cache-manager's and whatever else takes such a store.
 *
 * Keys are bytes and told apart in full, times count by the database's clock, and entries whose time
 * is over are removed. Inside `db.atomic` it takes part in the transaction, as {@link Cache} does. The
 * database is the caller's: `disconnect()` ends this adapter's work in the background and nothing else.
 *
 * Errors are thrown, and emitted as `error` for Keyv, which without `throwOnErrors` makes a miss of them.
 */
export class KeyvBoomerang extends EventEmitter implements KeyvStoreAdapter {
  /** What Keyv reads and writes: that it can iterate, and by which name. */
  readonly opts: Record<string, unknown> = { dialect: 'mysql' };
  /** Set by Keyv; what `clear()` is about. */
  namespace?: string | undefined;
  /** What it is kept in. */
  readonly cache: Cache;

  constructor(db: RetryingPooledDatabase, options: KeyvBoomerangOptions = {}) {
    super();
    this.cache = new Cache(db, { namespace: 'keyv', ...options });
  }

  get<Value>(key: string): Promise<Value | undefined> {
    return this.#told(this.cache.get<Value>(key));
  }

  getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.#told(this.cache.getMany<Value>(keys));
  }

  /** @param ttl in ms; without one the value has no end, unless the adapter's options give it one. */
  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    await this.#told(this.cache.set(key, value, ttlOf(ttl)));
  }

  async setMany(values: { key: string; value: unknown; ttl?: number }[]): Promise<void> {
    const items = values.map(({ key, value, ttl }) => ({ key, value, ...ttlOf(ttl) }));
    await this.#told(this.cache.setMany(items));
  }

  delete(key: string): Promise<boolean> {
    return this.#told(this.cache.delete(key));
  }

  async deleteMany(keys: string[]): Promise<boolean> {
    return (await this.#told(this.cache.deleteMany(keys))) > 0;
  }

  has(key: string): Promise<boolean> {
    return this.#told(this.cache.has(key));
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    const values = await this.#told(this.cache.getMany(keys));
    return values.map((value) => value !== undefined);
  }

  /** All of Keyv's namespace, key by key; all there is where none is set, in one row. */
  async clear(): Promise<void> {
    const { cache, namespace } = this;
    const isWhole = namespace === undefined || namespace === '';
    await this.#told<unknown>(isWhole ? cache.clear() : cache.deletePrefix(`${namespace}:`));
  }

  async *iterator<Value>(
    namespace?: string,
  ): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const prefix = namespace === undefined || namespace === '' ? '' : `${namespace}:`;
    yield* this.cache.entries<Awaited<Value>>(prefix);
  }

  async disconnect(): Promise<void> {
    await this.cache.close();
  }

  async #told<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (this.listenerCount('error') > 0) this.emit('error', error);
      throw error;
    }
  }
}

function ttlOf(ttl: number | undefined): { ttl?: number } {
  return typeof ttl === 'number' ? { ttl } : {};
}
