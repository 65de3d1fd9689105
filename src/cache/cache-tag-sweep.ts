import type { Clock } from '../clock';
import { TAG_BYTES, type Namespace } from './cache-key';
import type { WalkRow } from './cache-row';
import type { CacheTagTable } from './cache-tag-table';
import { tagIdsOf } from './entry';

/** Tags considered at a time. */
const MOST = 5000;
/**
 * For how long no entry may have been met that bears a tag, in ms. Some reads take an entry first and
 * its tags then: longer than one may be held up in between.
 */
const UNMET = 600_000;

/**
 * Removes the rows of tags that no entry bears any more. Without its row a tag is as one that was never
 * invalidated: no entry may be there that the row makes void. So the tags considered were invalidated
 * long ago, when all that was under way then has ended; and go after a whole walk through the namespace
 * that met no entry with them, void or not.
 */
export class CacheTagSweep {
  readonly #tags: CacheTagTable;
  readonly #namespace: Namespace;
  readonly #clock: Clock;
  /** Those considered that were not met yet; `undefined` before the first walk from the beginning. */
  #unmet: Map<string, Buffer> | undefined;
  #since = 0;
  /** The last tag that was considered. */
  #last: Buffer;

  constructor(tags: CacheTagTable, namespace: Namespace, clock: Clock) {
    this.#tags = tags;
    this.#namespace = namespace;
    this.#clock = clock;
    this.#last = namespace.firstTag;
  }

  /** The walk has met these. */
  met(rows: readonly WalkRow[]): void {
    if (this.#unmet === undefined || this.#unmet.size === 0) return;
    for (const { tags } of rows) {
      if (tags === null) continue;
      for (const id of tagIdsOf(tags, TAG_BYTES)) this.#unmet.delete(id.toString('latin1'));
    }
  }

  /** The walk has come to the end, and begins from the beginning. */
  async round(): Promise<void> {
    const now = this.#clock.now();
    if (this.#unmet !== undefined) {
      // A short one goes round again.
      if (now < this.#since + UNMET) return;
      await this.#tags.removeOld([...this.#unmet.values()]);
    }
    const page = await this.#tags.page(this.#last, this.#namespace.lastTag, MOST);
    const old = page.filter(({ old }) => Number(old) === 1);
    this.#unmet = new Map(old.map(({ id }) => [id.toString('latin1'), id]));
    this.#since = now;
    this.#last =
      page.length < MOST ? this.#namespace.firstTag : (page.at(-1)?.id ?? this.#namespace.firstTag);
  }
}
