import { detached } from './async-context';

export interface BatcherOptions<Item, Outcome> {
  /** Does the work of several callers at once; resolves to the outcomes in the same order. */
  run(items: readonly Item[]): Promise<readonly Outcome[]>;
  /** Items of one run at most. */
  readonly most: number;
  /** Runs under way at most; what comes meanwhile is gathered. @default no limit */
  readonly atOnce?: number;
}

interface Entry<Item, Outcome> {
  readonly item: Item;
  readonly resolve: (outcome: Outcome) => void;
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
    const { most, atOnce = Infinity } = this.#options;
    while (this.#waiting.length > 0 && this.#running < atOnce) {
      void this.#run(this.#waiting.splice(0, most));
    }
  }

  async #run(entries: readonly Entry<Item, Outcome>[]): Promise<void> {
    this.#running++;
    try {
      const outcomes = await this.#options.run(entries.map(({ item }) => item));
      if (outcomes.length !== entries.length) throw new Error('an outcome for each item is due');
      entries.forEach(({ resolve }, index) => resolve(outcomes[index] as Outcome));
    } catch (error) {
      for (const { reject } of entries) reject(error);
    } finally {
      this.#running--;
      this.#schedule();
    }
  }
}
