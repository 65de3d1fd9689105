import type { ResolvedOptions } from '../options';
import type { AcquireOptions } from './acquire-options';
import { exhausted, fullness } from './exhaustion';
import type { Roster } from './roster';
import type { Stock } from './stock';
import type { Voices } from './voices';
import type { WaitQueue } from './wait-queue';

type Hint = AcquireOptions['hint'];

/** What a pool says to those whom it cannot serve. */
export class Shortage {
  readonly #options: ResolvedOptions['pool'];
  readonly #voices: Voices;
  readonly #roster: Roster;
  readonly #stock: Stock;
  readonly #waiting: WaitQueue;

  constructor(
    options: ResolvedOptions['pool'],
    voices: Voices,
    roster: Roster,
    stock: Stock,
    waiting: WaitQueue,
  ) {
    this.#options = options;
    this.#voices = voices;
    this.#roster = roster;
    this.#stock = stock;
    this.#waiting = waiting;
  }

  /** Why a caller may not even wait; `undefined` where it may. */
  refusal(hint: Hint, orFail: boolean): Error | undefined {
    const { connectionLimit } = this.#stock.limits;
    const numbers = this.#roster.numbers(this.#waiting.size);
    const full = fullness(this.#options, connectionLimit, numbers, orFail);
    if (full === undefined) return undefined;
    this.#voices.logger.warn({ ...numbers }, 'acquire refused');
    return this.error(full, hint);
  }

  /** A wait has come to its deadline: counts it. */
  timedOut(limit: number, hint: Hint): Error {
    const { logger, observation, tracker } = this.#voices;
    this.#roster.totals.timeouts++;
    tracker.timedOut?.();
    observation.current?.timedOut();
    const numbers = this.#roster.numbers(this.#waiting.size);
    logger.warn({ ...numbers, acquireTimeout: limit }, 'no connection within the deadline');
    return this.error(`No connection within ${limit} ms`, hint);
  }

  error(what: string, hint: Hint): Error {
    const { lastFailure, limits } = this.#stock;
    const why = hint?.() ?? this.#roster.admission?.refusal;
    const numbers = this.#roster.numbers(this.#waiting.size);
    return exhausted(what, numbers, limits.connectionLimit, lastFailure, why);
  }
}
