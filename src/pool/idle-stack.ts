import type { PoolEntry } from './entry';
import { LinkedList } from './linked-list';

/**
 * The idle connections. The last one returned is lent first, so that those the load does not need
 * stay at the bottom and rest.
 */
export class IdleStack {
  readonly #entries = new LinkedList<PoolEntry>();

  get size(): number {
    return this.#entries.size;
  }

  /** The one that would be lent next. */
  get top(): PoolEntry | undefined {
    return this.#entries.last;
  }

  push(entry: PoolEntry): void {
    this.#entries.append(entry.place);
  }

  pop(): PoolEntry | undefined {
    return this.#entries.takeLast();
  }

  /** False where it is not idle. */
  remove(entry: PoolEntry): boolean {
    return this.#entries.remove(entry.place);
  }

  /** All, the longest unused first; the one at hand may be removed. */
  *bottomUp(): Generator<PoolEntry> {
    for (let node = this.#entries.firstNode; node !== undefined;) {
      const { next, value } = node;
      yield value;
      node = next;
    }
  }

  /** Takes all out. */
  drain(): PoolEntry[] {
    const all = [...this.bottomUp()];
    for (const entry of all) this.remove(entry);
    return all;
  }
}
