import type { PoolEntry } from './entry';

/** Who wants connections. */
export interface Demand {
  /** Callers that wait. */
  waiting(): number;
  /** Gives the connection to the longest waiter; false where nobody waits. */
  serve(entry: PoolEntry): boolean;
  /** The server refuses for good, and no connection is left to wait for. */
  refused(error: Error): void;
}
