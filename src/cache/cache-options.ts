import { ConfigurationError, InvalidArgumentError, checkOptionNames, describe } from '../errors';
import {
  duration,
  either,
  flag,
  listOf,
  oneOf,
  record,
  resolve,
  text,
  wholeNumber,
  type Rule,
} from '../option-rules';
import { checkPrefix } from '../schema/table-prefix';
import type { Serializer } from '../values/codec';
import { MOST_TAGS } from './cache-table';

/** How an entry is written. */
export interface SetOptions {
  /** How long in ms the value is fresh; 0 is for ever. @default 0 */
  readonly ttl?: number;
  /** How long in ms beyond `ttl` it may be served while a new one is made, or cannot be. @default 0 */
  readonly grace?: number;
  /** What the value depends on, 16 at most: `invalidateTag` of any of them makes it void. @default [] */
  readonly tags?: readonly string[];
  /** Compresses the value, if that makes it smaller. @default false */
  readonly compress?: boolean | CompressOptions;
}

export interface CompressOptions {
  /** Values of fewer bytes are left as they are. @default 1024 */
  readonly above?: number;
}

/** How a value is had where there is none. */
export interface GetOrSetOptions extends SetOptions {
  /**
   * How long in ms the factory, and the right to run it, may take before a stale value is served in its
   * place, where there is one; it goes on, and its value is stored. 0 waits for it. @default 0
   */
  readonly timeout?: number;
  /**
   * How long in ms the call may take, waiting for the database and for another process included. Then
   * a stale value is served, or where there is none it rejects with {@link FactoryTimeoutError}; and
   * others may take over from this process. 0 is no limit. @default 0
   */
  readonly hardTimeout?: number;
  /**
   * Makes a new value before the old one has ended, with a probability that grows towards its end and
   * with what it cost (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache
   * Stampede Prevention", 2015). 1 is the usual weight, 0 off. @default 0
   */
  readonly earlyRefresh?: number;
  /**
   * For how long in ms this process alone may make the value, unless it says that it is still at it:
   * after so long others take over from one that died. @default 10000
   */
  readonly fillLease?: number;
}

export interface MemoryOptions {
  /** Entries at most. @default 1000 */
  readonly max?: number;
  /** Bytes of values at most. @default 16777216 */
  readonly maxBytes?: number;
  /** How long in ms a change by another process may go unseen here. @default 1000 */
  readonly ttl?: number;
}

export interface CacheOptions extends GetOrSetOptions {
  /** Begins the names of the tables. @default 'boomerang_' */
  readonly prefix?: string;
  /** What is cleared by itself: caches of one namespace are the same cache. @default '' */
  readonly namespace?: string;
  /** Creates the tables where they are missing. @default false */
  readonly autoInstall?: boolean;
  /** In place of the library's own ways of writing values. */
  readonly serializer?: Serializer;
  /** Keeps values in this process's memory as well. @default false */
  readonly l1?: boolean | MemoryOptions;
  /** Entries of the namespace at most, about; those that were written longest ago go. 0 is no limit. @default 0 */
  readonly maxEntries?: number;
  /** Bytes of keys and values at most, about. 0 is no limit. @default 0 */
  readonly maxBytes?: number;
  /**
   * What becomes of a read that the database does not answer: an error of the call, or a miss, which
   * is counted and logged. Inside a transaction it is always an error. @default 'throw'
   */
  readonly onError?: 'throw' | 'miss';
  /** Of each statement of the cache, in ms, waiting for a connection included; 0 is the database's. @default 0 */
  readonly statementTimeout?: number;
  /** How often at most, in ms, entries whose time is over are looked for; 0 never by itself. @default 10000 */
  readonly sweepEvery?: number;
}

const DEFAULTS = {
  ttl: 0,
  grace: 0,
  tags: [] as readonly string[],
  compress: false as boolean | CompressOptions,
  timeout: 0,
  hardTimeout: 0,
  earlyRefresh: 0,
  fillLease: 10_000,
};

const MEMORY_DEFAULTS = { max: 1000, maxBytes: 16 * 1024 * 1024, ttl: 1000 };

