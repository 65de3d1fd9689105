import { types } from 'node:util';
import type { Circumstances } from '../driver/classify';

const known = new WeakMap<Error, Circumstances>();

/**
 * Keeps what was known when a statement failed, for whoever meets its error further up: an error of
 * the caller's own may bear the same code, and says nothing of a database.
 */
export function noteFailure(error: unknown, circumstances: Circumstances): void {
  if (types.isNativeError(error)) known.set(error, circumstances);
}

/** What was known of the statement that failed with this error; `undefined` where none did. */
export function circumstancesOf(error: Error): Circumstances | undefined {
  return known.get(error);
}
