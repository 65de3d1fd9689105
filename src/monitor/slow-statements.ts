import type { ObservedStatement } from '../metrics/observer';

/** A text that was slow, and how slow. Durations in ms. */
export interface SlowStatement {
  /** With every literal replaced: never a value. */
  readonly text: string;
  readonly count: number;
  readonly total: number;
  readonly worst: number;
  /** How many of them failed. */
  readonly failed: number;
  /** When the last one ended, as ISO 8601 by this process's clock. */
  readonly lastAt: string;
}

/** Texts that are kept: of more, the one that was slow the longest ago is forgotten. */
const KEPT = 100;
const LONGEST_TEXT = 500;

/** Statements that took long, by their text without literals. */
export class SlowStatements {
  /** From how many ms on a statement is slow; `Infinity` for never. */
  readonly threshold: number;
  /** In the order in which they were slow last. */
  readonly #found = new Map<string, SlowStatement>();
  #noted = 0;

  /** @param threshold from how many ms on a statement is slow; 0 keeps none. */
  constructor(threshold: number) {
    this.threshold = threshold === 0 ? Infinity : threshold;
  }

  /** How many were slow, those that are forgotten included. */
  get noted(): number {
    return this.#noted;
  }

  /** One that took at least as long as the threshold. */
  note({ elapsed, errorClass, text }: ObservedStatement): void {
    this.#noted++;
    const shown = text.slice(0, LONGEST_TEXT);
    const before = this.#found.get(shown);
    this.#found.delete(shown);
    this.#found.set(shown, {
      text: shown,
      count: (before?.count ?? 0) + 1,
      total: (before?.total ?? 0) + elapsed,
      worst: Math.max(before?.worst ?? 0, elapsed),
      failed: (before?.failed ?? 0) + (errorClass === undefined ? 0 : 1),
      lastAt: new Date().toISOString(),
    });
    const oldest = this.#found.keys().next().value;
    if (this.#found.size > KEPT && oldest !== undefined) this.#found.delete(oldest);
  }

  /** Those that took most time in all. */
  top(most: number): SlowStatement[] {
    return [...this.#found.values()].sort((a, b) => b.total - a.total).slice(0, most);
  }
}
