import { randomBytes } from 'node:crypto';
import { Batcher } from '../batcher';
import type { RetryingPooledDatabase } from '../database';
import { explain } from '../driver/explain';
import { holdsConnection, openFrame } from '../schema/standing';
import { checkFits } from '../values/packet';
import type { CacheKey, Namespace } from './cache-key';
import type { CacheRows } from './cache-rows';
import { versionOf, type CacheTagTable } from './cache-tag-table';
import type { Basis, Entry } from './entry';

/** Entries in one statement at most, and bytes of values in it; every server takes so much. */
const MOST = 128;
const MOST_BYTES = 256 * 1024;
const AT_ONCE = 1;
/** In ms: what waits for a transaction's lock does not hold up other keys for longer. */
const PATIENCE = 50;
/** Values above this are written each by a statement of its own. */
const LARGE = 16 * 1024;
/** How long a deletion leaves a trace, in ms: longer than a transaction should be open. */
export const TRACE = 600_000;

/** Of an entry without tags: the epoch is what it is when it is written. */
const UNASKED: Basis = Object.freeze({ epoch: undefined, tags: [], tagSum: 0 });

const VERSION_BYTES = 8;
let reserve = Buffer.alloc(0);

/** Random, one per change of a value: two never bear the same. */
export function newVersion(): Buffer {
  // A call for each would cost more than the rest of preparing a write.
  if (reserve.length === 0) reserve = randomBytes(VERSION_BYTES * 512);
  const version = reserve.subarray(0, VERSION_BYTES);
  reserve = reserve.subarray(VERSION_BYTES);
  return version;
}

/** Writes entries: together what callers who hold no connection write at the same time. */
export class EntryWriter {
  readonly #db: RetryingPooledDatabase;
  readonly #table: CacheRows;
  readonly #tags: CacheTagTable;
  readonly #namespace: Namespace;
  readonly #puts: Batcher<Entry, void>;
  /** Of the namespace, as the last write found it. */
  #epoch = 0;

  constructor(
    db: RetryingPooledDatabase,
    table: CacheRows,
    tags: CacheTagTable,
    namespace: Namespace,
  ) {
    this.#db = db;
    this.#table = table;
    this.#tags = tags;
    this.#namespace = namespace;
    this.#puts = new Batcher({
      run: (entries) => this.#together(entries),
      most: MOST,
      atOnce: AT_ONCE,
      patience: PATIENCE,
    });
  }

  /** What an entry with these tags is made under, as the caller's transaction sees it. */
  async basis(tags: readonly Buffer[]): Promise<Basis> {
    return this.#basisOf(tags, await this.#tags.versions([this.#namespace.epochId, ...tags]));
  }

  /** The same for an entry that is written at once: asks only where it has to. */
  basisNow(tags: readonly Buffer[]): Basis | Promise<Basis> {
    return this.#hasToAsk(tags) ? this.basis(tags) : UNASKED;
  }

  /** Several, by one look at all their tags. */
  async basesNow(lists: readonly (readonly Buffer[])[]): Promise<Basis[]> {
    if (!lists.some((tags) => this.#hasToAsk(tags))) return lists.map(() => UNASKED);
    const ids = new Map(lists.flat().map((id) => [id.toString('latin1'), id]));
    const versions = await this.#tags.versions([this.#namespace.epochId, ...ids.values()]);
    return lists.map((tags) => this.#basisOf(tags, versions));
  }

  async put(entry: Entry): Promise<void> {
    const { length } = entry.packed.bytes;
    await checkFits(this.#db, 'value', length);
    if (length > LARGE || holdsConnection(this.#db)) await this.#put([entry]);
    else await this.#puts.add(entry);
  }

  /** In as few statements as they fit into. */
  async putMany(entries: readonly Entry[]): Promise<void> {
    for (const { packed } of entries) await checkFits(this.#db, 'value', packed.bytes.length);
    for (const some of portions(lastOfEach(entries))) await this.#put(some);
  }

  /** Of keys that are distinct. */
  async bury(keys: readonly CacheKey[]): Promise<void> {
    for (let at = 0; at < keys.length; at += MOST) {
      await this.#table.bury(keys.slice(at, at + MOST), newVersion(), TRACE);
    }
  }

  #hasToAsk(tags: readonly Buffer[]): boolean {
    // Inside a transaction the row of the namespace is not to be locked until COMMIT.
    return tags.length > 0 || openFrame(this.#db) !== undefined;
  }

  #basisOf(tags: readonly Buffer[], versions: ReadonlyMap<string, number>): Basis {
    const epoch = versionOf(versions, this.#namespace.epochId);
    const tagSum = tags.reduce((sum, id) => sum + versionOf(versions, id), 0);
    return { epoch, tags, tagSum };
  }

  async #together(all: readonly Entry[]): Promise<(void | Promise<void>)[]> {
    const alone = new Map<string, Promise<void>>();
    await Promise.all(
      portions(lastOfEach(all)).map((some) =>
        this.#put(some).catch((error: unknown) => {
          if (some.length === 1 || explain(error).name !== 'lock wait') throw error;
          // Which of them is locked is not said: whose it is fails, and nobody else.
          for (const entry of some) {
            const stored = this.#put([entry]);
            stored.catch(() => {});
            alone.set(entry.key.name, stored);
          }
        }),
      ),
    );
    return all.map(({ key }) => alone.get(key.name));
  }

  /**
   * Entries without an epoch are written under the one that the last write found. The statement says
   * whether it still counts: that is cheaper than to look first, and seldom has to be done again.
   */
  async #put(entries: readonly Entry[]): Promise<void> {
    let some = entries;
    while (some.length > 0) {
      const epoch = this.#epoch;
      const now = await this.#table.put(some, newVersion(), epoch);
      if (now === epoch) return;
      this.#epoch = now;
      some = some.filter(({ basis }) => basis.epoch === undefined);
    }
  }
}

/** Of several for one key the last one counts. */
function lastOfEach(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [entry.key.name, entry])).values()];
}

function portions(entries: readonly Entry[]): Entry[][] {
  const all: Entry[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const { length } = entry.packed.bytes;
    const last = all.at(-1);
    bytes += length;
    if (last === undefined || bytes > MOST_BYTES || last.length >= MOST) {
      all.push([entry]);
      bytes = length;
    } else {
      last.push(entry);
    }
  }
  return all;
}
