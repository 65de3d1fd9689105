import type { PoolNumbers } from '../errors';

/** How many connections the pool may have; changed at run time by `resize`. */
export interface PoolLimits {
  readonly connectionLimit: number;
  readonly minIdle: number;
  readonly maxIdle: number;
}

/**
 * How many connections are to be opened now: one for each waiter that no connection is about to
 * serve, and as many as bring the idle ones back to `minIdle`, within the limit.
 *
 * @param proving idle connections that are being asked for a sign of life; each serves a waiter.
 * @param leaving connections that are being closed; each takes a place until it is.
 */
export function connectionsNeeded(
  { connectionLimit, minIdle }: PoolLimits,
  { total, idle, waiting }: PoolNumbers,
  proving: number,
  leaving: number,
): number {
  const wanted = Math.max(waiting - proving, minIdle - idle);
  return Math.max(0, Math.min(wanted, connectionLimit - total - leaving));
}
