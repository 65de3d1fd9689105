import type { RetryingPooledDatabase } from '../database';
import { BoomerangError, PoolExhaustedError, StatementTimeoutError } from '../errors';
import { errorFields } from '../logger';
import { partsOf } from '../pooled-database';
import { openFrame } from '../schema/standing';
import { Sweeper } from '../schema/sweeper';
import { TableAccess } from '../schema/table-access';
import { Namespace, type CacheKey } from './cache-key';
import {
  resolveCacheOptions,
  type CacheOptions,
  type GetOrSetOptions,
  type Terms,
} from './cache-options';
import { newCounters, type CacheStats } from './cache-stats';
import { CacheSweep } from './cache-sweep';
import { CacheRows } from './cache-rows';
import { cacheTable } from './cache-table';
import type { KeyRow, PageRow } from './cache-row';
import { CacheTagTable, cacheTagTable } from './cache-tag-table';
import type { Entry, Found, Packed } from './entry';
import { EntryReader } from './entry-reader';
import { EntryWriter } from './entry-writer';
import { Eviction } from './eviction';
import { Filler } from './filler';
import { MemoryTier } from './memory-tier';
import { Packer } from './packer';

/** How often at most a read that failed is logged, in ms. */
const NOTE_EVERY = 1000;

/** Told after a change that counts: which keys, or any where none are named. */
type OnChange = (keys: readonly CacheKey[] | undefined) => void;

/** Some entries, and where the next ones are; `undefined` after the last. */
export interface Page<T> {
  readonly found: T[];
  readonly last: Buffer | undefined;
}

/** What a cache is made of, and what its calls have in common: memory, counts, work that rides on writes. */
export class CacheParts {
  readonly db: RetryingPooledDatabase;
  readonly namespace: Namespace;
  readonly table: CacheRows;
  readonly tags: CacheTagTable;
  readonly reader: EntryReader;
  readonly writer: EntryWriter;
  readonly packer: Packer;
  readonly filler: Filler;
  readonly sweeper: Sweeper;
  readonly memory: MemoryTier | undefined;
  readonly terms: (options: GetOrSetOptions | undefined, rules: 'set' | 'getOrSet') => Terms;
  readonly #counters = newCounters();
  readonly #eviction: Eviction;
  readonly #missOnError: boolean;
  readonly #onChange: OnChange;
  #notedAt = -Infinity;

