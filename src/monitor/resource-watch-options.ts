import { ConfigurationError, InvalidArgumentError } from '../errors';
import { LOG_LEVELS, type Logger, type LogLevel } from '../logger';
import {
  duration,
  isLogger,
  oneOf,
  record,
  resolve,
  share,
  wholeNumber,
  type Rule,
} from '../option-rules';
import { PooledDatabase } from '../pooled-database';

/** From which value on a resource is warned of; 0: never. */
export interface WarnAt {
  /** Open descriptors as a share of the soft limit. @default 0.8 */
  readonly descriptors?: number;
  /** Callers that wait for a connection. @default 10 */
  readonly waiters?: number;
  /** All connections to the server as a share of what it allows. @default 0.8 */
  readonly server?: number;
  /** What the fleet may open as a share of what the server allows: from 1 on it could exhaust it. @default 1 */
  readonly fleet?: number;
  /** The 99th percentile of how late timers come, in ms. @default 200 */
  readonly eventLoopDelay?: number;
  /** Looks in a row that failed. @default 3 */
  readonly failures?: number;
}

export type Resource = keyof WarnAt;

export interface ResourceWatchOptions {
  /** The pause between two looks in ms. @default 15000 */
  readonly interval?: number;
  /** By which share of it the pauses are longer or shorter, by chance. @default 0.1 */
  readonly jitter?: number;
  readonly warnAt?: WarnAt;
  /** By which share a value has to fall below `warnAt` before the same warning can come again. @default 0.1 */
  readonly hysteresis?: number;
  /** How many processes with these pools there are. @default 1 */
  readonly processes?: number;
  /** Whose server is asked; for a registry by default that of the tenant that was used last. */
  readonly server?: PooledDatabase;
  /** A pino instance, or anything with its `debug`, `info`, `warn` and `error`. */
  readonly logger?: Logger;
  /** Writes JSON lines to standard output from this level upwards. @default 'silent' */
  readonly logLevel?: LogLevel;
}

const WARN_AT = {
  descriptors: 0.8,
  waiters: 10,
  server: 0.8,
  fleet: 1,
  eventLoopDelay: 200,
  failures: 3,
};

const WARN_RULES: Record<Resource, Rule> = {
  descriptors: share,
  waiters: wholeNumber(0),
  server: share,
  fleet: (value) =>
    typeof value === 'number' && value >= 0 && value < Infinity
      ? undefined
      : 'must be a number, 0 or more',
  eventLoopDelay: duration,
  failures: wholeNumber(0),
};

const DEFAULTS = {
  interval: 15_000,
  jitter: 0.1,
  hysteresis: 0.1,
  processes: 1,
  server: undefined as PooledDatabase | undefined,
  logger: undefined as Logger | undefined,
  logLevel: 'silent' as LogLevel,
  warnAt: {} as WarnAt,
};

const RULES: Record<keyof typeof DEFAULTS, Rule> = {
  interval: (value) =>
    duration(value) ??
    (value === 0 ? 'must be above 0; without start() no look comes by itself' : undefined),
  jitter: share,
  hysteresis: share,
  processes: wholeNumber(1),
  server: (value) => (value instanceof PooledDatabase ? undefined : 'must be a database'),
  logger: isLogger,
  logLevel: oneOf(...LOG_LEVELS),
  warnAt: record,
};

export type ResolvedWatchOptions = Readonly<Omit<typeof DEFAULTS, 'warnAt'>> & {
  readonly warnAt: Readonly<Record<Resource, number>>;
};

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveWatchOptions(given: ResourceWatchOptions): ResolvedWatchOptions {
  const broken = record(given);
  if (broken !== undefined) throw new ConfigurationError('options', broken);
  const resolved = resolve(given, RULES, DEFAULTS);
  return { ...resolved, warnAt: resolve(resolved.warnAt, WARN_RULES, WARN_AT, 'warnAt.') };
}

/** @throws {InvalidArgumentError} always: for what is neither a database nor a registry. */
export function refuseWatched(): never {
  throw new InvalidArgumentError('watched', 'must be a database or a registry of databases');
}
