import { optionsFromUrl } from './connection-url';
import { DRIVER_DEFAULTS, DRIVER_RULES, REFUSED_RULES, type DriverOptions } from './driver-options';
import { ConfigurationError, describe } from './errors';
import { LOG_LEVELS, type Logger, type LogLevel } from './logger';
import {
  duration,
  either,
  flag,
  isLogger,
  listOf,
  oneOf,
  record,
  resolve,
  share,
  text,
  wholeNumber,
  type Rule,
} from './option-rules';

/** How a statement that may safely be run again is run again. */
export interface RetryOptions {
  /** How often a statement is run at most, the first time included. 1 switches retrying off. @default 3 */
  readonly attempts?: number;
  /** The first delay's upper bound in ms; it doubles with each attempt. Delays are random between 0 and the bound. @default 50 */
  readonly minDelay?: number;
  /** The upper bound of every delay in ms. @default 1000 */
  readonly maxDelay?: number;
  /** Retries as a share of the calls, beside ten a second that are always allowed; 0 is no bound. @default 0.1 */
  readonly budget?: number;
  /** Takes every SELECT, SHOW and the like for `{ idempotent: true }`: true where none calls a function that writes. @default false */
  readonly assumeReadsIdempotent?: boolean;
}

/** What holds for every statement that does not say otherwise. */
export interface StatementDefaults {
  /** The longest time of a statement in ms, waiting for a connection included; then it is stopped on the server. @default 0 */
  readonly timeout?: number;
  /** Values may be an object, bound to `:name` in the text. @default false */
  readonly namedPlaceholders?: boolean;
}

/** The pool's own options. All durations are milliseconds; 0 switches a limit or timer off. */
export interface PoolOptions {
  /** The most connections at a time. @default 10 */
  readonly connectionLimit?: number;
  /** Idle connections kept ready once the database is in use, within connectionLimit. @default 0 */
  readonly minIdle?: number;
  /** The most idle connections kept; a further one is closed on return. @default connectionLimit */
  readonly maxIdle?: number;
  /** How long a connection above `minIdle` may be idle before it is closed. @default 60000 */
  readonly idleTimeout?: number;
  /** The longest wait for a connection, connecting included. @default 10000 */
  readonly acquireTimeout?: number;
  /** The longest time a connect may take, from name resolution to a usable session. @default 10000 */
  readonly connectTimeout?: number;
  /** The most callers that may wait for a connection; 0 is no limit. @default 0 */
  readonly queueLimit?: number;
  /** False: fail at once instead of waiting when all connections are out. @default true */
  readonly waitForConnections?: boolean;
  /** When a returned connection's session is reset. @default 'dirty' */
  readonly resetOnRelease?: 'dirty' | 'always' | 'never';
  /** Statements run once on each new session and again after each reset. */
  readonly initSql?: string | readonly string[];
  /** How long a connection serves, less up to 10 % by chance, and below the server's `wait_timeout`. @default 1800000 */
  readonly maxLifetime?: number;
  /** How long a connection rests before it is asked for a sign of life, less up to 10 % by chance. @default 120000 */
  readonly keepaliveInterval?: number;
  /** A connection that rested longer is asked for a sign of life before it is lent. @default 500 */
  readonly validateAfter?: number;
  /** Leases that are out for longer are reported. @default 0 */
  readonly leakDetectionThreshold?: number;
  /** What `getConnection()` does while the caller's own scope holds the connection it would wait for. @default 'wait' */
  readonly selfDeadlock?: 'wait' | 'fail';
}

/** What is said, and where. */
export interface LogOptions {
  /** A pino instance, or anything with its `debug`, `info`, `warn` and `error`. */
  readonly logger?: Logger;
  /** Writes JSON lines to standard output from this level upwards. @default 'silent' */
  readonly logLevel?: LogLevel;
  /** Statements that took at least so many ms are logged with their text, literals removed. @default 1000 */
  readonly slowStatement?: number;
  /** Acquires that took at least so many ms are logged. @default 1000 */
  readonly slowAcquire?: number;
}

export interface DatabaseOptions extends DriverOptions, PoolOptions, StatementDefaults, LogOptions {
  /** `mysql://user:password@host:port/database?option=value`; options given beside it win. */
  readonly uri?: string;
  readonly retry?: RetryOptions;
}

/** Every option with its default in place. */
export interface ResolvedOptions {
  readonly pool: Required<Omit<PoolOptions, 'initSql'>> & { readonly initSql: readonly string[] };
  readonly retry: Required<RetryOptions>;
  readonly statement: Required<StatementDefaults>;
  readonly log: Required<Pick<LogOptions, 'slowStatement' | 'slowAcquire' | 'logLevel'>> & {
    readonly logger: Logger | undefined;
  };
  readonly driver: DriverOptions;
}

const POOL_DEFAULTS = {
  connectionLimit: 10,
  minIdle: 0,
  maxIdle: undefined as number | undefined,
  idleTimeout: 60_000,
  acquireTimeout: 10_000,
  connectTimeout: 10_000,
  queueLimit: 0,
  waitForConnections: true,
  resetOnRelease: 'dirty' as const,
  initSql: [] as string | readonly string[],
  maxLifetime: 1_800_000,
  keepaliveInterval: 120_000,
  validateAfter: 500,
  leakDetectionThreshold: 0,
  selfDeadlock: 'wait' as const,
};

export const RETRY_DEFAULTS = {
  attempts: 3,
  minDelay: 50,
  maxDelay: 1000,
  budget: 0.1,
  assumeReadsIdempotent: false,
};

const STATEMENT_DEFAULTS = { timeout: 0, namedPlaceholders: false };

