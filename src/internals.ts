import { detached, enteringStorage } from './async-context';
import { settledWithin, systemClock } from './clock';
import { describe } from './errors';
import { callback, duration, flag, record, resolve, text, wholeNumber } from './option-rules';
import { isNotTaken } from './schema/syntax';

/**
 * What the entries beside the main one use of it, beyond what it exports to everybody: they hold no
 * second copy of anything. Not for users: it changes with any version.
 *
 * @internal
 */
export const internals = {
  detached,
  enteringStorage,
  systemClock,
  settledWithin,
  describe,
  isNotTaken,
  resolve,
  rules: { callback, duration, flag, record, text, wholeNumber },
} as const;
