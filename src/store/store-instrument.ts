import type { InstrumentOf } from '../metrics/instruments';
import type { SweepStats } from '../schema/sweeper';

/** A store as whoever operates the database sees it. */
export const STORE_INSTRUMENT: InstrumentOf<{ stats(): SweepStats }> = {
  kind: 'store',
  counters: ['swept'],
  snapshot: (store) => {
    const { swept, sweeping } = store.stats();
    return { swept, sweeping: Number(sweeping) };
  },
};
