import type { Clock } from '../clock';

/** What may be saved, and what there is at first. */
const MOST = 100;
/** What is added each second whatever the load: a quiet program may always repeat. */
const PER_SECOND = 10;

/**
 * Bounds retries to a share of the calls, so that a server that fails because it is overloaded is
 * not given more work by retrying: a token bucket, filled by calls, as Finagle's retry budget and
 * gRPC's retry throttling are.
 */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #share: number;
  #calls = 0;
  #tokens = MOST;
  #countedAt: number;

  /** @param share retries per call; 0 is no bound. */
  constructor(clock: Clock, share: number) {
    this.#clock = clock;
    this.#share = share;
    this.#countedAt = clock.now();
  }

  /** A call is made; on the way of every statement. */
  noteCall(): void {
    this.#calls++;
  }

  /** True where one more retry is within the budget; it is spent then. */
  spend(): boolean {
    if (this.#share === 0) return true;
    const now = this.#clock.now();
    const earned = this.#calls * this.#share + ((now - this.#countedAt) / 1000) * PER_SECOND;
    this.#calls = 0;
    this.#countedAt = now;
    this.#tokens = Math.min(MOST, this.#tokens + earned);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
