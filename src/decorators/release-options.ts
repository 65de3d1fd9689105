import { systemClock } from '../clock';
import { layers } from '../driver/classify';
import { InvalidArgumentError, describe } from '../errors';
import { Limit } from '../limit';
import { silentLogger } from '../logger';
import { RETRY_DEFAULTS } from '../options';
import { circumstancesOf } from '../retry/failures';
import { RetryPolicy, type Failure } from '../retry/policy';
import { retryAfter } from '../retry/retry';
import { SCOPE_OPTIONS, checkScopeOptions, type ScopeOptions } from '../scope/connection-scope';
import { currentContext } from '../scope/context';

/** `timeout` bounds each run of the method. */
export interface ReleaseOptions extends ScopeOptions {
  /**
   * How often the whole method may be run again after a deadlock, a lock wait or a lost connection;
   * only with `idempotent: true`, and never inside a transaction. @default 0
   */
  readonly retries?: number;
  /** Declares that running the whole method twice is the same as running it once. @default false */
  readonly idempotent?: boolean;
}

/** @throws {InvalidArgumentError} naming the option and the rule. */
export function checkReleaseOptions(options: unknown): asserts options is ReleaseOptions {
  checkScopeOptions(options, [...SCOPE_OPTIONS, 'retries', 'idempotent']);
  const { retries = 0, idempotent = false } = options as Record<string, unknown>;
  if (!(Number.isSafeInteger(retries) && (retries as number) >= 0)) {
    const rule = `must be a whole number, 0 or more, got ${describe(retries)}`;
    throw new InvalidArgumentError('retries', rule);
  }
  if (typeof idempotent !== 'boolean') {
    const rule = `must be true or false, got ${describe(idempotent)}`;
    throw new InvalidArgumentError('idempotent', rule);
  }
  if ((retries as number) > 0 && !idempotent) {
    throw new InvalidArgumentError(
      'retries',
      'runs the whole method again: say idempotent: true where twice is the same as once',
    );
  }
}

/** A method may use several databases, so its retries are bounded by a budget of their own. */
const policy = new RetryPolicy(RETRY_DEFAULTS, 0, systemClock, silentLogger);

/** The method's result, or that of a later run of it. */
export function repeated(
  first: PromiseLike<unknown>,
  again: () => Promise<unknown>,
  { retries = 0, label, signal }: ReleaseOptions,
): Promise<unknown> {
  policy.noteCall();
  return Promise.resolve(first).catch((error: unknown) => {
    // A transaction that is open is run again as a whole, or not at all.
    if (currentContext()?.frames !== undefined) throw error;
    const around = currentContext()?.scope?.limit;
    const bounds = signal === undefined ? {} : { signal };
    // What was called off is not run again; each run has its own limit beside.
    const limit = Limit.within(around, systemClock, { kind: 'scope', label }, bounds);
    return retryAfter(error, policy, {
      what: 'method',
      attempt: again,
      limit,
      classOf: (reason) =>
        policy.retryable(reason, failureOf(reason)) ?? policy.restartable(reason),
      most: retries + 1,
    }).finally(() => {
      if (limit !== around) limit?.end();
    });
  });
}

/** What is known of the statement with whose error a run of the method ended, where it was one. */
function failureOf(error: unknown): Failure {
  for (const layer of layers(error)) {
    const circumstances = circumstancesOf(layer);
    if (circumstances !== undefined) return { ...circumstances, idempotent: true };
  }
  return { idempotent: true };
}
