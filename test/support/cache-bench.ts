import { Namespace } from '../../src/cache/cache-key';
import { CacheRows } from '../../src/cache/cache-rows';
import { cacheTable } from '../../src/cache/cache-table';
import { CacheTagTable, cacheTagTable } from '../../src/cache/cache-tag-table';
import {
  Cache,
  type CacheOptions,
  type DatabaseOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { TableAccess } from '../../src/schema/table-access';
import { DEFAULT_PREFIX } from '../../src/schema/table-prefix';
import { installed } from './installed';
import type { Workbench } from './servers';

/** The statements that a cache without a namespace is made of. */
export function tablesOf(db: RetryingPooledDatabase) {
  const access = new TableAccess(db, [cacheTable, cacheTagTable], DEFAULT_PREFIX, false);
  const tags = new CacheTagTable(access, 0);
  const namespace = new Namespace('');
  return {
    namespace,
    tags,
    rows: new CacheRows(access, tags.table, namespace.epochId, { timeout: 0, timed: true }),
  };
}

/** Caches on a workbench: the tables are there, and empty before each test. */
export class CacheBench {
  readonly #bench: Workbench;
  readonly #made: Cache[] = [];

  constructor(bench: Workbench) {
    this.#bench = bench;
    installed(bench);
    beforeEach(() => this.empty());
    afterEach(async () => {
      await Promise.all(this.#made.splice(0).map((cache) => cache.close()));
    });
  }

  /** A cache over a pool of its own, as another process would have it. */
  other(options: CacheOptions = {}, database: DatabaseOptions = {}): Cache {
    return this.keep(new Cache(this.#bench.open(database), options));
  }

  /** Closes it after the test. */
  keep(cache: Cache): Cache {
    this.#made.push(cache);
    return cache;
  }

  async empty(): Promise<void> {
    await this.#bench.sql(`DELETE FROM ${this.#bench.schema}.boomerang_cache`);
    await this.#bench.sql(`DELETE FROM ${this.#bench.schema}.boomerang_cache_tags`);
  }

  /** Rows of entries, those without a value too. */
  async rows(condition = '1'): Promise<number> {
    const [row] = await this.#bench.sql(
      `SELECT COUNT(*) AS count FROM ${this.#bench.schema}.boomerang_cache WHERE ${condition}`,
    );
    return Number(row?.['count']);
  }

  /** Lets time pass for all entries: what was to come in less than `ms` is over. */
  async pass(ms: number): Promise<void> {
    const back = (column: string) => `${column} = ${column} - INTERVAL ${ms * 1000} MICROSECOND`;
    await this.#bench.sql(
      `UPDATE ${this.#bench.schema}.boomerang_cache SET ${back('fresh_until')}, ${back('gone_at')}`,
    );
  }
}
