/** Totals since the pool was made. */
export interface PoolTotals {
  /** Leases handed out. */
  acquired: number;
  /** Leases given back. */
  released: number;
  /** Acquires that failed at their deadline. */
  timeouts: number;
  /** Connections opened. */
  created: number;
  /** Connections closed or lost. */
  destroyed: number;
}

export function noTotals(): PoolTotals {
  return { acquired: 0, released: 0, timeouts: 0, created: 0, destroyed: 0 };
}

/** A pool at one moment, and what was repeated. */
export interface DatabaseStats extends PoolStats {
  /** Statements, BEGINs and transactions that were run again by themselves. */
  readonly retries: number;
}

/** A pool at one moment. */
export interface PoolStats extends Readonly<PoolTotals> {
  /** Connections that are open: active + idle. */
  readonly total: number;
  /** Connections that are out, or on their way back. */
  readonly active: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
  /** Connects under way; not part of `total`. */
  readonly connecting: number;
  /** Connections outside the pool that control it; not part of `total`. */
  readonly auxiliary: number;
  /** When counting began. */
  readonly since: Date;
}
