import { detached } from './async-context';
import { systemClock } from './clock';

export interface BatcherOptions<Item, Outcome> {
  /**
   * Does the work of several callers at once; resolves to the outcomes in the same order. One that is
   * a promise goes on by itself: it counts to no run any more.
   */
  run(items: readonly Item[]): Promise<readonly (Outcome | Promise<Outcome>)[]>;
  /** Items of one run at most. */
  readonly most: number;
  /** Runs under way at most; what comes meanwhile is gathered. @default no limit */
  readonly atOnce?: number;
  /**
   * Items of one run at least where there are so many: what is asked for is divided evenly between
   * the runs that may be under way, into parts no smaller. @default `most`, which divides nothing
   */
  readonly least?: number;
  /**
   * How long in ms a run counts among those: one that is held up, by a lock or a dead connection, holds
   * up for longer only whom it is for. @default for ever
   */
  readonly patience?: number;
}

interface Entry<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome | Promise<Outcome>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers what is asked for in one turn of the event loop and has it done together. The work belongs
 * to several callers and so runs in nobody's scope; if it fails, it fails for all of them.
 */
export class Batcher<Item, Outcome> {
  readonly #options: BatcherOptions<Item, Outcome>;
  #waiting: Entry<Item, Outcome>[] = [];
  #running = 0;
  /** Items of the runs under way. */
  #inHand = 0;
  #scheduled = false;

  constructor(options: BatcherOptions<Item, Outcome>) {
    this.#options = options;
  }

  add(item: Item): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    if (this.#running >= (this.#options.atOnce ?? Infinity)) return;
    this.#scheduled = true;
    // When all that is to run before the next event has run: what it asks for comes along.
    detached(() => process.nextTick(() => this.#flush()));
  }

  #flush(): void {
    this.#scheduled = false;
    const { most, atOnce = Infinity, least = most } = this.#options;
    const share = Math.ceil((this.#waiting.length + this.#inHand) / atOnce);
    const size = Math.min(most, Math.max(least, share));
    while (this.#waiting.length > 0 && this.#running < atOnce) {
      void this.#run(this.#waiting.splice(0, size));
    }
  }

  async #run(entries: readonly Entry<Item, Outcome>[]): Promise<void> {
    const end = this.#begin(entries.length);
    try {
      const outcomes = await this.#options.run(entries.map(({ item }) => item));
      if (outcomes.length !== entries.length) throw new Error('an outcome for each item is due');
      entries.forEach(({ resolve }, index) =>
        resolve(outcomes[index] as Outcome | Promise<Outcome>),
      );
    } catch (error) {
      for (const { reject } of entries) reject(error);
    } finally {
      end();
    }
  }

  /** Counts a run, until it has ended or has taken too long. */
  #begin(items: number): () => void {
    this.#running++;
    this.#inHand += items;
    let counts = true;
    const end = (): void => {
      if (!counts) return;
      counts = false;
      timer?.cancel();
      this.#running--;
      this.#inHand -= items;
      this.#schedule();
    };
    const { patience } = this.#options;
    const timer = patience === undefined ? undefined : systemClock.setTimer(end, patience);
    return end;
  }
}
