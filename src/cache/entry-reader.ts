import { Batcher } from '../batcher';
import type { RetryingPooledDatabase } from '../database';
import { holdsConnection } from '../schema/standing';
import { TAG_BYTES, type CacheKey } from './cache-key';
import type { LookRow, SoleValueRow } from './cache-row';
import type { CacheRows } from './cache-rows';
import type { CacheTagTable } from './cache-tag-table';
import { NOTHING, tagIdsOf, tagsCount, type Found, type Look } from './entry';

/** Keys in one statement at most. */
const MOST = 256;
/** Joined statements under way at most: what is asked for meanwhile goes together. */
const AT_ONCE = 1;

interface Tagged {
  readonly tags: Buffer | null;
  readonly tag_sum: number | string;
}

/** The next power of two, so that statements of many lengths are few to prepare. */
function padded(ids: readonly Buffer[]): readonly Buffer[] {
  const last = ids.at(-1);
  if (last === undefined) return ids;
  const length = 2 ** Math.ceil(Math.log2(ids.length));
  return [...ids, ...new Array<Buffer>(length - ids.length).fill(last)];
}

function foundOf({ kind, value, fresh }: SoleValueRow): Found {
  return { kind, bytes: value, freshFor: Number(fresh) / 1000 };
}

function lookOf({ kind, value, version, valid, ...row }: LookRow): Look {
  const has = kind !== null && value !== null && Number(valid) === 1;
  return {
    version,
    packed: has ? { kind, bytes: value } : undefined,
    freshFor: Number(row.fresh) / 1000,
    servableFor: Number(row.remaining) / 1000,
    cost: Number(row.cost),
    fillingFor: Math.max(0, Number(row.filling ?? 0) / 1000),
  };
}

/**
 * Reads entries. What callers who hold no connection ask for at the same time is read together; in a
 * transaction and on a scope's connection each reads for itself.
 */
export class EntryReader {
  readonly #db: RetryingPooledDatabase;
  readonly #table: CacheRows;
  readonly #tags: CacheTagTable;
  readonly #values: Batcher<CacheKey, Found | undefined>;
  readonly #looks: Batcher<CacheKey, Look>;

  constructor(db: RetryingPooledDatabase, table: CacheRows, tags: CacheTagTable) {
    this.#db = db;
    this.#table = table;
    this.#tags = tags;
    this.#values = new Batcher({ run: (keys) => this.#joined(keys), most: MOST, atOnce: AT_ONCE });
    this.#looks = new Batcher({ run: (keys) => this.#allOf(keys), most: MOST, atOnce: AT_ONCE });
  }

  value(key: CacheKey): Promise<Found | undefined> {
    return holdsConnection(this.#db) ? this.#sole(key) : this.#values.add(key);
  }

  /** In the order of the keys. */
  async values(keys: readonly CacheKey[]): Promise<(Found | undefined)[]> {
    const found: (Found | undefined)[] = [];
    for (let at = 0; at < keys.length; at += MOST) {
      found.push(...(await this.#several(keys.slice(at, at + MOST))));
    }
    return found;
  }

  look(key: CacheKey): Promise<Look> {
    return holdsConnection(this.#db) ? this.#lookAt(key) : this.#looks.add(key);
  }

  #joined(keys: readonly CacheKey[]): Promise<(Found | undefined)[]> {
    const [first] = keys;
    return keys.length > 1 || first === undefined
      ? this.#several(keys)
      : this.#sole(first).then((found) => [found]);
  }

  #sole(key: CacheKey): Promise<Found | undefined> {
    return this.#table.value(key).then((row) => (row === undefined ? undefined : foundOf(row)));
  }

  async #several(keys: readonly CacheKey[]): Promise<(Found | undefined)[]> {
    const byName = distinct(keys);
    const ids = [...byName.values()].map(({ id }) => id);
    const rows = await this.#table.values(padded(ids));
    const voids = await this.voids(rows);
    const found = new Map<string, Found>();
    for (const row of rows) {
      const key = byName.get(row.id.toString('latin1', 8));
      if (key?.full.equals(row.full_key) !== true || voids.has(row)) continue;
      found.set(key.name, foundOf(row));
    }
    return keys.map(({ name }) => found.get(name));
  }

  async #lookAt(key: CacheKey): Promise<Look> {
    const row = await this.#table.look(key);
    return row === undefined ? NOTHING : lookOf(row);
  }

  async #allOf(keys: readonly CacheKey[]): Promise<Look[]> {
    const [first] = keys;
    if (keys.length === 1 && first !== undefined) return [await this.#lookAt(first)];
    const byName = distinct(keys);
    const ids = [...byName.values()].map(({ id }) => id);
    const rows = await this.#table.looks(padded(ids));
    const voids = await this.voids(rows);
    const looks = new Map<string, Look>();
    for (const row of rows) {
      const key = byName.get(row.id.toString('latin1', 8));
      if (key?.full.equals(row.full_key) !== true) continue;
      looks.set(key.name, lookOf(voids.has(row) ? { ...row, valid: 0 } : row));
    }
    return keys.map(({ name }) => looks.get(name) ?? NOTHING);
  }

  /** Those of the rows whose tags were invalidated, by one further statement where any have tags. */
  async voids<R extends Tagged>(rows: readonly R[]): Promise<ReadonlySet<R>> {
    const ids = new Map<string, Buffer>();
    for (const { tags } of rows) {
      if (tags === null) continue;
      for (const id of tagIdsOf(tags, TAG_BYTES)) ids.set(id.toString('latin1'), id);
    }
    if (ids.size === 0) return new Set();
    const versions = await this.#tags.versions([...ids.values()]);
    return new Set(
      rows.filter(
        ({ tags, tag_sum }) =>
          tags !== null && !tagsCount(tags, Number(tag_sum), versions, TAG_BYTES),
      ),
    );
  }
}

function distinct(keys: readonly CacheKey[]): Map<string, CacheKey> {
  return new Map(keys.map((key) => [key.name, key]));
}
