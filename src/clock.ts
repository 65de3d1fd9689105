import { detached } from './async-context';

/** A timer that was set. Cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time, behind a seam: tests turn a manual clock by hand. All values are milliseconds.
 */
export interface Clock {
  /** Monotonic, with an arbitrary start: only differences mean anything. */
  now(): number;
  /** The wall clock, for people to read. Nothing is decided by it. */
  date(): Date;
  /** Background work: does not keep the process alive. */
  setTimer(callback: () => void, delay: number): Timer;
  /** Somebody's promise hangs on it: keeps the process alive until it fires or is cancelled. */
  setDeadline(callback: () => void, delay: number): Timer;
}

/** Node fires longer delays at once. */
const LONGEST_DELAY = 2 ** 31 - 1;

function timerOf(handle: NodeJS.Timeout): Timer {
  return { cancel: () => clearTimeout(handle) };
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  // A timer keeps the async context it was set in; the caller's must not outlive the caller.
  setTimer: (callback, delay) =>
    timerOf(detached(() => setTimeout(callback, Math.min(delay, LONGEST_DELAY)).unref())),
  setDeadline: (callback, delay) => timerOf(setTimeout(callback, Math.min(delay, LONGEST_DELAY))),
};

/** Resolves with `work`, which does not reject, or after `limit` ms without it. */
export function settledWithin(clock: Clock, limit: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setDeadline(resolve, limit);
    void work.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

/**
 * Keeps the process alive while there is work somebody waits for, and only then.
 *
 * The pool's sockets and timers are all unref'd, so that a script that never calls `end()` exits
 * when it is idle. A caller who waits for a connection, a connect that is under way, and a lease
 * that is out hold the process here instead, or their promises could end unsettled. The cost is
 * one counter; the handle is touched only when the count leaves or reaches zero.
 */
export class Liveness {
  #holders = 0;
  #handle: NodeJS.Timeout | undefined;
  #ended = false;

  hold(): void {
    if (this.#holders++ > 0 || this.#ended) return;
    // Not in the context of the caller who happens to be the first.
    this.#handle ??= detached(() => setInterval(() => {}, LONGEST_DELAY));
    this.#handle.ref();
  }

  drop(): void {
    if (--this.#holders === 0) this.#handle?.unref();
  }

  /** Keeps no handle while nobody holds the process: what is not used any more can be collected. */
  rest(): void {
    if (this.#holders > 0) return;
    clearInterval(this.#handle);
    this.#handle = undefined;
  }

  /** Lets the process go for good. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#handle);
    this.#handle = undefined;
  }
}
