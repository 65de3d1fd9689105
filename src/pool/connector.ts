import { setMaxListeners } from 'node:events';
import { detached } from '../async-context';
import type { Clock, Timer } from '../clock';

export interface ConnectorHooks<T> {
  /** How many further connections are wanted now, those under way included. */
  need(): number;
  /** Whether one more may be opened now; with true it has to be. */
  admitted(): boolean;
  /** Opens one and sets its session up. */
  open(signal: AbortSignal): Promise<T>;
  opened(opened: T): void;
  failed(error: unknown, retryIn: number): void;
}

/** Connects under way at first; doubles while connects succeed and the need stays. */
const FIRST_WIDTH = 2;
const WIDEST = 16;

/** Bounds of the delay after a failed connect, in ms; delays are random below the bound (full jitter). */
const FIRST_DELAY = 50;
export const LONGEST_DELAY = 1000;

/** After so long of success, in ms, the delays begin anew. */
const QUIET = 1000;

/**
 * Opens connections because they are needed, not because somebody asked: no waiter is tied to a
 * connect. A spike is mostly served by connections that come back meanwhile, so few connects are
 * begun at a time and the need is looked at again before each. After a failure no connect is begun
 * until a growing, random delay has passed; waiters end by their own deadlines.
 */
export class Connector<T> {
  readonly #hooks: ConnectorHooks<T>;
  readonly #clock: Clock;
  readonly #aborter = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #width = FIRST_WIDTH;
  #failures = 0;
  /** When connects began to succeed again. */
  #recoveredAt: number | undefined;
  #pause: Timer | undefined;

  constructor(hooks: ConnectorHooks<T>, clock: Clock) {
    this.#hooks = hooks;
    this.#clock = clock;
    // Each connect listens, and there may be more than Node takes for a leak.
    setMaxListeners(0, this.#aborter.signal);
  }

  get connecting(): number {
    return this.#running.size;
  }

  /** Looks at the need; called whenever it may have grown. */
  poke(): void {
    if (this.#pause !== undefined || this.#aborter.signal.aborted) return;
    while (this.#running.size < Math.min(this.#width, this.#hooks.need())) {
      if (!this.#hooks.admitted()) return;
      this.#begin();
    }
  }

  /** Begins no more connects, calls off those under way, and resolves when none is left. */
  async end(reason: Error): Promise<void> {
    this.#pause?.cancel();
    this.#aborter.abort(reason);
    await Promise.all(this.#running);
  }

  #begin(): void {
    // The connection outlives the caller whose wait gave rise to it: not in the caller's context.
    const connect = detached(() => this.#hooks.open(this.#aborter.signal)).then(
      (opened) => {
        this.#running.delete(connect);
        this.#recoveredAt ??= this.#clock.now();
        this.#hooks.opened(opened);
        const wanted = this.#hooks.need() > 0;
        this.#width = wanted ? Math.min(this.#width * 2, WIDEST) : FIRST_WIDTH;
        this.poke();
      },
      (error: unknown) => {
        this.#running.delete(connect);
        if (this.#aborter.signal.aborted) return;
        this.#backOff(error);
      },
    );
    this.#running.add(connect);
  }

  /** An opened connection proved useless: counts as a connect that failed. */
  setBack(error: unknown): void {
    if (!this.#aborter.signal.aborted) this.#backOff(error);
  }

  #backOff(error: unknown): void {
    const now = this.#clock.now();
    // A server that takes connections and drops them at once has not recovered.
    if (this.#recoveredAt !== undefined && now - this.#recoveredAt >= QUIET) this.#failures = 0;
    this.#recoveredAt = undefined;
    this.#width = FIRST_WIDTH;
    const bound = Math.min(FIRST_DELAY * 2 ** this.#failures++, LONGEST_DELAY);
    const delay = Math.random() * bound;
    this.#hooks.failed(error, delay);
    // Of several connects that fail together the first sets the pause.
    if (this.#hooks.need() === 0) return;
    this.#pause ??= this.#clock.setTimer(() => {
      this.#pause = undefined;
      this.poke();
    }, delay);
  }
}