const OWN_DEFAULTS = {
  autoInstall: false,
  serializer: undefined as Serializer | undefined,
  l1: false as boolean | MemoryOptions,
  maxEntries: 0,
  maxBytes: 0,
  onError: 'throw' as 'throw' | 'miss',
  statementTimeout: 0,
  sweepEvery: 10_000,
};

const positive: Rule = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value > 0
    ? undefined
    : `must be a number of milliseconds above 0, got ${describe(value)}`;

const weight: Rule = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? undefined
    : `must be a number, 0 or more, got ${describe(value)}`;

const tagList: Rule = (value) =>
  listOf(text)(value) ??
  ((value as unknown[]).length > MOST_TAGS
    ? `must have at most ${MOST_TAGS} tags, has ${(value as unknown[]).length}`
    : undefined);

/** What stands for ever; no time may be longer. */
export const FOR_EVER = 200 * 365 * 86_400_000;

const lifetime: Rule = (value) =>
  duration(value) ?? ((value as number) > FOR_EVER ? `must be at most ${FOR_EVER} ms` : undefined);

const SET_RULES = {
  ttl: lifetime,
  grace: lifetime,
  tags: tagList,
  compress: either(flag, record),
};

const RULES = {
  ...SET_RULES,
  timeout: duration,
  hardTimeout: duration,
  earlyRefresh: weight,
  fillLease: positive,
};

const OWN_RULES = {
  autoInstall: flag,
  serializer: record,
  l1: either(flag, record),
  maxEntries: wholeNumber(0),
  maxBytes: wholeNumber(0),
  onError: oneOf('throw', 'miss'),
  statementTimeout: duration,
  sweepEvery: duration,
};

const MEMORY_RULES = { max: wholeNumber(1), maxBytes: wholeNumber(1), ttl: positive };
const COMPRESS_RULES = { above: wholeNumber(0) };
const COMPRESS_DEFAULTS = { above: 1024 };

/** How a call is to be done, with nothing left open. */
export interface Terms {
  readonly ttl: number;
  readonly grace: number;
  readonly tags: readonly string[];
  /** From how many bytes on values are compressed. */
  readonly compressAbove: number;
  readonly timeout: number;
  readonly hardTimeout: number;
  readonly earlyRefresh: number;
  readonly fillLease: number;
}

function termsOf({ compress, ttl, grace, tags, ...fill }: typeof DEFAULTS): Terms {
  const given = typeof compress === 'object' ? compress : {};
  const { above } = resolve(given, COMPRESS_RULES, COMPRESS_DEFAULTS, 'compress.');
  const { timeout, hardTimeout, earlyRefresh, fillLease } = fill;
  return Object.freeze({
    // For ever is a long time, so that there is one kind of end.
    ttl: ttl === 0 ? FOR_EVER : ttl,
    grace: ttl === 0 ? 0 : grace,
    tags,
    compressAbove: compress === false ? Infinity : above,
    timeout,
    hardTimeout,
    earlyRefresh,
    fillLease,
  });
}

/** What a cache's calls are done by: its own options, and what a call says otherwise. */
export class CallOptions {
  readonly #defaults: typeof DEFAULTS;
  readonly usual: Terms;

  constructor(defaults: typeof DEFAULTS) {
    this.#defaults = defaults;
    this.usual = termsOf(defaults);
  }

  /** @throws {InvalidArgumentError} naming the option and the rule. */
  for(options: GetOrSetOptions | undefined, rules: 'set' | 'getOrSet'): Terms {
    if (options === undefined) return this.usual;
    const known = rules === 'set' ? SET_RULES : RULES;
    checkOptionNames('options', options, Object.keys(known));
    try {
      return termsOf(resolve(options, known, this.#defaults));
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      throw new InvalidArgumentError(
        error.option,
        error.message.slice(error.message.indexOf(':') + 2),
      );
    }
  }
}

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveCacheOptions({ prefix, namespace = '', ...rest }: CacheOptions) {
  const all = resolve(rest, { ...RULES, ...OWN_RULES }, { ...DEFAULTS, ...OWN_DEFAULTS });
  const { l1 } = all;
  const memory =
    l1 === false ? undefined : resolve(l1 === true ? {} : l1, MEMORY_RULES, MEMORY_DEFAULTS, 'l1.');
  return { ...all, memory, namespace, prefix: checkPrefix(prefix), calls: new CallOptions(all) };
}
