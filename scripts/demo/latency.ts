import { createHistogram } from 'node:perf_hooks';

/** How long calls took. Recorded in microseconds, told in milliseconds. */
export class Latency {
  readonly #histogram = createHistogram();

  record(milliseconds: number): void {
    this.#histogram.record(Math.max(1, Math.round(milliseconds * 1000)));
  }

  get count(): number {
    return this.#histogram.count;
  }

  /** The duration that `percent` of the calls did not exceed; 0 where there were none. */
  percentile(percent: number): number {
    return this.count === 0 ? 0 : this.#histogram.percentile(percent) / 1000;
  }

  get max(): number {
    return this.count === 0 ? 0 : this.#histogram.max / 1000;
  }
}
