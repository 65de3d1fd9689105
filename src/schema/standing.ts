import type { RetryingPooledDatabase } from '../database';
import { partsOf } from '../pooled-database';
import { currentContext } from '../scope/context';
import type { Frame } from '../transaction/frame';
import { currentFrame } from '../transaction/transaction-block';

/** The transaction block of this database that the caller stands in, if one is open. */
export function openFrame(db: RetryingPooledDatabase): Frame | undefined {
  const frame = currentFrame(partsOf(db).pool);
  return frame?.isOver === false ? frame : undefined;
}

/**
 * Whether the caller's scope holds a connection of this database. Work of several callers is done
 * together only for those who hold none: or the library would wait for what its callers keep.
 */
export function holdsConnection(db: RetryingPooledDatabase): boolean {
  const { pool } = partsOf(db);
  if (currentFrame(pool) !== undefined) return true;
  return currentContext()?.scope?.root()?.slotOf(pool)?.holdsLease === true;
}
