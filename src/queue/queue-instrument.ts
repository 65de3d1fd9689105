import type { InstrumentOf, InstrumentRow } from '../metrics/instruments';
import type { StreamGroups } from './inspection';
import type { QueueInfo } from './queue-info';

/** What a queue shows of itself. */
export interface ShownQueue {
  /** What it runs in this process. */
  running(): { readonly workers: number; readonly schedules: number };
  streams(): Promise<readonly StreamGroups[]>;
  info(stream: string, group: string): Promise<QueueInfo>;
}

/** A queue as whoever operates the database sees it: how far each group is behind. */
export const QUEUE_INSTRUMENT: InstrumentOf<ShownQueue> = {
  kind: 'queue',
  snapshot: (queue) => ({ ...queue.running() }),
  columns: {
    stream: 'text',
    group: 'text',
    lag: 'number',
    pending: 'number',
    dead: 'number',
    oldest: 'duration',
  },
  async details(queue, limit) {
    const rows: InstrumentRow[] = [];
    for (const { stream, groups } of await queue.streams()) {
      for (const group of groups.slice(0, limit - rows.length)) {
        const { lag, pending, dead, oldest } = await queue.info(stream, group);
        rows.push({ stream, group, lag, pending, dead, oldest });
      }
      if (rows.length >= limit) break;
    }
    return rows;
  },
};
