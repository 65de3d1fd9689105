import { KeyValueStore, type KeyValueStoreOptions, type NameForm } from '../../src/index';
import type { DatabaseOptions } from '../../src/options';
import { installed } from './installed';
import type { Workbench } from './servers';

let namespaces = 0;

/** Stores on a workbench: the tables are there, and each store has a namespace that no other has. */
export class StoreBench {
  readonly #bench: Workbench;

  constructor(bench: Workbench) {
    this.#bench = bench;
    installed(bench);
  }

  /** A store over a pool of its own. */
  open<Form extends NameForm = 'string'>(
    options: KeyValueStoreOptions<Form> = {},
    database: DatabaseOptions = {},
  ): KeyValueStore<Form> {
    const namespace = `n${namespaces++}`;
    return new KeyValueStore(this.#bench.open(database), {
      namespace,
      sweepInterval: 0,
      ...options,
    });
  }

  /** How many rows each table has. */
  async rows(): Promise<Record<string, number>> {
    const counted: Record<string, number> = {};
    for (const table of [
      'keys',
      'collections',
      'set_members',
      'sorted_set_members',
      'hash_fields',
    ]) {
      const sql = `SELECT COUNT(*) AS n FROM ${this.#bench.schema}.boomerang_store_${table}`;
      const [row] = await this.#bench.sql(sql);
      counted[table] = Number(row?.['n']);
    }
    return counted;
  }

  /** Nothing is left of what tests before have written. */
  async clear(): Promise<void> {
    for (const table of Object.keys(await this.rows())) {
      await this.#bench.sql(`DELETE FROM ${this.#bench.schema}.boomerang_store_${table}`);
    }
  }
}
