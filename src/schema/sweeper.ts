import type { Clock } from '../clock';
import { errorFields, type Logger } from '../logger';

export interface SweepStats {
  /** Rows removed since the start. */
  readonly swept: number;
  /** Whether one is under way. */
  readonly sweeping: boolean;
}

export interface SweeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is swept, for the log. */
  readonly what: string;
  /** How often at most, in ms, with jitter; 0 never by itself. */
  readonly every: number;
  /** Removes one bounded batch. */
  readonly batch: () => Promise<SweptBatch>;
}

export interface SweptBatch {
  readonly removed: number;
  /** Whether there is more to look at now. */
  readonly more: boolean;
}

/** How much longer than a batch is the rest behind it. */
const REST = 9;

/**
 * Removes what is no longer wanted in small batches, one at a time, and no faster than it pauses in
 * between. Rides on writes ({@link ride}), and so needs no timer and keeps no process alive.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  #nextAt: number;
  #swept = 0;
  #running: Promise<number> | undefined;
  #pause: { end(): void } | undefined;
  #stopped = false;
  /** Whether somebody waits for the one under way, and the process has to live for it. */
  #awaited = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#nextAt = options.clock.now() + options.every * Math.random();
  }

  get stats(): SweepStats {
    return { swept: this.#swept, sweeping: this.#running !== undefined };
  }

  /** Something was written: the moment to look, if it is time. */
  ride(): void {
    const { clock, every } = this.#options;
    const now = clock.now();
    if (every === 0 || this.#stopped || now < this.#nextAt) return;
    this.#nextAt = now + every * (0.5 + Math.random());
    this.#begin().catch((error: unknown) => {
      const fields = errorFields(error);
      this.#options.logger.warn(fields, `${this.#options.what} were not swept`);
    });
  }

  /**
   * All that is due now. Whoever asks while one is under way gets that one's outcome.
   *
   * @returns how many rows were removed.
   */
  sweep(): Promise<number> {
    this.#awaited = true;
    this.#pause?.end();
    return this.#begin();
  }

  /** Begins no further batch. Resolves when the last one is done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#pause?.end();
    // Whoever asked for it is told of its error.
    await this.#running?.catch(() => {});
  }

  #begin(): Promise<number> {
    this.#running ??= this.#all().finally(() => {
      this.#running = undefined;
      this.#awaited = false;
    });
    return this.#running;
  }

  async #all(): Promise<number> {
    const { clock, batch } = this.#options;
    let removed = 0;
    while (!this.#stopped) {
      const begun = clock.now();
      const swept = await batch();
      removed += swept.removed;
      this.#swept += swept.removed;
      if (!swept.more) break;
      // Of what nobody waits for, at most a tenth of the time is the sweep's: others may sweep as well.
      const share = this.#awaited ? 1 : REST;
      await this.#rest((clock.now() - begun) * share);
    }
    return removed;
  }

  #rest(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pause = undefined;
        timer.cancel();
        resolve();
      };
      const timer = this.#awaited ? clock.setDeadline(end, ms) : clock.setTimer(end, ms);
      this.#pause = { end };
    });
  }
}
