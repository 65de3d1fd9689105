import { onAbort } from '../abort-listeners';
import type { Clock } from '../clock';

interface Waiter {
  readonly go: () => void;
}

/** How a wait ended. */
export type Woken = 'told' | 'overslept';

/**
 * Who waits for which name in this process: first come, first served, and one contender at a time
 * for each name, however many wait. Names that nobody waits for take no memory.
 */
export class WaitLine {
  readonly #clock: Clock;
  /** Those behind the contender, by name. */
  readonly #lines = new Map<string, Waiter[]>();
  /** What wakes the contender of a name. */
  readonly #bells = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Names that somebody waits for. */
  get names(): number {
    return this.#lines.size;
  }

  /** Callers that wait, the contenders included. */
  get size(): number {
    let size = 0;
    for (const line of this.#lines.values()) size += line.length + 1;
    return size;
  }

  /**
   * Resolves to true when it is the caller's turn to contend for the name, to false when `within` ms
   * have passed. The contender calls {@link leave} when it is done.
   */
  enter(name: string, within: number, signal: AbortSignal | undefined): Promise<boolean> {
    const line = this.#lines.get(name);
    if (line === undefined) {
      this.#lines.set(name, []);
      return Promise.resolve(true);
    }
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        deadline.cancel();
        unlisten?.();
        settle();
      };
      const quit = (settle: () => void): void => {
        const at = line.indexOf(waiter);
        if (at < 0) return;
        line.splice(at, 1);
        finish(settle);
      };
      const waiter: Waiter = { go: () => finish(() => resolve(true)) };
      const deadline = this.#clock.setDeadline(() => quit(() => resolve(false)), within);
      const unlisten =
        signal === undefined
          ? undefined
          : onAbort(signal, () => quit(() => reject(signal.reason as Error)));
      line.push(waiter);
    });
  }

  leave(name: string): void {
    const next = this.#lines.get(name)?.shift();
    if (next === undefined) this.#lines.delete(name);
    else next.go();
  }

  /** The contender waits for `within` ms, or until {@link tell}. Rejects with an aborted signal's reason. */
  sleep(name: string, within: number, signal: AbortSignal | undefined): Promise<Woken> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const finish = (settle: () => void): void => {
        this.#bells.delete(name);
        timer.cancel();
        unlisten?.();
        settle();
      };
      const timer = this.#clock.setDeadline(() => finish(() => resolve('overslept')), within);
      const unlisten =
        signal === undefined
          ? undefined
          : onAbort(signal, () => finish(() => reject(signal.reason as Error)));
      this.#bells.set(name, () => finish(() => resolve('told')));
    });
  }

  /** The name has become free in this process. */
  tell(name: string): void {
    this.#bells.get(name)?.();
  }
}
