import { onAbort } from '../abort-listeners';
import type { Clock, Timer } from '../clock';
import type { Owner } from './entry';
import type { Lease } from './lease';
import { LinkedList, Node } from './linked-list';

/** A caller that waits for a connection until an absolute deadline. */
export class Waiter {
  readonly place: Node<Waiter> = new Node<Waiter>(this);
  /** Only where its time limit is not the queue's own. */
  timer: Timer | undefined;
  unlisten: (() => void) | undefined;

  constructor(
    readonly since: number,
    /** When it gives up, by the clock; `Infinity` for never. */
    readonly deadline: number,
    readonly timeoutError: () => Error,
    readonly resolve: (lease: Lease) => void,
    readonly reject: (reason: unknown) => void,
    readonly owner: Owner | undefined,
  ) {}
}

export interface WaitOptions {
  /** The longest wait in ms; 0 is no limit. */
  readonly within: number;
  /** Makes the error of a wait that was too long; called while the waiter still counts. */
  readonly timeoutError: () => Error;
  readonly signal?: AbortSignal | undefined;
  /** Who waits. */
  readonly owner?: Owner | undefined;
}

/**
 * First come, first served. Adding, serving and leaving are O(1).
 *
 * Waiters with the queue's own time limit expire in the order they came, so one timer, set for the
 * longest waiter, serves them all.
 */
export class WaitQueue {
  readonly #waiters = new LinkedList<Waiter>();
  readonly #clock: Clock;
  readonly #within: number;
  readonly #left: (waited: number) => void;
  #timer: Timer | undefined;

  /**
   * @param within the time limit that most waiters have, in ms.
   * @param left told of each waiter that leaves, served or not, with how long it waited.
   */
  constructor(clock: Clock, within: number, left: (waited: number) => void) {
    this.#clock = clock;
    this.#within = within;
    this.#left = left;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Waits for {@link next} to take it; rejects at the deadline, or with an aborted signal's reason. */
  add({ within, timeoutError, signal, owner }: WaitOptions): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const now = this.#clock.now();
      const deadline = within > 0 ? now + within : Infinity;
      const waiter = new Waiter(now, deadline, timeoutError, resolve, reject, owner);
      // First, because it throws for what is no signal: nothing is left behind then.
      if (signal !== undefined) {
        waiter.unlisten = onAbort(signal, () => {
          if (this.#remove(waiter)) waiter.reject(signal.reason);
        });
      }
      this.#waiters.append(waiter.place);
      if (within === this.#within) {
        if (within > 0) this.#timer ??= this.#clock.setTimer(() => this.#sweep(), within);
      } else if (within > 0) {
        waiter.timer = this.#clock.setTimer(() => this.#expire(waiter), within);
      }
    });
  }

  /** Takes the longest waiter out. The caller settles it. */
  next(): Waiter | undefined {
    const waiter = this.#waiters.first;
    if (waiter !== undefined) this.#remove(waiter);
    return waiter;
  }

  /** Rejects all that wait; no timer is left. */
  rejectAll(reason: () => Error): void {
    for (let waiter = this.next(); waiter !== undefined; waiter = this.next()) {
      waiter.reject(reason());
    }
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #remove(waiter: Waiter): boolean {
    if (!this.#waiters.remove(waiter.place)) return false;
    waiter.timer?.cancel();
    waiter.unlisten?.();
    this.#left(this.#clock.now() - waiter.since);
    return true;
  }

  #expire(waiter: Waiter): void {
    const error = waiter.timeoutError();
    if (this.#remove(waiter)) waiter.reject(error);
  }

  /** Ends the waits that are due, and sets the timer for the next. */
  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (let node = this.#waiters.firstNode; node !== undefined;) {
      const waiter = node.value;
      node = node.next;
      // Those with a limit of their own have a timer of their own.
      if (waiter.timer !== undefined || waiter.deadline === Infinity) continue;
      if (waiter.deadline > now) {
        this.#timer = this.#clock.setTimer(() => this.#sweep(), waiter.deadline - now);
        return;
      }
      this.#expire(waiter);
    }
  }
}
