import type { InstrumentOf } from '../metrics/instruments';
import type { CacheStats } from './cache-stats';

/** A cache as whoever operates the database sees it: what this process has asked of it. */
export const CACHE_INSTRUMENT: InstrumentOf<{ stats(): CacheStats }> = {
  kind: 'cache',
  counters: [
    ...['hits', 'misses', 'memoryHits', 'stale', 'fills', 'refused', 'failures'],
    ...['writes', 'deletes', 'errors', 'swept', 'evicted'],
  ],
  snapshot: (cache) => ({ ...cache.stats() }),
};
