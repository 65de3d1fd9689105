import { ConfigurationError, describe } from '../errors';

export const DEFAULT_PREFIX = 'boomerang_';

/** @throws {ConfigurationError} for what is not fit to begin a table's name; it is never quoted into SQL. */
export function checkPrefix(prefix: unknown): string {
  if (prefix === undefined) return DEFAULT_PREFIX;
  if (typeof prefix === 'string' && /^[A-Za-z0-9_]{0,32}$/.test(prefix)) return prefix;
  throw new ConfigurationError(
    'prefix',
    `must be up to 32 letters, digits and underscores, got ${describe(prefix)}`,
  );
}
