import { InvalidArgumentError, checkOptionNames, describe } from '../errors';
import { duration, flag, resolve, wholeNumber } from '../option-rules';
import { checkPrefix } from '../schema/table-prefix';
import type { Serializer } from '../values/codec';

/** As long as a timer can be. */
const LONGEST = 2 ** 31 - 1;
/** Messages claimed at a time at most. */
export const LARGEST_BATCH = 1000;

export interface MessageQueueOptions {
  /** Begins the names of the tables. @default 'boomerang_' */
  readonly prefix?: string;
  /** Creates the tables where they are missing. @default false */
  readonly autoInstall?: boolean;
  /** Turns payloads into bytes and back, in place of the library's own ways. */
  readonly serializer?: Serializer;
  /** How long in ms a message that was claimed is kept from others, without an extension. @default 30000 */
  readonly visibilityTimeout?: number;
  /** How often a message is delivered before it is put among the dead letters. Of groups created here. @default 5 */
  readonly maxAttempts?: number;
  /** The pause in ms before the second delivery of a message that failed; it doubles from then on. @default 1000 */
  readonly backoff?: number;
  /** The longest such pause, in ms. @default 300000 */
  readonly maxBackoff?: number;
  /** How long in ms an idle consumer waits at most before it looks for messages of other processes. @default 500 */
  readonly pollInterval?: number;
  /** How long in ms a message is kept after its production, once every group has acknowledged it. @default 0 */
  readonly retention?: number;
  /** For how long in ms a `dedupeKey` keeps out a second message. @default 300000 */
  readonly dedupeWindow?: number;
}

const DEFAULTS = {
  autoInstall: false,
  visibilityTimeout: 30_000,
  maxAttempts: 5,
  backoff: 1000,
  maxBackoff: 300_000,
  pollInterval: 500,
  retention: 0,
  dedupeWindow: 300_000,
};

const RULES = {
  autoInstall: flag,
  visibilityTimeout: duration,
  maxAttempts: wholeNumber(1),
  backoff: duration,
  maxBackoff: duration,
  pollInterval: duration,
  retention: duration,
  dedupeWindow: duration,
};

export type ResolvedQueueOptions = ReturnType<typeof resolveQueueOptions>;

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveQueueOptions({ prefix, serializer, ...rest }: MessageQueueOptions) {
  const resolved = resolve(rest, RULES, DEFAULTS);
  checkMs('visibilityTimeout', resolved.visibilityTimeout, 1);
  return { ...resolved, serializer, prefix: checkPrefix(prefix) };
}

/** @throws {InvalidArgumentError} for what is no time in ms. */
export function checkMs(name: string, ms: unknown, least = 0): number {
  if (typeof ms === 'number' && ms >= least && ms <= LONGEST) return ms;
  const rule = `must be a number of milliseconds, ${least} or more, got ${describe(ms)}`;
  throw new InvalidArgumentError(name, rule);
}

export function checkCount(name: string, count: unknown, least: number, most: number): number {
  if (Number.isSafeInteger(count) && (count as number) >= least && (count as number) <= most) {
    return count as number;
  }
  const rule = `must be a whole number from ${least} to ${most}, got ${describe(count)}`;
  throw new InvalidArgumentError(name, rule);
}

export interface ProduceOptions {
  /** How long in ms before it is delivered. @default 0 */
  readonly delay?: number;
  /** Messages of one key are delivered one after the other, in their order; 1 to 255 bytes. */
  readonly key?: string;
}

export interface ProduceOneOptions extends ProduceOptions {
  /** A second message with the same is not produced for `dedupeWindow` ms; 1 to 255 bytes. */
  readonly dedupeKey?: string;
}

export interface CreateGroupOptions {
  /** Whether it gets the messages that are still there too, or only what is not committed at a moment within the call. @default 'now' */
  readonly from?: 'start' | 'now';
  /** How often a message is delivered before it is put among the dead letters. @default the queue's */
  readonly maxAttempts?: number;
}

export interface ConsumeOptions {
  /** Who consumes, for `pending()` and `claimStale()`; 255 bytes at most. @default '' */
  readonly consumer?: string;
  /** Messages at most, 1 to 1000. @default 1 */
  readonly batch?: number;
  /** How long in ms they are kept from others. @default the queue's */
  readonly visibilityTimeout?: number;
  /** How long in ms to wait for the first message. @default 0 */
  readonly wait?: number;
  /** Ends the waiting: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ResolvedConsumeOptions {
  readonly consumer: string;
  readonly batch: number;
  readonly visibilityTimeout: number;
  readonly wait: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws {InvalidArgumentError} naming the option and the rule. */
export function resolveConsumeOptions(
  options: ConsumeOptions,
  defaults: { readonly visibilityTimeout: number },
): ResolvedConsumeOptions {
  checkOptionNames('options', options, [
    'consumer',
    'batch',
    'visibilityTimeout',
    'wait',
    'signal',
  ]);
  const { consumer = '', batch = 1, wait = 0, signal } = options;
  const visibilityTimeout = checkMs(
    'visibilityTimeout',
    options.visibilityTimeout ?? defaults.visibilityTimeout,
    1,
  );
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError('signal', `must be an AbortSignal, got ${describe(signal)}`);
  }
  checkCount('batch', batch, 1, LARGEST_BATCH);
  return { consumer, batch, visibilityTimeout, wait: checkMs('wait', wait), signal };
}

export interface WorkerOptions {
  /** Handlers that run at the same time. @default 1 */
  readonly concurrency?: number;
  /** Messages claimed at most that wait for a handler or are in work. @default twice the concurrency */
  readonly prefetch?: number;
  /** @see {@link ConsumeOptions.consumer} */
  readonly consumer?: string;
  /** How long in ms a message is kept from others; extended while its handler runs. @default the queue's */
  readonly visibilityTimeout?: number;
}

export interface ResolvedWorkerOptions {
  readonly concurrency: number;
  readonly prefetch: number;
  readonly consumer: string;
  readonly visibilityTimeout: number;
}

/** @throws {InvalidArgumentError} naming the option and the rule. */
export function resolveWorkerOptions(
  options: WorkerOptions,
  defaults: { readonly visibilityTimeout: number },
): ResolvedWorkerOptions {
  checkOptionNames('options', options, [
    'concurrency',
    'prefetch',
    'consumer',
    'visibilityTimeout',
  ]);
  const concurrency = checkCount('concurrency', options.concurrency ?? 1, 1, LARGEST_BATCH);
  const twice = Math.min(2 * concurrency, LARGEST_BATCH);
  const prefetch = checkCount('prefetch', options.prefetch ?? twice, concurrency, LARGEST_BATCH);
  const visibilityTimeout = checkMs(
    'visibilityTimeout',
    options.visibilityTimeout ?? defaults.visibilityTimeout,
    1,
  );
  return { concurrency, prefetch, visibilityTimeout, consumer: options.consumer ?? '' };
}
