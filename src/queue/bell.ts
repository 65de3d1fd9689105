import { onAbort } from '../abort-listeners';
import type { Clock } from '../clock';

/** One per pool and prefix: what is produced here wakes whoever waits here, in whichever queue object. */
const bells = new WeakMap<object, Map<string, Bell>>();

/** Tells the consumers of this process, at once, that a stream has something for them. */
export class Bell {
  readonly #listeners = new Map<number, Set<() => void>>();
  readonly #rung = new Map<number, number>();

  /** The one that all queues over this pool share. */
  static of(pool: object, prefix: string): Bell {
    let byPrefix = bells.get(pool);
    if (byPrefix === undefined) bells.set(pool, (byPrefix = new Map<string, Bell>()));
    let bell = byPrefix.get(prefix);
    if (bell === undefined) byPrefix.set(prefix, (bell = new Bell()));
    return bell;
  }

  /** How often it rang for these streams: looked at before one looks for messages. */
  count(streams: readonly number[]): number {
    return streams.reduce((sum, stream) => sum + (this.#rung.get(stream) ?? 0), 0);
  }

  ring(stream: number): void {
    this.#rung.set(stream, (this.#rung.get(stream) ?? 0) + 1);
    for (const listener of [...(this.#listeners.get(stream) ?? [])]) listener();
  }

  /**
   * Waits until it rings for one of the streams, if it has not since `counted`, or `ms` have passed.
   * Resolves to whether it rang.
   *
   * @throws the signal's reason, where it is aborted.
   */
  wait(
    clock: Clock,
    streams: readonly number[],
    counted: number,
    ms: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (this.count(streams) !== counted) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        timer.cancel();
        unlisten?.();
        for (const stream of streams) {
          const listeners = this.#listeners.get(stream);
          listeners?.delete(rung);
          if (listeners?.size === 0) this.#listeners.delete(stream);
        }
      };
      const rung = (): void => {
        leave();
        resolve(true);
      };
      const over = (): void => {
        leave();
        resolve(false);
      };
      const timer = clock.setDeadline(over, ms);
      const unlisten =
        signal === undefined
          ? undefined
          : onAbort(signal, () => {
              leave();
              reject(signal.reason as Error);
            });
      for (const stream of streams) {
        const listeners = this.#listeners.get(stream);
        if (listeners === undefined) this.#listeners.set(stream, new Set([rung]));
        else listeners.add(rung);
      }
    });
  }
}