  constructor(db: RetryingPooledDatabase, options: CacheOptions, onChange: OnChange) {
    const resolved = resolveCacheOptions(options);
    const { clock, logger } = partsOf(db).host;
    const { prefix, autoInstall, statementTimeout, memory, calls } = resolved;
    const access = new TableAccess(db, [cacheTable, cacheTagTable], prefix, autoInstall);
    this.db = db;
    this.#onChange = onChange;
    this.#missOnError = resolved.onError === 'miss';
    this.terms = (given, rules) => calls.for(given, rules);
    this.namespace = new Namespace(resolved.namespace);
    this.packer = new Packer(resolved.serializer);
    this.tags = new CacheTagTable(access, statementTimeout);
    this.table = new CacheRows(access, this.tags.table, this.namespace.epochId, {
      timeout: statementTimeout,
      timed: memory !== undefined,
    });
    this.reader = new EntryReader(db, this.table, this.tags);
    this.writer = new EntryWriter(db, this.table, this.tags, this.namespace);
    this.memory = memory === undefined ? undefined : new MemoryTier(memory, clock);
    const { reader, writer, table, packer, namespace } = this;
    const counters = this.#counters;
    this.filler = new Filler({
      ...{ db, table, reader, writer, packer, clock, logger, counters },
      missOnError: (error) => this.#isMiss(error),
      onStored: (entry) => this.#wrote([entry]),
    });
    const sweep = new CacheSweep(table, this.tags, reader, namespace, clock);
    this.sweeper = new Sweeper({
      clock,
      logger,
      what: 'cache entries',
      every: resolved.sweepEvery,
      batch: () => db.withoutScope(() => sweep.batch()),
    });
    this.#eviction = new Eviction({
      db,
      table,
      namespace,
      maxEntries: resolved.maxEntries,
      maxBytes: resolved.maxBytes,
      logger,
      onEvicted: (count) => (counters.evicted += count),
    });
  }

  /** @throws {InvalidArgumentError} naming the rule, never the key. */
  key(key: string): CacheKey {
    return this.namespace.key(key);
  }

  tagIds(tags: readonly string[]): Buffer[] {
    return tags.length === 0 ? [] : [...new Set(tags)].map((tag) => this.namespace.tag(tag));
  }

  unpack(packed: Packed): unknown {
    return this.packer.unpack(packed);
  }

  /** What memory has of it. A transaction sees what it has written itself, which is not there. */
  recall(key: CacheKey): Packed | undefined {
    if (this.memory === undefined || openFrame(this.db) !== undefined) return undefined;
    const kept = this.memory.get(key.name);
    if (kept === undefined) return undefined;
    this.#counters.hits++;
    this.#counters.memoryHits++;
    return kept;
  }

  /** As few promises as can be: this is the path of every read. */
  read(key: CacheKey): Promise<Packed | undefined> {
    const kept = this.recall(key);
    if (kept !== undefined) return Promise.resolve(kept);
    const mark = this.memory?.begin();
    return this.reader.value(key).then(
      (found) => {
        this.#count(found !== undefined);
        if (found !== undefined && mark !== undefined && openFrame(this.db) === undefined) {
          this.memory?.put(key.name, found, mark);
        }
        return found;
      },
      (error: unknown) => {
        if (!this.#isMiss(error)) throw error;
        this.#count(false);
        return undefined;
      },
    );
  }

  async has(key: CacheKey): Promise<boolean> {
    if (this.recall(key) !== undefined) return true;
    const isThere = await this.#tolerated(this.reader.has(key), false);
    this.#count(isThere);
    return isThere;
  }

  async readMany(keys: readonly CacheKey[]): Promise<(Packed | undefined)[]> {
    const all: (Packed | undefined)[] = keys.map((key) => this.recall(key));
    const absent = keys.filter((_, at) => all[at] === undefined);
    if (absent.length === 0) return all;
    const mark = this.memory?.begin();
    const nothing = absent.map(() => undefined);
    const found = await this.#tolerated<(Found | undefined)[]>(this.reader.values(absent), nothing);
    const isOutside = openFrame(this.db) === undefined;
    let next = 0;
    return keys.map((key, at) => {
      if (all[at] !== undefined) return all[at];
      const one = found[next++];
      this.#count(one !== undefined);
      if (one !== undefined && mark !== undefined && isOutside) {
        this.memory?.put(key.name, one, mark);
      }
      return one;
    });
  }

  /** Entries after an id, and where the next page begins; `undefined` after the last one. */
  async page(after: Buffer, prefix: Buffer, most: number): Promise<Page<[string, Packed]>> {
    const rows = await this.table.page(after, this.namespace.beyond, prefix, most);
    return this.#pageOf(rows, most, (key, { kind, value }) => [key, { kind, bytes: value }]);
  }

  /** Their keys alone. */
  async keyPage(after: Buffer, prefix: Buffer, most: number): Promise<Page<string>> {
    const rows = await this.table.keyPage(after, this.namespace.beyond, prefix, most);
    return this.#pageOf(rows, most, (key) => key);
  }

  async #pageOf<Row extends PageRow<KeyRow>, T>(
    rows: readonly Row[],
    most: number,
    read: (key: string, row: Row) => T,
  ): Promise<Page<T>> {
    const voids = await this.reader.voids(rows);
    const found: T[] = [];
    for (const row of rows) {
      const key = this.namespace.keyOf(row.full_key);
      if (key !== undefined && !voids.has(row)) found.push(read(key.toString(), row));
    }
    return { found, last: rows.length < most ? undefined : rows.at(-1)?.id };
  }

  async put(entry: Entry): Promise<void> {
    await this.#changing([entry.key], this.writer.put(entry));
    this.#wrote([entry]);
  }

  async putMany(entries: readonly Entry[]): Promise<void> {
    await this.#changing(
      entries.map(({ key }) => key),
      this.writer.putMany(entries),
    );
    this.#wrote(entries);
  }

  async bury(keys: readonly CacheKey[]): Promise<number> {
    if (keys.length === 0) return 0;
    const distinct = [...new Map(keys.map((key) => [key.name, key])).values()];
    const { size } = await this.reader.present(distinct);
    await this.#changing(distinct, this.writer.bury(distinct));
    this.#counters.deletes += distinct.length;
    this.sweeper.ride();
    return size;
  }

  async raise(tag: Buffer): Promise<void> {
    await this.#changing(undefined, this.tags.raise(tag));
    this.sweeper.ride();
  }

  /** These were changed: told at once, or after COMMIT; never after ROLLBACK. */
  async changed(keys: readonly CacheKey[] | undefined): Promise<void> {
    if (openFrame(this.db) === undefined) this.#forget(keys);
    else await this.db.afterCommit(() => this.#forget(keys));
  }

  stats(): CacheStats {
    return Object.freeze({ ...this.#counters, swept: this.sweeper.stats.swept });
  }

  async close(): Promise<void> {
    await Promise.all([this.sweeper.stop(), this.#eviction.stop()]);
  }

  async #changing(keys: readonly CacheKey[] | undefined, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      // It may have been done all the same.
      if (openFrame(this.db) === undefined) this.#forget(keys);
      throw error;
    }
    await this.changed(keys);
  }

  #forget(keys: readonly CacheKey[] | undefined): void {
    if (keys === undefined) this.memory?.forgetAll();
    else for (const { name } of keys) this.memory?.forget(name);
    this.#onChange(keys);
  }

  #wrote(entries: readonly Entry[]): void {
    this.#counters.writes += entries.length;
    this.#eviction.ride(
      entries.length,
      entries.reduce((sum, { packed }) => sum + packed.bytes.length, 0),
    );
    this.sweeper.ride();
  }

  #count(isThere: boolean): void {
    if (isThere) this.#counters.hits++;
    else this.#counters.misses++;
  }

  async #tolerated<T>(read: Promise<T>, missed: T): Promise<T> {
    try {
      return await read;
    } catch (error) {
      if (!this.#isMiss(error)) throw error;
      return missed;
    }
  }

  /** Whether a read that failed so counts as a miss; if it does, it is counted and logged. */
  #isMiss(error: unknown): boolean {
    if (!this.#missOnError || openFrame(this.db) !== undefined || !isOutage(error)) return false;
    this.#counters.errors++;
    const { clock, logger } = partsOf(this.db).host;
    if (clock.now() >= this.#notedAt + NOTE_EVERY) {
      this.#notedAt = clock.now();
      logger.error(errorFields(error), 'the cache could not be read; these reads were misses');
    }
    return true;
  }
}

/** A failure of the server or the way to it; not one of the caller's, nor a missing table. */
function isOutage(error: unknown): boolean {
  if (!(error instanceof BoomerangError)) {
    return typeof (error as { code?: unknown } | null)?.code === 'string';
  }
  return error instanceof PoolExhaustedError || error instanceof StatementTimeoutError;
}
