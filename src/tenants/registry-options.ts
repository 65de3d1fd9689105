import type { RetryingPooledDatabase } from '../database';
import { ConfigurationError } from '../errors';
import { LOG_LEVELS, type Logger, type LogLevel } from '../logger';
import type { DatabaseOptions } from '../options';
import {
  callback,
  duration,
  either,
  isLogger,
  listOf,
  oneOf,
  record,
  resolve,
  share,
  text,
  wholeNumber,
  type Rule,
} from '../option-rules';
import type { Protected } from './protection';

/**
 * Makes a tenant's database: a URL, options, or a `RetryingPooledDatabase` that was not used yet. Runs
 * outside every scope and transaction, once at a time for each tenant. Attach listeners here.
 */
export type DatabaseFactory = (tenant: string) => Made | PromiseLike<Made>;

export type Made = string | DatabaseOptions | RetryingPooledDatabase;

/** Why a tenant was closed: nobody used it, another needed its place, or it was ended for good. */
export type CloseReason = 'idle' | 'displaced' | 'ended';

/** Called when a tenant was closed; it may be in use again by then. */
export type CloseHook = (tenant: string, reason: CloseReason) => unknown;

/** All durations are milliseconds. */
export interface RegistryOptions {
  /** The most tenants that have connections at a time; 0 is no bound. @default 100 */
  readonly maxOpen?: number;
  /** The most connections of all tenants together; 0 is no bound. @default 100 */
  readonly maxConnections?: number;
  /** How long a tenant may be unused before a sweep closes it. @default 300000 */
  readonly idleAfter?: number;
  /** The pause between two sweeps; 0: only {@link DatabaseRegistry.sweep} closes. @default 60000 */
  readonly interval?: number;
  /** By which share of them the pauses are longer or shorter, by chance. @default 0.1 */
  readonly jitter?: number;
  /** The pause between two rounds that close idle connections of all tenants; 0: never by itself. @default 0 */
  readonly recycleInterval?: number;
  /** How long the factory may take for one tenant; 0 is no limit. @default 10000 */
  readonly factoryTimeout?: number;
  /** Tenants that stay open. */
  readonly protect?: Protected;
  /** What is done when a tenant was closed; each for itself, whatever becomes of the others. */
  readonly onClose?: CloseHook | readonly CloseHook[];
  /** A pino instance, or anything with its `debug`, `info`, `warn` and `error`. */
  readonly logger?: Logger;
  /** Writes JSON lines to standard output from this level upwards. @default 'silent' */
  readonly logLevel?: LogLevel;
}

const DEFAULTS = {
  maxOpen: 100,
  maxConnections: 100,
  idleAfter: 300_000,
  interval: 60_000,
  jitter: 0.1,
  recycleInterval: 0,
  factoryTimeout: 10_000,
  protect: [] as Protected,
  onClose: [] as CloseHook | readonly CloseHook[],
  logger: undefined as Logger | undefined,
  logLevel: 'silent' as LogLevel,
};

const RULES: Record<keyof typeof DEFAULTS, Rule> = {
  maxOpen: wholeNumber(0),
  maxConnections: wholeNumber(0),
  idleAfter: duration,
  interval: duration,
  jitter: share,
  recycleInterval: duration,
  factoryTimeout: duration,
  protect: either(either(text, listOf(text)), callback),
  onClose: either(callback, listOf(callback)),
  logger: isLogger,
  logLevel: oneOf(...LOG_LEVELS),
};

export type ResolvedRegistryOptions = Readonly<Omit<typeof DEFAULTS, 'onClose'>> & {
  readonly onClose: readonly CloseHook[];
};

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveRegistryOptions(given: RegistryOptions): ResolvedRegistryOptions {
  const broken = record(given);
  if (broken !== undefined) throw new ConfigurationError('options', broken);
  const resolved = resolve(given, RULES, DEFAULTS);
  const { onClose } = resolved;
  return { ...resolved, onClose: typeof onClose === 'function' ? [onClose] : [...onClose] };
}
