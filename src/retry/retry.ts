import { types } from 'node:util';
import pRetry from 'p-retry';
import type { RetryPolicy } from './policy';

export interface RetryHooks {
  /** Whether the attempt may be repeated after this error. Asked once per failed attempt. */
  retry(error: unknown): boolean;
  /** Told of each failed attempt that will be repeated. */
  repeated?(error: unknown, attempt: number): void;
}

/**
 * Repeats an attempt that was made once and failed with `error`, until it succeeds, `hooks.retry` says
 * no, or the policy's attempts are used up; rejects with the last error, which then bears `attempts`.
 *
 * The first attempt is the caller's own: the ordinary case, one attempt that succeeds, then pays
 * nothing for what it does not need.
 */
export function retryAfter<T>(
  error: unknown,
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  hooks: RetryHooks,
): Promise<T> {
  if (policy.attempts <= 1 || !hooks.retry(error)) return Promise.reject(error);
  hooks.repeated?.(error, 1);
  return repeat(attempt, policy, hooks);
}

/**
 * Carries a failure through p-retry, which turns what is not an `Error` of its own realm into a
 * TypeError: under Jest that is every error of Node's sockets.
 */
class FailedAttempt extends Error {
  constructor(readonly failure: unknown) {
    super();
  }
}

function failureOf(error: unknown): unknown {
  return error instanceof FailedAttempt ? error.failure : error;
}

async function repeat<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  hooks: RetryHooks,
): Promise<T> {
  let made = 1;
  const again = async (): Promise<T> => {
    made++;
    try {
      return await attempt();
    } catch (error) {
      throw new FailedAttempt(error);
    }
  };
  try {
    await policy.delay(made);
    return await pRetry(again, {
      // Both always given: the defaults are ten retries from one second on. The delay is ours,
      // because p-retry's `randomize` is not full jitter.
      retries: policy.attempts - 2,
      minTimeout: 0,
      factor: 1,
      shouldRetry: async ({ error }) => {
        const failure = failureOf(error);
        if (!hooks.retry(failure)) return false;
        hooks.repeated?.(failure, made);
        await policy.delay(made);
        return true;
      },
    });
  } catch (error) {
    const failure = failureOf(error);
    if (types.isNativeError(failure)) Object.assign(failure, { attempts: made });
    throw failure;
  }
}
