import type { Clock, Timer } from '../clock';
import { LinkedList, Node } from './linked-list';
import type { Lease } from './lease';

/** A caller that waits for a connection until an absolute deadline. */
export class Waiter {
  readonly place: Node<Waiter> = new Node<Waiter>(this);
  timer: Timer | undefined;
  onSettled: (() => void) | undefined;

  constructor(
    readonly since: number,
    readonly resolve: (lease: Lease) => void,
    readonly reject: (reason: unknown) => void,
  ) {}
}

/** First come, first served. Adding, serving and leaving are O(1). */
export class WaitQueue {
  readonly #waiters = new LinkedList<Waiter>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Adds a waiter. `onTimeout` makes its error if nobody serves it within `within` ms (0: no
   * limit); an aborted signal rejects it with the signal's reason.
   */
  add(within: number, onTimeout: (waiter: Waiter) => Error, signal?: AbortSignal): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(this.#clock.now(), resolve, reject);
      if (within > 0) {
        waiter.timer = this.#clock.setTimer(() => {
          // The error tells the numbers while this waiter still counts.
          if (waiter.place.list !== undefined) this.#fail(waiter, onTimeout(waiter));
        }, within);
      }
      if (signal !== undefined) {
        const onAbort = (): void => this.#fail(waiter, signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        waiter.onSettled = () => signal.removeEventListener('abort', onAbort);
      }
      this.#waiters.append(waiter.place);
    });
  }

  /** Takes the longest waiter out; its timer and signal are let go. */
  next(): Waiter | undefined {
    const waiter = this.#waiters.takeFirst();
    if (waiter !== undefined) release(waiter);
    return waiter;
  }

  /** Rejects all that wait. */
  rejectAll(reason: () => Error): void {
    for (let waiter = this.next(); waiter !== undefined; waiter = this.next()) {
      waiter.reject(reason());
    }
  }

  #fail(waiter: Waiter, reason: unknown): void {
    if (!this.#waiters.remove(waiter.place)) return;
    release(waiter);
    waiter.reject(reason);
  }
}

function release(waiter: Waiter): void {
  waiter.timer?.cancel();
  waiter.onSettled?.();
}
