import { randomBytes } from 'node:crypto';
import { Batcher } from '../batcher';
import type { RetryingPooledDatabase } from '../database';
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
/** Entries for which a look at the namespace costs more than it saves. */
const FEW = 6;
/** Values above this are written each by a statement of its own. */
const LARGE = 16 * 1024;
/** How long a deletion leaves a trace, in ms: longer than a transaction should be open. */
export const TRACE = 600_000;

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
    });
  }

  /** What an entry with these tags is made under, as the caller's transaction sees it. */
  async basis(tags: readonly Buffer[]): Promise<Basis> {
    return this.#basisOf(tags, await this.#tags.versions([this.#namespace.epochId, ...tags]));
  }

  /** The same for an entry that is written at once: asks only where it has to. */
  basisNow(tags: readonly Buffer[]): Basis | Promise<Basis> {
    // Inside a transaction the row of the namespace is not to be locked until COMMIT.
    if (tags.length > 0 || openFrame(this.#db) !== undefined) return this.basis(tags);
    return { epoch: undefined, tags, tagSum: 0 };
  }

  /** Several, by one look at all their tags. */
  async basesNow(lists: readonly (readonly Buffer[])[]): Promise<Basis[]> {
    const ids = new Map(lists.flat().map((id) => [id.toString('latin1'), id]));
    const versions = await this.#tags.versions([this.#namespace.epochId, ...ids.values()]);
    return lists.map((tags) => this.#basisOf(tags, versions));
  }

  async put(entry: Entry): Promise<void> {
    const { length } = entry.packed.bytes;
    await checkFits(this.#db, 'value', length);
    if (length > LARGE || holdsConnection(this.#db)) await this.#table.put([entry], newVersion());
    else await this.#puts.add(entry);
  }

  /** In as few statements as they fit into. */
  async putMany(entries: readonly Entry[]): Promise<void> {
    for (const { packed } of entries) await checkFits(this.#db, 'value', packed.bytes.length);
    for (const some of portions(lastOfEach(entries))) await this.#table.put(some, newVersion());
  }

  async bury(keys: readonly CacheKey[]): Promise<void> {
    const distinct = [...new Map(keys.map((key) => [key.name, key])).values()];
    for (let at = 0; at < distinct.length; at += MOST) {
      await this.#table.bury(distinct.slice(at, at + MOST), newVersion(), TRACE);
    }
  }

  #basisOf(tags: readonly Buffer[], versions: ReadonlyMap<string, number>): Basis {
    const epoch = versionOf(versions, this.#namespace.epochId);
    const tagSum = tags.reduce((sum, id) => sum + versionOf(versions, id), 0);
    return { epoch, tags, tagSum };
  }

  async #together(all: readonly Entry[]): Promise<void[]> {
    const last = lastOfEach(all);
    const entries = last.length < FEW ? last : await this.#withEpoch(last);
    await Promise.all(portions(entries).map((some) => this.#table.put(some, newVersion())));
    return all.map(() => undefined);
  }

  /** Reading the epoch once is cheaper than having each row look for it. */
  async #withEpoch(entries: readonly Entry[]): Promise<Entry[]> {
    const { epoch } = await this.basis([]);
    return entries.map((entry) => ({
      ...entry,
      basis: { ...entry.basis, epoch: entry.basis.epoch ?? epoch },
    }));
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