const LOG_DEFAULTS = {
  logger: undefined as Logger | undefined,
  logLevel: 'silent' as const,
  slowStatement: 1000,
  slowAcquire: 1000,
};

const POOL_RULES: Record<keyof typeof POOL_DEFAULTS, Rule> = {
  connectionLimit: wholeNumber(1),
  minIdle: wholeNumber(0),
  maxIdle: wholeNumber(0),
  idleTimeout: duration,
  acquireTimeout: duration,
  connectTimeout: duration,
  queueLimit: wholeNumber(0),
  waitForConnections: flag,
  resetOnRelease: oneOf('dirty', 'always', 'never'),
  initSql: either(text, listOf(text)),
  maxLifetime: duration,
  keepaliveInterval: duration,
  validateAfter: duration,
  leakDetectionThreshold: duration,
  selfDeadlock: oneOf('wait', 'fail'),
};

const RETRY_RULES: Record<keyof typeof RETRY_DEFAULTS, Rule> = {
  attempts: wholeNumber(1),
  minDelay: duration,
  maxDelay: duration,
  budget: share,
  assumeReadsIdempotent: flag,
};

const STATEMENT_RULES: Record<keyof typeof STATEMENT_DEFAULTS, Rule> = {
  timeout: duration,
  namedPlaceholders: flag,
};

const LOG_RULES: Record<keyof typeof LOG_DEFAULTS, Rule> = {
  logger: isLogger,
  logLevel: oneOf(...LOG_LEVELS),
  slowStatement: duration,
  slowAcquire: duration,
};

const ALL_RULES: Readonly<Record<string, Rule>> = {
  ...DRIVER_RULES,
  ...POOL_RULES,
  ...STATEMENT_RULES,
  ...LOG_RULES,
  ...REFUSED_RULES,
  retry: record,
};

function pick(given: object, rules: object): object {
  return Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(rules, name)));
}

export type LimitOptions = Pick<PoolOptions, 'connectionLimit' | 'minIdle' | 'maxIdle'>;

interface Limits {
  readonly connectionLimit: number;
  readonly minIdle: number;
  readonly maxIdle: number;
}

function checkLimits({ connectionLimit, minIdle, maxIdle }: Limits): void {
  if (maxIdle > connectionLimit) {
    const rule = `must not exceed connectionLimit (${connectionLimit}), got ${maxIdle}`;
    throw new ConfigurationError('maxIdle', rule);
  }
  if (minIdle > maxIdle) {
    throw new ConfigurationError('minIdle', `must not exceed maxIdle (${maxIdle}), got ${minIdle}`);
  }
}

/**
 * New limits over the present ones. A `maxIdle` that was the connectionLimit goes along with it.
 *
 * @throws {ConfigurationError} naming the option and the rule; the present ones stay.
 */
export function resolveLimits(given: LimitOptions, present: Limits): Limits {
  if (record(given) !== undefined) {
    throw new ConfigurationError('limits', `must be an object, got ${describe(given)}`);
  }
  const { connectionLimit, minIdle, maxIdle } = POOL_RULES;
  const follows = present.maxIdle === present.connectionLimit;
  const base = follows
    ? { ...present, maxIdle: given.connectionLimit ?? present.maxIdle }
    : present;
  const { connectionLimit: most, minIdle: least, maxIdle: idle } = base;
  const limits = resolve(
    given,
    { connectionLimit, minIdle, maxIdle },
    { connectionLimit: most, minIdle: least, maxIdle: idle },
  );
  checkLimits(limits);
  return limits;
}

/**
 * Validates what the caller gave, lays it over the defaults and freezes it. Nothing is corrected in
 * silence.
 *
 * @throws {ConfigurationError} naming the option, the value's type and the rule.
 */
export function resolveOptions(given: string | DatabaseOptions): ResolvedOptions {
  if (typeof given !== 'string' && record(given) !== undefined) {
    throw new ConfigurationError('options', `must be a URL or an object, got ${describe(given)}`);
  }
  const { uri, ...beside } = typeof given === 'string' ? { uri: given } : given;
  if (uri !== undefined && typeof uri !== 'string') {
    throw new ConfigurationError('uri', `must be a string, got ${describe(uri)}`);
  }
  const all: DatabaseOptions = { ...(uri === undefined ? {} : optionsFromUrl(uri)), ...beside };
  resolve(all, ALL_RULES, {});
  const pool = resolve(pick(all, POOL_RULES), POOL_RULES, POOL_DEFAULTS);
  const maxIdle = pool.maxIdle ?? pool.connectionLimit;
  checkLimits({ ...pool, maxIdle });
  // A lower upper bound alone brings the first bound down with it.
  const { maxDelay = RETRY_DEFAULTS.maxDelay } = all.retry ?? {};
  const minDelay = Math.min(RETRY_DEFAULTS.minDelay, maxDelay);
  const retry = resolve(all.retry ?? {}, RETRY_RULES, { ...RETRY_DEFAULTS, minDelay }, 'retry.');
  if (retry.minDelay > retry.maxDelay) {
    throw new ConfigurationError(
      'retry.minDelay',
      `must not exceed retry.maxDelay (${retry.maxDelay}), got ${retry.minDelay}`,
    );
  }
  const initSql = typeof pool.initSql === 'string' ? [pool.initSql] : [...pool.initSql];
  return Object.freeze({
    pool: Object.freeze({ ...pool, maxIdle, initSql: Object.freeze(initSql) }),
    retry,
    statement: resolve(pick(all, STATEMENT_RULES), STATEMENT_RULES, STATEMENT_DEFAULTS),
    log: resolve(pick(all, LOG_RULES), LOG_RULES, LOG_DEFAULTS),
    driver: resolve(pick(all, DRIVER_RULES), DRIVER_RULES, DRIVER_DEFAULTS),
  });
}
