import { Cache, install, type CacheOptions, type DatabaseOptions } from '../../src/index';
import type { Workbench } from './servers';

/** Caches on a workbench: the tables are there, and empty before each test. */
export class CacheBench {
  readonly #bench: Workbench;
  readonly #made: Cache[] = [];

  constructor(bench: Workbench) {
    this.#bench = bench;
    beforeAll(async () => {
      const db = bench.open();
      await install(db);
      await db.end();
    });
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
