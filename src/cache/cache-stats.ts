/** Counts of this cache object since it was made. */
export interface CacheStats {
  /** Reads that found a value, those from memory included. */
  readonly hits: number;
  readonly misses: number;
  /** Of the hits: by this process's memory. */
  readonly memoryHits: number;
  /** Of the hits: values that were served beyond their time. */
  readonly stale: number;
  /** Values that a factory made here. */
  readonly fills: number;
  /** Of those: not stored, since they were overtaken by a deletion, an invalidation or another value. */
  readonly refused: number;
  /** Factories that failed or took too long. */
  readonly failures: number;
  /** Values that were written. */
  readonly writes: number;
  readonly deletes: number;
  /** Statements that failed without an error of the call. */
  readonly errors: number;
  /** Entries removed since their time was over, or since they were invalidated. */
  readonly swept: number;
  /** Entries removed to keep within `maxEntries` and `maxBytes`. */
  readonly evicted: number;
}

export type CacheCounters = { -readonly [Name in keyof Omit<CacheStats, 'swept'>]: number };

export function newCounters(): CacheCounters {
  return {
    hits: 0,
    misses: 0,
    memoryHits: 0,
    stale: 0,
    fills: 0,
    refused: 0,
    failures: 0,
    writes: 0,
    deletes: 0,
    errors: 0,
    evicted: 0,
  };
}
