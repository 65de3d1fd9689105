import type { ResultHeader } from '../driver/statement';
import type { SweptBatch } from '../schema/sweeper';
import { KeyKind } from './key-kind';
import type { StoreTables } from './store-tables';

/** Expired keys, or members, removed at a time. */
const BATCH = 500;
/** Collections looked at, at a time. */
const PAGE = 200;

interface Collection {
  readonly version: Buffer;
  readonly kind: number;
  readonly abandoned: number | string;
}

/**
 * Removes what nobody sees any more, a batch with each call: the rows of expired keys, then, walking
 * through the collections, the members of those whose key is gone.
 */
export class StoreSweeper {
  readonly #tables: StoreTables;
  readonly #abandoned: Collection[] = [];
  #after: Buffer = Buffer.alloc(0);

  constructor(tables: StoreTables) {
    this.#tables = tables;
  }

  async batch(): Promise<SweptBatch> {
    const [collection] = this.#abandoned;
    if (collection !== undefined) return this.#removeMembers(collection);
    const expired = await this.#removeExpired();
    if (expired === BATCH) return { removed: expired, more: true };
    const isLast = await this.#look();
    return { removed: expired, more: !isLast || this.#abandoned.length > 0 };
  }

  async #removeExpired(): Promise<number> {
    const { expired, sweep } = this.#tables.keys;
    const rows = await this.#tables.aside<{ id: Buffer }[]>(expired, [String(BATCH)]);
    if (rows.length === 0) return 0;
    const ids = rows.map(({ id }) => id).sort((a, b) => Buffer.compare(a, b));
    await this.#tables.aside<ResultHeader>(sweep(ids.length), ids);
    return rows.length;
  }

  /** The next page of collections. True where it was the last. */
  async #look(): Promise<boolean> {
    const { page } = this.#tables.collections;
    const rows = await this.#tables.aside<Collection[]>(page, [this.#after, String(PAGE)]);
    this.#abandoned.push(...rows.filter(({ abandoned }) => Number(abandoned) === 1));
    const last = rows.length < PAGE ? undefined : rows.at(-1)?.version;
    this.#after = last ?? Buffer.alloc(0);
    return last === undefined;
  }

  async #removeMembers({ version, kind }: Collection): Promise<SweptBatch> {
    const { sets, sortedSets, hashes, collections } = this.#tables;
    const { sweep } =
      kind === KeyKind.set ? sets : kind === KeyKind.sortedSet ? sortedSets : hashes;
    const { affectedRows } = await this.#tables.aside<ResultHeader>(sweep, [
      version,
      String(BATCH),
    ]);
    if (affectedRows < BATCH) {
      await this.#tables.aside<ResultHeader>(collections.forget, [version]);
      this.#abandoned.shift();
    }
    return { removed: affectedRows, more: true };
  }
}
