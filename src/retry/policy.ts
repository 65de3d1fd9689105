import type { Clock } from '../clock';
import { sleep } from '../clock';
import { classify, wasAnswered, type Circumstances } from '../driver/classify';
import { BoomerangError } from '../errors';
import type { ErrorClass } from '../driver/error-class';
import type { RetryOptions } from '../options';

/** What is known of a failed attempt. */
export interface Failure extends Circumstances {
  /** The caller declared that running the statement twice is the same as running it once. */
  readonly idempotent: boolean;
}

/** When a failed attempt may be repeated, and after which delay. */
export class RetryPolicy {
  readonly attempts: number;
  readonly #minDelay: number;
  readonly #maxDelay: number;
  readonly #clock: Clock;

  constructor({ attempts, minDelay, maxDelay }: Required<RetryOptions>, clock: Clock) {
    this.attempts = attempts;
    this.#minDelay = minDelay;
    this.#maxDelay = maxDelay;
    this.#clock = clock;
  }

  /**
   * The class of the error where an autocommit statement may be run again after it; `undefined`
   * where it may not. This library's own errors (no connection, wrong argument) are never retried
   * here: whatever waiting could do has been done.
   */
  retryable(error: unknown, failure: Failure): ErrorClass | undefined {
    if (error instanceof BoomerangError) return undefined;
    const found = classify(error, failure);
    if (found.statement === 'safe') return found;
    if (found.statement === 'ifIdempotent' && failure.idempotent) return found;
    return undefined;
  }

  /** Whether the connection is of no more use after this error. */
  spoils(error: unknown, circumstances: Circumstances): boolean {
    if (error instanceof BoomerangError) return false;
    return !wasAnswered(error) || classify(error, circumstances).connection === 'discard';
  }

  /** Exponential back-off with full jitter: a random delay between 0 and a bound that doubles. */
  delay(attempt: number): Promise<void> {
    const bound = Math.min(this.#minDelay * 2 ** (attempt - 1), this.#maxDelay);
    return sleep(this.#clock, Math.random() * bound);
  }
}
