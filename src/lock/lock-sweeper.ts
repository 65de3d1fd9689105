import type { SweptBatch } from '../schema/sweeper';
import type { LockTable } from './lock-table';

/** Rows looked at, at a time. */
const BATCH = 500;
/** How long the deletion of one batch may take, in ms. */
const WITHIN = 1000;

/** Forgets names that nobody has locked for so long in ms, some with each call. */
export function forgetIdle(table: LockTable, idleAfter: number): () => Promise<SweptBatch> {
  let after: Buffer = Buffer.alloc(0);
  return async () => {
    const { last, idle } = await table.idle(after, idleAfter, BATCH);
    after = last ?? Buffer.alloc(0);
    const removed = idle.length === 0 ? 0 : await table.sweep(idle, idleAfter, WITHIN);
    return { removed, more: last !== undefined };
  };
}
