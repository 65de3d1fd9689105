import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { EventLoopDelay } from './resource-snapshot';

/** How often the delay is sampled, in ms. */
const RESOLUTION = 20;

const NANOSECONDS = 1e6;

/** Measures how late timers come, by Node's own histogram. Keeps no process alive. */
export class EventLoopWatch {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION });

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** Since the last call. */
  take(): EventLoopDelay {
    const { mean, max, count } = this.#histogram;
    const p99 = this.#histogram.percentile(99);
    this.#histogram.reset();
    if (count === 0) return { mean: 0, p99: 0, max: 0 };
    return { mean: late(mean), p99: late(p99), max: late(max) };
  }
}

/** Node tells the whole time between two samples. */
function late(nanoseconds: number): number {
  const delay = nanoseconds / NANOSECONDS - RESOLUTION;
  return Math.max(0, Math.round(delay * 10) / 10);
}
