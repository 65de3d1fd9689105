import { AsyncResource } from 'node:async_hooks';
import { detached } from '../../src/async-context';
import type { Clock, Timer } from '../../src/clock';

interface Pending {
  readonly at: number;
  readonly callback: () => void;
}

/** Resolves when all microtasks that are due, and those they give rise to, have run. Waits no time. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * A clock turned by hand. Nothing is due until {@link advance}; what was set for the same moment runs
 * in the order it was set.
 */
export class ManualClock implements Clock {
  readonly #pending = new Set<Pending>();
  #now = 0;

  /** Timers and deadlines that neither fired nor were cancelled: 0 where nothing was left behind. */
  get openTimers(): number {
    return this.#pending.size;
  }

  /** How many ms from now each open timer is due, soonest first. */
  get dueIn(): number[] {
    return [...this.#pending].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  now(): number {
    return this.#now;
  }

  date(): Date {
    return new Date(Date.UTC(2020, 0, 1) + this.#now);
  }

  /** As the real one, in nobody's async context. */
  setTimer(callback: () => void, delay: number): Timer {
    return this.#set(() => detached(callback), delay);
  }

  /** As the real one, in the async context of the caller. */
  setDeadline(callback: () => void, delay: number): Timer {
    return this.#set(AsyncResource.bind(callback), delay);
  }

  /** Lets `ms` pass: runs what comes due, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#pending.delete(next);
      this.#now = next.at;
      next.callback();
      await settled();
    }
    this.#now = until;
  }

  #set(callback: () => void, delay: number): Timer {
    if (!(delay >= 0)) throw new RangeError(`a timer of ${delay} ms`);
    const pending: Pending = { at: this.#now + delay, callback };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  #next(until: number): Pending | undefined {
    let soonest: Pending | undefined;
    for (const one of this.#pending) {
      if (one.at <= until && (soonest === undefined || one.at < soonest.at)) soonest = one;
    }
    return soonest;
  }
}
