import type { Versions } from './cache-tag-table';
import type { CacheKey } from './cache-key';

/** A value as rows and memory keep it. */
export interface Packed {
  /** What the bytes mean, and whether they are compressed. */
  readonly kind: number;
  readonly bytes: Buffer;
}

/** A value that is found and counts. */
export interface Found extends Packed {
  /** For how long it does, in ms. */
  readonly freshFor: number;
}

/** All of an entry that decides what is to be done about it. */
export interface Look {
  /** Changes with every change of the value; `null` where there is no row. */
  readonly version: Buffer | null;
  /** Absent where there is none, or it was invalidated. */
  readonly packed: Packed | undefined;
  /** In ms; below 0 it is stale. */
  readonly freshFor: number;
  /** In ms; below 0 it is not to be served, stale or not. */
  readonly servableFor: number;
  /** How long it took to make, in ms. */
  readonly cost: number;
  /** How long somebody else may still be making it, in ms; 0 where nobody is. */
  readonly fillingFor: number;
}

export const NOTHING: Look = Object.freeze({
  version: null,
  packed: undefined,
  freshFor: -1,
  servableFor: -1,
  cost: 0,
  fillingFor: 0,
});

/** What an entry is made under: invalidating any of it makes the entry void. */
export interface Basis {
  /** Of the namespace. `undefined`: the one that counts when it is written. */
  readonly epoch: number | undefined;
  readonly tags: readonly Buffer[];
  /** The sum of the tags' versions: since each only grows, it is the same as long as all are. */
  readonly tagSum: number;
}

/** An entry to be written. */
export interface Entry {
  readonly key: CacheKey;
  readonly packed: Packed;
  readonly basis: Basis;
  /** In ms. */
  readonly ttl: number;
  readonly grace: number;
}

/** An entry's tags as its row has them, and whether they still count. */
export function tagsCount(tags: Buffer, sum: number, versions: Versions, size: number): boolean {
  let now = 0;
  for (let at = 0; at < tags.length; at += size) {
    now += versions.get(tags.toString('latin1', at, at + size)) ?? 0;
  }
  return now === sum;
}

export function tagIdsOf(tags: Buffer, size: number): Buffer[] {
  return Array.from({ length: tags.length / size }, (_, at) =>
    tags.subarray(at * size, (at + 1) * size),
  );
}
