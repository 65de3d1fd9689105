import { types } from 'node:util';
import pRetry from 'p-retry';
import type { ErrorClass } from '../driver/error-class';
import type { Limit } from '../limit';
import type { Repeated, RetryPolicy } from './policy';

/** What is repeated, and when. */
export interface Repetition<T> {
  readonly what: Repeated;
  /** The attempts after the first; told which one it is, from 2. */
  readonly attempt: (number: number) => Promise<T>;
  /** The class under which it may be repeated after this error, if it may. Asked once per failed attempt. */
  readonly classOf: (error: unknown) => ErrorClass | undefined;
  /** How often it is run at most, the first time included. @default the policy's */
  readonly most?: number | undefined;
  readonly limit?: Limit | undefined;
}

/**
 * Repeats an attempt that was made once and failed with `error`, until it succeeds, it may not be
 * repeated, or the attempts, the budget or the time are used up; rejects with the last error, which
 * then bears `attempts`.
 *
 * The first attempt is the caller's own: the ordinary case, one attempt that succeeds, then pays
 * nothing for what it does not need.
 */
export function retryAfter<T>(
  error: unknown,
  policy: RetryPolicy,
  repetition: Repetition<T>,
): Promise<T> {
  const { most = policy.attempts } = repetition;
  const found = most <= 1 ? undefined : repetition.classOf(error);
  const begun = policy.now();
  if (found === undefined || !policy.allows(found, 1, most, begun)) return Promise.reject(error);
  return repeat(error, found, policy, { ...repetition, most }, begun);
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
  first: unknown,
  firstClass: ErrorClass,
  policy: RetryPolicy,
  { what, attempt, classOf, most, limit }: Repetition<T> & { readonly most: number },
  begun: number,
): Promise<T> {
  let made = 1;
  const pause = async (error: unknown, found: ErrorClass): Promise<void> => {
    policy.noteRepeat(what, found, error, made);
    await policy.delay(made, limit);
    if (limit?.hit !== true) return;
    // What was lost after it was sent may have been executed, however often.
    throw new FailedAttempt(
      limit.error(found.statement === 'safe' ? 'notExecuted' : 'unknown', error),
    );
  };
  const again = async (): Promise<T> => {
    made++;
    try {
      return await attempt(made);
    } catch (error) {
      throw new FailedAttempt(error);
    }
  };
  try {
    await pause(first, firstClass);
    return await pRetry(again, {
      // Both always given: the defaults are ten retries from one second on. When to end is the
      // policy's, and so is the delay, because p-retry's `randomize` is not full jitter.
      retries: Infinity,
      minTimeout: 0,
      factor: 1,
      shouldRetry: async ({ error }) => {
        const failure = failureOf(error);
        const found = classOf(failure);
        if (found === undefined || !policy.allows(found, made, most, begun)) return false;
        await pause(failure, found);
        return true;
      },
    });
  } catch (error) {
    const failure = failureOf(error);
    if (types.isNativeError(failure)) Object.assign(failure, { attempts: made });
    throw failure;
  }
}
