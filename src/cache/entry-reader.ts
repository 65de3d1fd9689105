import { Batcher } from '../batcher';
import type { RetryingPooledDatabase } from '../database';
import { holdsConnection } from '../schema/standing';
import { TAG_BYTES, nameOf, type CacheKey } from './cache-key';
import type { FoundRow, LookRow } from './cache-row';
import type { CacheRows } from './cache-rows';
import type { CacheTagTable } from './cache-tag-table';
import { NOTHING, tagIdsOf, tagsCount, type Found, type Look } from './entry';

/** Keys in one statement at most. */
const MOST = 256;
/**
 * Joined statements under way at most: while the server reads one, the other's rows are taken in.
 * What is asked for meanwhile goes together, and few keys are not worth a second statement.
 */
const AT_ONCE = 2;
const FEW = 8;
/** In ms: an answer that does not come is not waited for by the next ones for longer. */
const PATIENCE = 50;

interface Tagged {
  readonly tags: Buffer | null;
  readonly tag_sum: number | string;
}

/** Where they are found, as many as the next power of two: few statements to prepare. */
function padded(keys: readonly CacheKey[]): Buffer[] {
  const ids = keys.map(({ id }) => id);
  const last = ids.at(-1);
  if (last === undefined) return ids;
  const length = 2 ** Math.ceil(Math.log2(ids.length));
  while (ids.length < length) ids.push(last);
  return ids;
}

function foundOf({ kind, value, fresh }: FoundRow): Found {
  return { kind, bytes: value, freshFor: Number(fresh ?? 0) / 1000 };
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
  readonly #there: Batcher<CacheKey, boolean>;

  constructor(db: RetryingPooledDatabase, table: CacheRows, tags: CacheTagTable) {
    this.#db = db;
    this.#table = table;
    this.#tags = tags;
    const limits = { most: MOST, atOnce: AT_ONCE, least: FEW, patience: PATIENCE };
    this.#values = new Batcher({ run: (keys) => this.#joined(keys), ...limits });
    this.#looks = new Batcher({ run: (keys) => this.#allOf(keys), ...limits });
    this.#there = new Batcher({ run: (keys) => this.#has(keys), ...limits });
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

  async has(key: CacheKey): Promise<boolean> {
    if (!holdsConnection(this.#db)) return this.#there.add(key);
    return (await this.present([key])).has(key.name);
  }

  /** The names of those that have a value. */
  async present(keys: readonly CacheKey[]): Promise<Set<string>> {
    const names = new Set<string>();
    for (let at = 0; at < keys.length; at += MOST) {
      const rows = await this.#table.keys(padded(keys.slice(at, at + MOST)));
      const voids = await this.voids(rows);
      for (const row of rows) if (!voids.has(row)) names.add(nameOf(row.full_key));
    }
    return names;
  }

  look(key: CacheKey): Promise<Look> {
    return holdsConnection(this.#db) ? this.#lookAt(key) : this.#looks.add(key);
  }

  async #has(keys: readonly CacheKey[]): Promise<boolean[]> {
    const names = await this.present(keys);
    return keys.map(({ name }) => names.has(name));
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
    const rows = await this.#table.values(padded(keys));
    const voids = await this.voids(rows);
    const found = new Map<string, Found>();
    for (const row of rows) {
      if (!voids.has(row)) found.set(nameOf(row.full_key), foundOf(row));
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
    const rows = await this.#table.looks(padded(keys));
    const voids = await this.voids(rows);
    const looks = new Map<string, Look>();
    for (const row of rows) {
      looks.set(nameOf(row.full_key), lookOf(voids.has(row) ? { ...row, valid: 0 } : row));
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
