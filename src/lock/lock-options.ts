import { InvalidArgumentError, checkOptionNames, describe } from '../errors';
import { checkBounds } from '../limit';
import { duration, flag, resolve } from '../option-rules';
import { checkPrefix } from '../schema/table-prefix';
import { holderNote } from './lock-holder';

/** Longer than any lock should be held, and as long as a timer can be. */
const LONGEST_TTL = 2 ** 31 - 1;

/** What the table has room for, beside host and process. */
const LONGEST_META = 400;

export interface LockOptions {
  /**
   * How long in ms the lock holds without a renewal: after so long others get it from a process
   * that died. It is renewed at a third of it. @default 30000
   */
  readonly ttl?: number;
  /** What others see in `list()`, as JSON of at most 400 bytes. */
  readonly meta?: unknown;
}

export interface AcquireLockOptions extends LockOptions {
  /** How long to wait for it in ms; 0 tries once. @default 10000 */
  readonly wait?: number;
  /** Ends the waiting: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ResolvedLockOptions {
  readonly ttl: number;
  readonly wait: number;
  readonly signal: AbortSignal | undefined;
  /** Who holds it, as the table keeps it. */
  readonly note: Buffer;
}

/** @throws {InvalidArgumentError} for what is no time, in ms, that a lock can be held. */
export function checkTtl(ttl: unknown): number {
  if (typeof ttl === 'number' && ttl > 0 && ttl <= LONGEST_TTL) return ttl;
  const rule = `must be a number of milliseconds above 0, ${LONGEST_TTL} at most, got ${describe(ttl)}`;
  throw new InvalidArgumentError('ttl', rule);
}

/** @throws {InvalidArgumentError} naming the option and the rule. */
export function resolveLockOptions(
  options: AcquireLockOptions,
  defaults: { readonly ttl: number; readonly wait: number },
): ResolvedLockOptions {
  checkOptionNames('options', options, ['ttl', 'wait', 'signal', 'meta']);
  const { ttl = defaults.ttl, wait = defaults.wait, signal, meta } = options;
  checkTtl(ttl);
  if (!(typeof wait === 'number' && wait >= 0)) {
    const rule = `must be a number of milliseconds, 0 or more, got ${describe(wait)}`;
    throw new InvalidArgumentError('wait', rule);
  }
  checkBounds(options);
  checkMeta(meta);
  return { ttl, wait, signal, note: holderNote(meta) };
}

function checkMeta(meta: unknown): void {
  if (meta === undefined) return;
  let text: string | undefined;
  try {
    text = JSON.stringify(meta);
  } catch (cause) {
    throw new InvalidArgumentError('meta', 'cannot be written as JSON', { cause });
  }
  if (text === undefined) throw new InvalidArgumentError('meta', 'cannot be written as JSON');
  const bytes = Buffer.byteLength(text);
  if (bytes <= LONGEST_META) return;
  const rule = `must have at most ${LONGEST_META} bytes as JSON, has ${bytes}`;
  throw new InvalidArgumentError('meta', rule);
}

export interface DistributedLocksOptions {
  /** Begins the name of the table. @default 'boomerang_' */
  readonly prefix?: string;
  /** Creates the table where it is missing. @default false */
  readonly autoInstall?: boolean;
  /** The default of {@link LockOptions.ttl}, in ms. @default 30000 */
  readonly ttl?: number;
  /** The default of {@link AcquireLockOptions.wait}, in ms. @default 10000 */
  readonly wait?: number;
  /** About how often a lock that another process holds is looked at while it is waited for, in ms. @default 50 */
  readonly pollInterval?: number;
  /** After how long a name that nobody locks is forgotten, in ms; 0 keeps all. @default 86400000 */
  readonly idleAfter?: number;
}

const DEFAULTS = {
  autoInstall: false,
  ttl: 30_000,
  wait: 10_000,
  pollInterval: 50,
  idleAfter: 86_400_000,
};
const RULES = {
  autoInstall: flag,
  ttl: duration,
  wait: duration,
  pollInterval: duration,
  idleAfter: duration,
};

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveLocksOptions({ prefix, ...rest }: DistributedLocksOptions) {
  const resolved = resolve(rest, RULES, DEFAULTS);
  checkTtl(resolved.ttl);
  return { ...resolved, prefix: checkPrefix(prefix) };
}
