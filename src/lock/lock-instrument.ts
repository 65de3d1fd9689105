import type { InstrumentOf, InstrumentRow } from '../metrics/instruments';
import type { LockHolder } from './lock-holder';

/** What locks show of themselves. */
export interface ShownLocks {
  stats(): { readonly held: number; readonly waiting: number; readonly names: number };
  list(): AsyncGenerator<LockHolder, void, undefined>;
}

/** Locks as whoever operates the database sees them: what this process holds, and all that are held. */
export const LOCK_INSTRUMENT: InstrumentOf<ShownLocks> = {
  kind: 'lock',
  snapshot: (locks) => {
    const { held, waiting } = locks.stats();
    return { held, waiting };
  },
  columns: {
    name: 'text',
    heldFor: 'duration',
    expiresIn: 'duration',
    host: 'text',
    pid: 'number',
  },
  async details(locks, limit) {
    const rows: InstrumentRow[] = [];
    if (limit === 0) return rows;
    for await (const { name, heldFor, expiresIn, host, pid } of locks.list()) {
      rows.push({ name, heldFor, expiresIn, host, pid });
      if (rows.length === limit) break;
    }
    return rows;
  },
};
