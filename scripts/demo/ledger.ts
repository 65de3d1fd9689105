import type { Journal } from './journal-repository';

/** What the callers were told is written, kept outside the database, to be held against its tables. */
export class Ledger {
  readonly #acknowledged: Readonly<Record<Journal, Set<string>>> = {
    visit: new Set(),
    guestbook: new Set(),
    postcard: new Set(),
  };
  readonly #failed = new Set<string>();
  /** The text each postcard must bear. */
  readonly postcards = new Map<string, string>();
  /** The step each traveller was told to have reached. */
  readonly steps = new Map<number, number>();

  /** Makes the write; it counts as acknowledged once `write` has resolved. */
  async write(journal: Journal, operation: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#acknowledged[journal].add(operation);
    } catch (error) {
      this.#failed.add(operation);
      throw error;
    }
  }

  acknowledged(journal: Journal): ReadonlySet<string> {
    return this.#acknowledged[journal];
  }

  /** Whether the operation ended in an error: then it may be written or not, but not twice. */
  hasFailed(operation: string): boolean {
    return this.#failed.has(operation);
  }
}
