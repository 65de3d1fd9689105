import type { Won } from './contest';

/** How often in a row a name is handed over in this process before others get their chance. */
const MOST_IN_A_ROW = 16;

/** A contender of this process that can take a lock over right from its holder. */
export class Heir {
  readonly ttl: number;
  readonly note: Buffer;
  #won: Won | undefined;
  #gone = false;

  constructor({ ttl, note }: { readonly ttl: number; readonly note: Buffer }) {
    this.ttl = ttl;
    this.note = note;
  }

  get won(): Won | undefined {
    return this.#won;
  }

  /** False where it waits no more: then the lock is nobody's. */
  accept(won: Won): boolean {
    if (this.#gone) return false;
    this.#won = won;
    return true;
  }

  leave(): void {
    this.#gone = true;
  }
}

/**
 * Who would take over from a holder of the same process: one statement instead of a release and an
 * acquisition. Not for ever, or other processes would never get the name.
 */
export class Succession {
  readonly #heirs = new Map<string, Heir>();
  readonly #inARow = new Map<string, number>();

  announce(name: string, heir: Heir): void {
    this.#heirs.set(name, heir);
  }

  withdraw(name: string, heir: Heir): void {
    heir.leave();
    if (this.#heirs.get(name) === heir) this.#heirs.delete(name);
  }

  /** The heir of a lock that is given back; `undefined` where the name is to be free for all. */
  next(name: string): Heir | undefined {
    const heir = this.#heirs.get(name);
    const inARow = this.#inARow.get(name) ?? 0;
    if (heir === undefined || inARow >= MOST_IN_A_ROW) {
      this.#inARow.delete(name);
      return undefined;
    }
    this.#inARow.set(name, inARow + 1);
    return heir;
  }
}
