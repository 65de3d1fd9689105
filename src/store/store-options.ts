import { InvalidArgumentError, checkOptionNames, describe } from '../errors';
import { duration, flag, oneOf, resolve } from '../option-rules';
import { checkPrefix } from '../schema/table-prefix';
import { toBytes } from '../values/bytes';
import type { Serializer } from '../values/codec';

/** How keys, members and fields come back. */
export type NameForm = 'string' | 'buffer';

/** A key, member or field as it comes back. */
export type NameOf<Form extends NameForm> = Form extends 'buffer' ? Buffer : string;

/** A key, member or field as it is given: a string is its UTF-8. */
export type NameLike = string | Uint8Array;

export interface KeyValueStoreOptions<Form extends NameForm = 'string'> {
  /** Begins the name of the tables. @default 'boomerang_' */
  readonly prefix?: string;
  /** Keeps the keys of this store apart from others in the same tables; at most 64 bytes. @default '' */
  readonly namespace?: string;
  /** Turns values into bytes and back, in place of the library's own ways. */
  readonly serializer?: Serializer;
  /**
   * How keys, members and fields come back: as strings, and then members and fields have to be
   * valid UTF-8, or as Buffers, whatever they hold. @default 'string'
   */
  readonly names?: Form;
  /** Creates the tables where they are missing. @default false */
  readonly autoInstall?: boolean;
  /** How often expired and abandoned rows are looked for at most, in ms; 0 never by itself. @default 60000 */
  readonly sweepInterval?: number;
}

/** How long a key lives. */
export interface ExpiryOptions {
  /** In ms, by the server's clock; to the microsecond. @default for ever */
  readonly ttl?: number;
}

const LONGEST_NAMESPACE = 64;
/** A hundred years in ms: what is farther would leave what the server's dates can hold. */
const LONGEST_TTL = 100 * 365.25 * 86_400_000;

const DEFAULTS = { names: 'string' as NameForm, autoInstall: false, sweepInterval: 60_000 };
const RULES = { names: oneOf('string', 'buffer'), autoInstall: flag, sweepInterval: duration };

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveStoreOptions({
  prefix,
  namespace = '',
  serializer,
  ...rest
}: KeyValueStoreOptions<NameForm>) {
  return {
    ...resolve(rest, RULES, DEFAULTS),
    serializer,
    prefix: checkPrefix(prefix),
    namespace: toBytes('namespace', namespace, { longest: LONGEST_NAMESPACE }),
  };
}

/** Microseconds of a time in ms. @throws {InvalidArgumentError} for what is none. */
export function microsOf(argument: string, ms: unknown): number {
  if (typeof ms === 'number' && Math.abs(ms) <= LONGEST_TTL) return Math.round(ms * 1000);
  const rule = `must be a number of milliseconds of a hundred years at most, got ${describe(ms)}`;
  throw new InvalidArgumentError(argument, rule);
}

/** The microseconds that a key is to live; `null` for ever. @throws {InvalidArgumentError} */
export function lifetimeOf(options: ExpiryOptions): number | null {
  checkOptionNames('options', options, ['ttl']);
  const { ttl } = options;
  if (ttl === undefined) return null;
  const micros = microsOf('ttl', ttl);
  if (micros > 0) return micros;
  throw new InvalidArgumentError('ttl', 'must be above 0: delete() ends a key now');
}

/** @throws {InvalidArgumentError} naming the argument, for what is no whole number from `least` on. */
export function checkWhole(
  argument: string,
  value: unknown,
  least = Number.MIN_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  const bound = least === Number.MIN_SAFE_INTEGER ? '' : `, ${least} or more`;
  const rule = `must be a whole number${bound}, got ${describe(value)}`;
  throw new InvalidArgumentError(argument, rule);
}
