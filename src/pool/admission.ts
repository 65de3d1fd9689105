import type { PoolEntry } from './entry';

/**
 * Several pools that share a bound on their connections: what a pool asks before it opens one, and
 * tells when one is gone. A pool that stands alone has none.
 */
export interface Admission {
  /**
   * Takes a place for a connection that is about to be opened. False where there is none now: the
   * pool is poked when it is its turn, and asks again.
   */
  enter(): boolean;
  /** Gives a place back: the session is over on the server, or was never had. */
  leave(): void;
  /** Whether a connection that has just become free is closed, because others wait for its place. */
  yields(entry: PoolEntry): boolean;
  /** Why no connection could be opened, as a sentence; `undefined` where it was not for want of a place. */
  readonly refusal: string | undefined;
}
