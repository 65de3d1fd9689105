import type { Spread } from './spread';

/** What a number has to reach, from the page of bars, and whether it did. */
export interface Bar {
  readonly text: string;
  readonly kept: boolean;
}

/** One row of the table. */
export interface Measurement {
  readonly part: string;
  readonly name: string;
  readonly concurrency: number;
  /** Ours by the base's: of throughput where more is better, unless the bar says otherwise. */
  readonly ratio?: Spread;
  /** The base's by its own, on a second pool: a ratio nearer to 1 than this is no difference. */
  readonly noise?: Spread;
  /** Ours by the base's, of this process's CPU time per operation. */
  readonly cpu?: Spread;
  /** The figures behind the ratios, for reading; they depend on the machine. */
  readonly figures: string;
  readonly bars: readonly Bar[];
}

/** Two digits are what these measurements are good for; a bar is judged as it is printed. */
export function told(ratio: number): string {
  return ratio.toFixed(2);
}

export function atLeast(what: string, measured: number, bar: number): Bar {
  return { text: `${what} ≥ ${told(bar)}`, kept: Number(told(measured)) >= bar };
}

export function atMost(what: string, measured: number, bar: number): Bar {
  return { text: `${what} ≤ ${told(bar)}`, kept: Number(told(measured)) <= bar };
}
