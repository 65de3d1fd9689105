import type { Clock } from '../clock';
import { classify, layers, wasAnswered, type Circumstances } from '../driver/classify';
import { traitsOf } from '../driver/sql-text';
import type { StatementRequest } from '../driver/statement-arguments';
import { BoomerangError, TransactionDoomedError } from '../errors';
import type { ErrorClass } from '../driver/error-class';
import type { Limit } from '../limit';
import { errorFields, type Logger } from '../logger';
import { Observation } from '../metrics/observation';
import type { RetryOptions } from '../options';
import { RetryBudget } from './budget';
import { circumstancesOf } from './failures';

/** What is known of a failed attempt. */
export interface Failure extends Circumstances {
  /** The caller declared that running the statement twice is the same as running it once. */
  readonly idempotent: boolean;
  /** Where the server refused it, a part of it may have been carried out before. */
  readonly piecemeal?: boolean;
}

/** What is repeated, for logs. */
export type Repeated = 'statement' | 'BEGIN' | 'transaction' | 'method';

/** When a failed attempt may be repeated, and after which delay. */
export class RetryPolicy {
  readonly attempts: number;
  readonly #assumeReadsIdempotent: boolean;
  readonly #minDelay: number;
  readonly #maxDelay: number;
  readonly #patience: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #budget: RetryBudget;
  readonly #observation: Observation;
  #repeats = 0;

  /** @param patience how long in ms a server may be away, or read-only, before retrying ends. */
  constructor(
    { attempts, minDelay, maxDelay, budget, assumeReadsIdempotent }: Required<RetryOptions>,
    patience: number,
    clock: Clock,
    logger: Logger,
    observation = new Observation(),
  ) {
    this.attempts = attempts;
    this.#assumeReadsIdempotent = assumeReadsIdempotent;
    this.#minDelay = minDelay;
    this.#maxDelay = maxDelay;
    this.#patience = patience;
    this.#clock = clock;
    this.#logger = logger;
    this.#observation = observation;
    this.#budget = new RetryBudget(clock, budget);
  }

  /** How often anything was repeated so far. */
  get repeats(): number {
    return this.#repeats;
  }

  now(): number {
    return this.#clock.now();
  }

  /** What the caller declared; else what is assumed of reads. */
  isIdempotent({ idempotent, statement }: StatementRequest): boolean {
    return idempotent ?? (this.#assumeReadsIdempotent && traitsOf(statement.sql).read);
  }

  /** A first attempt is made: the budget for repeating grows with it. */
  noteCall(): void {
    this.#budget.noteCall();
  }

  noteRepeat(what: Repeated, found: ErrorClass, error: unknown, attempt: number): void {
    this.#repeats++;
    this.#observation.current?.repeated(found.name);
    const fields = { class: found.name, attempt, ...errorFields(error) };
    this.#logger.warn(fields, `${what} repeated`);
  }

  /**
   * Whether one more attempt may follow. Of a server that is going or read-only another may take the
   * place: that is waited for, however many attempts it takes.
   */
  allows(found: ErrorClass, made: number, most: number, begun: number): boolean {
    if (most <= 1) return false;
    const waits = found.elsewhere === true && this.#clock.now() - begun < this.#patience;
    // Its bound is time: the budget is for a server that is there.
    if (waits) return true;
    return made < most && this.#budget.spend();
  }

  /**
   * The class of the error where an autocommit statement may be run again after it; `undefined`
   * where it may not. This library's own errors (no connection, wrong argument, COMMIT in doubt) are
   * never retried here, also as the cause of another: whatever waiting could do has been done.
   */
  retryable(error: unknown, failure: Failure): ErrorClass | undefined {
    for (const layer of layers(error)) if (layer instanceof BoomerangError) return undefined;
    const found = classify(error, failure);
    const partly = failure.piecemeal === true && failure.sent !== false;
    if (found.statement === 'safe' && !partly) return found;
    return found.statement !== 'never' && failure.idempotent ? found : undefined;
  }

  /**
   * The same for a whole transaction, from its outermost block, where the error is, or was caused by,
   * that of a statement. Nothing of the transaction stays after such an error: a COMMIT that may have
   * happened is never repeated.
   */
  restartable(error: unknown): ErrorClass | undefined {
    let found: ErrorClass | undefined;
    for (const layer of layers(error)) {
      if (layer instanceof TransactionDoomedError) continue;
      if (layer instanceof BoomerangError) return undefined;
      const circumstances = circumstancesOf(layer);
      if (circumstances !== undefined) found ??= classify(layer, circumstances);
    }
    return found?.transaction === 'never' ? undefined : found;
  }

  /** Whether the connection is of no more use after this error. */
  spoils(error: unknown, circumstances: Circumstances): boolean {
    if (error instanceof BoomerangError) return false;
    return !wasAnswered(error) || classify(error, circumstances).connection === 'discard';
  }

  /** Whether connections that are as old lead to the same server, which is of no use any more. */
  condemnsServer(error: unknown, circumstances: Circumstances): boolean {
    return wasAnswered(error) && classify(error, circumstances).elsewhere === true;
  }

  /**
   * Exponential back-off with full jitter: a random delay between 0 and a bound that doubles.
   * Resolves early where the limit is hit.
   */
  delay(attempt: number, limit: Limit | undefined): Promise<void> {
    const bound = Math.min(this.#minDelay * 2 ** (attempt - 1), this.#maxDelay);
    return new Promise((resolve) => {
      let unlisten: (() => void) | undefined;
      const done = (): void => {
        timer.cancel();
        unlisten?.();
        resolve();
      };
      const timer = this.#clock.setDeadline(done, Math.random() * bound);
      if (limit?.hit === true) done();
      else unlisten = limit?.onHit(done);
    });
  }
}
