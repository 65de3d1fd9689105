import type { Clock } from '../clock';
import type { Connection } from '../driver/connection';

function tooLong(limit: number): Error {
  return Object.assign(new Error(`The server did not answer within ${limit} ms`), {
    code: 'ETIMEDOUT',
  });
}

/**
 * Runs `work` on a connection; past `limit` ms, of which `spent` are used up, the connection is
 * destroyed, which rejects what is pending on it. A limit of 0 is none.
 */
export async function bounded<T>(
  clock: Clock,
  connection: Connection,
  limit: number,
  work: () => Promise<T>,
  spent = 0,
): Promise<T> {
  if (limit === 0) return work();
  const timer = clock.setTimer(() => connection.destroy(tooLong(limit)), limit - spent);
  try {
    return await work();
  } finally {
    timer.cancel();
  }
}
