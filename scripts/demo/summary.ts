import type { PoolStats } from '../../src/index';
import type { ProcesslistWatcher } from './processlist';
import type { Tally } from './tally';

/** A run in the numbers by which runs are compared. Durations are milliseconds. */
export interface RunSummary {
  readonly answered: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly peakSessions: number;
  readonly leasesOut: number;
}

/** @param stats the pool after the last caller was done. */
export function summary(
  { overall, answered, errorCount }: Tally,
  watcher: ProcesslistWatcher,
  stats: PoolStats,
): RunSummary {
  return {
    answered,
    errors: errorCount,
    p50: overall.percentile(50),
    p99: overall.percentile(99),
    peakSessions: watcher.peak,
    leasesOut: stats.active,
  };
}
