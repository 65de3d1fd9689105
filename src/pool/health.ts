import type { Clock } from '../clock';
import type { PoolStats } from '../metrics/counters';
import type { Pool } from './pool';

/** Whether the database can be worked with right now. */
export interface Health {
  /** A connection was had and the server answered on it. */
  readonly ready: boolean;
  /** How long both took, in ms; `undefined` where they failed. */
  readonly latency: number | undefined;
  /** What is not as it should be; codes and plain words, no values. Empty while all is well. */
  readonly reasons: readonly string[];
  readonly stats: PoolStats;
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}

/** Takes a connection and asks the server for a sign of life, within `within` ms. Never rejects. */
export async function healthOf(pool: Pool, clock: Clock, within: number): Promise<Health> {
  const begun = clock.now();
  const reasons: string[] = [];
  let latency: number | undefined;
  try {
    await pingWithin(pool, clock, within);
    latency = clock.now() - begun;
  } catch (error) {
    reasons.push(codeOf(error));
  }
  if (pool.lastFailure !== undefined) reasons.push(`connects fail: ${codeOf(pool.lastFailure)}`);
  const stats = pool.stats();
  if (stats.waiting > 0) reasons.push(`${stats.waiting} callers wait for a connection`);
  return Object.freeze({ ready: latency !== undefined, latency, reasons, stats });
}

/** Takes a connection and pings on it. Past `within` ms (0: no limit) each, rejects and closes it. */
export async function pingWithin(
  pool: Pool,
  clock: Clock,
  within: number,
  hint?: () => string | undefined,
): Promise<void> {
  const lease = await pool.acquire({ within, hint });
  const silence = Object.assign(new Error(`no answer within ${within} ms`), { code: 'ETIMEDOUT' });
  const deadline = within > 0 ? clock.setTimer(() => lease.discard(silence), within) : undefined;
  try {
    await lease.connection.ping();
  } finally {
    deadline?.cancel();
    await lease.giveBack();
  }
}
