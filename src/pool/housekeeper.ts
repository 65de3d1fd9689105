import type { Clock, Timer } from '../clock';
import type { PoolEntry } from './entry';
import type { IdleStack } from './idle-stack';

export interface HousekeeperActions {
  /** Connections that may rest for ever. */
  minIdle(): number;
  /** Takes an idle connection out of service. */
  retire(entry: PoolEntry): void;
  /** Asks an idle connection for a sign of life. */
  prove(entry: PoolEntry): void;
}

/**
 * Looks after the idle connections: closes those that rested for `idleTimeout` while more than
 * `minIdle` do, those at the end of their lifetime, and asks those that rested long for a sign of
 * life. One timer serves all: it is set for whichever is due first.
 */
export class Housekeeper {
  readonly #clock: Clock;
  readonly #idle: IdleStack;
  readonly #idleTimeout: number;
  readonly #actions: HousekeeperActions;
  #timer: Timer | undefined;
  #timerDue = Infinity;

  /** @param idleTimeout ms; 0 is no limit. */
  constructor(clock: Clock, idle: IdleStack, idleTimeout: number, actions: HousekeeperActions) {
    this.#clock = clock;
    this.#idle = idle;
    this.#idleTimeout = idleTimeout > 0 ? idleTimeout : Infinity;
    this.#actions = actions;
  }

  /** A connection has become idle. */
  noticed(entry: PoolEntry): void {
    const due = entry.dueAt(this.#idleTimeout);
    if (due < this.#timerDue) this.#setTimer(due);
  }

  /** The rules have changed: looks at once. */
  review(): void {
    this.#sweep();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDue = Infinity;
  }

  #setTimer(due: number): void {
    this.#timer?.cancel();
    this.#timerDue = due;
    const delay = Math.max(0, due - this.#clock.now());
    this.#timer = this.#clock.setTimer(() => this.#sweep(), delay);
  }

  #sweep(): void {
    this.stop();
    const now = this.#clock.now();
    const spare = this.#idle.size - this.#actions.minIdle();
    let closed = 0;
    // The oldest first: those the load does not need lie at the bottom.
    for (const entry of this.#idle.bottomUp()) {
      const { retireAt, keepaliveEvery } = entry.lifespan;
      const rested = now >= entry.idleSince + this.#idleTimeout;
      if (now >= retireAt || (rested && closed < spare)) {
        closed++;
        // A listener of `remove` may have taken it meanwhile.
        if (this.#idle.remove(entry)) this.#actions.retire(entry);
      } else if (now >= entry.provenAt + keepaliveEvery) {
        if (this.#idle.remove(entry)) this.#actions.prove(entry);
      }
    }
    this.#setNext(now);
  }

  /** The next due time; those over `idleTimeout` that are kept as `minIdle` wait for something else. */
  #setNext(now: number): void {
    let next = Infinity;
    for (const entry of this.#idle.bottomUp()) {
      const { retireAt, keepaliveEvery } = entry.lifespan;
      const rests = entry.idleSince + this.#idleTimeout;
      next = Math.min(
        next,
        retireAt,
        entry.provenAt + keepaliveEvery,
        rests > now ? rests : Infinity,
      );
    }
    if (next < Infinity) this.#setTimer(next);
  }
}
