import type { Clock } from '../clock';
import type { SweptBatch } from '../schema/sweeper';
import type { Namespace } from './cache-key';
import type { WalkRow } from './cache-row';
import type { CacheRows } from './cache-rows';
import { CacheTagSweep } from './cache-tag-sweep';
import { versionOf, type CacheTagTable } from './cache-tag-table';
import type { EntryReader } from './entry-reader';

/** Rows removed, or looked at, at a time. */
const BATCH = 500;

/**
 * Removes entries whose time is over, some with each call; and walks through the namespace, a page
 * with each call, for those that an invalidation made void before their time, and for tags that none has.
 */
export class CacheSweep {
  readonly #table: CacheRows;
  readonly #tags: CacheTagTable;
  readonly #tagSweep: CacheTagSweep;
  readonly #reader: EntryReader;
  readonly #namespace: Namespace;
  #from: Buffer;

  constructor(
    table: CacheRows,
    tags: CacheTagTable,
    reader: EntryReader,
    namespace: Namespace,
    clock: Clock,
  ) {
    this.#table = table;
    this.#tags = tags;
    this.#tagSweep = new CacheTagSweep(tags, namespace, clock);
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

  /** The next page, on from the beginning after the end: all there is, where one page holds it. */
  async #walk(): Promise<number> {
    const { first, beyond } = this.#namespace;
    const from = this.#from;
    const rows = await this.#table.walk(from, beyond, BATCH);
    this.#from = rows.at(-1)?.id ?? first;
    const removed = await this.#look(rows);
    if (rows.length === BATCH) return removed;
    await this.#tagSweep.round();
    const others = await this.#table.walk(first, from, BATCH - rows.length);
    this.#from = others.at(-1)?.id ?? first;
    return removed + (await this.#look(others));
  }

  /** Removes the void ones of these. */
  async #look(rows: readonly WalkRow[]): Promise<number> {
    if (rows.length === 0) return 0;
    this.#tagSweep.met(rows);
    const { epochId } = this.#namespace;
    const epoch = versionOf(await this.#tags.versions([epochId]), epochId);
    const voids = await this.#reader.voids(rows);
    const doomed = rows.filter((row) => Number(row.epoch) !== epoch || voids.has(row));
    return doomed.length === 0 ? 0 : this.#table.remove(doomed);
  }
}
