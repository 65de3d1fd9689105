import type { DatabaseStats } from '../metrics/counters';
import type { Details } from './detail-book';
import type { HealthReport } from './health-report';
import type { Pace, Sample } from './history';
import type { SlowStatement } from './slow-statements';

/** A pool, by its database's name. */
export interface PoolState extends Pick<
  DatabaseStats,
  'active' | 'idle' | 'waiting' | 'connecting' | 'acquired' | 'timeouts' | 'retries' | 'created'
> {
  readonly name: string;
  readonly limit: number;
}

/** Who has a connection. */
export interface HolderState {
  readonly database: string;
  readonly threadId: number;
  readonly label: string | null;
  /** In ms; `null` where it was taken before anybody watched. */
  readonly heldFor: number | null;
  /** Where it was taken, where that was captured. */
  readonly stack: string | null;
}

/** Locks, a cache, a queue: with its numbers, and rows where it has some. */
export interface InstrumentState extends Partial<Details> {
  readonly database: string;
  readonly kind: string;
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

/** What `/api/state` answers, and `/api/events` sends. */
export interface MonitorState {
  /** ISO 8601, by this process's clock. */
  readonly at: string;
  /** Milliseconds between two of them. */
  readonly interval: number;
  readonly process: { readonly pid: number; readonly node: string; readonly uptime: number };
  readonly health: HealthReport | null;
  /** All pools together. */
  readonly totals: Omit<PoolState, 'name'> & { readonly databases: number };
  readonly pace: Pace & { readonly rate: number };
  readonly outcomes: Readonly<Record<string, number>>;
  /** Those with most to do first; `totals.databases` says how many there are. */
  readonly databases: readonly PoolState[];
  /** Those who have a connection the longest first; `totals.active` says how many there are. */
  readonly holders: readonly HolderState[];
  readonly slow: {
    readonly threshold: number;
    readonly noted: number;
    readonly statements: readonly SlowStatement[];
  };
  readonly instruments: readonly InstrumentState[];
  /** The last minutes; in events only the newest sample. */
  readonly samples: readonly Sample[];
}
