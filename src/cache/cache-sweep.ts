import type { SweptBatch } from '../schema/sweeper';
import type { Namespace } from './cache-key';
import type { WalkRow } from './cache-row';
import type { CacheRows } from './cache-rows';
import { versionOf, type CacheTagTable } from './cache-tag-table';
import type { EntryReader } from './entry-reader';

/** Rows removed, or looked at, at a time. */
const BATCH = 500;

/**
 * Removes entries whose time is over, some with each call; and walks through the namespace, a page
 * with each call, for those that an invalidation made void before their time.
 */
export class CacheSweep {
  readonly #table: CacheRows;
  readonly #tags: CacheTagTable;
  readonly #reader: EntryReader;
  readonly #namespace: Namespace;
  #from: Buffer;

  constructor(table: CacheRows, tags: CacheTagTable, reader: EntryReader, namespace: Namespace) {
    this.#table = table;
    this.#tags = tags;
    this.#reader = reader;
    this.#namespace = namespace;
    // Several processes do not walk in step.
    this.#from = namespace.at(Math.random());
  }

  async batch(): Promise<SweptBatch> {
    const gone = await this.#table.gone(BATCH);
    const removed = gone.length === 0 ? 0 : await this.#table.removeGone(gone);
    // Where none could be removed somebody else is at it, or makes their values anew.
    if (gone.length === BATCH) return { removed, more: removed > 0 };
    const voided = await this.#walk();
    return { removed: removed + voided, more: voided > 0 };
  }

  async #walk(): Promise<number> {
    const { epochId } = this.#namespace;
    const rows = await this.#page();
    if (rows.length === 0) return 0;
    const epoch = versionOf(await this.#tags.versions([epochId]), epochId);
    const voids = await this.#reader.voids(rows);
    const doomed = rows.filter((row) => Number(row.epoch) !== epoch || voids.has(row));
    return doomed.length === 0 ? 0 : this.#table.remove(doomed);
  }

  /** The next rows, on from the beginning after the end: all there are, where one page holds them. */
  async #page(): Promise<WalkRow[]> {
    const { first, beyond } = this.#namespace;
    const from = this.#from;
    const rows = await this.#table.walk(from, beyond, BATCH);
    if (rows.length < BATCH)
      rows.push(...(await this.#table.walk(first, from, BATCH - rows.length)));
    this.#from = rows.at(-1)?.id ?? first;
    return rows;
  }
}
