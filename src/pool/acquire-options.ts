import type { Limit } from '../limit';
import type { Owner } from './entry';

/** How a connection is asked for. */
export interface AcquireOptions {
  /** Rejects the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects the wait with the limit's error, of which the shortage is the cause. */
  readonly limit?: Limit | undefined;
  /** The longest wait in ms instead of `acquireTimeout`. */
  readonly within?: number | undefined;
  /** Who asks, for leak reports. */
  readonly owner?: Owner | undefined;
  /** Fails at once where only somebody else's return could serve this acquire. */
  readonly orFail?: boolean | undefined;
  /** Replaces the advice in the error text where the caller knows better why nothing came. */
  readonly hint?: (() => string | undefined) | undefined;
}
