import type { Clock, Timer } from './clock';

export interface PeriodicOptions {
  readonly clock: Clock;
  /** The pause between two runs in ms; 0: never by itself. */
  readonly every: number;
  /** By which share of it each pause is longer or shorter, by chance: 0.1 is up to 10 % either way. */
  readonly jitter: number;
  /** Does not reject. */
  readonly work: () => Promise<unknown>;
}

/**
 * Runs something again and again, one run at a time, until it is stopped. Keeps no process alive.
 * The jitter keeps the processes of a fleet that were started together from working at the same time.
 */
export class Periodic {
  readonly #options: PeriodicOptions;
  #timer: Timer | undefined;
  #stopped = true;

  constructor(options: PeriodicOptions) {
    this.#options = options;
  }

  /** Begins, with a pause. A second call does nothing. */
  start(): void {
    if (!this.#stopped || this.#options.every === 0) return;
    this.#stopped = false;
    this.#rest();
  }

  /** Begins no further run. One that is under way is not waited for. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #rest(): void {
    const { clock, every, jitter, work } = this.#options;
    const pause = every * (1 + jitter * (2 * Math.random() - 1));
    const timer = clock.setTimer(() => {
      void work().then(() => {
        // Stopped, or stopped and started anew meanwhile.
        if (this.#timer === timer) this.#rest();
      });
    }, pause);
    this.#timer = timer;
  }
}
