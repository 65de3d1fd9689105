import type { Clock } from '../clock';
import { wasAnswered } from '../driver/classify';
import { traitsOf } from '../driver/sql-text';
import type { Result, Statement, StatementKind } from '../driver/statement';
import type { Outcome } from '../errors';
import type { Limit } from '../limit';
import type { Canceller } from './canceller';
import type { PoolEntry } from './entry';
import type { Lease } from './lease';

/** How long the server's confirmation and the statement's own answer may take together, in ms. */
const GRACE = 500;

/**
 * Stops what runs on a connection: on the server, by KILL QUERY. Resolves when both the order and
 * what was stopped are answered, so that the order can hit nobody else; where that takes too long,
 * or cannot be, when the connection is closed. Never rejects.
 *
 * @param grace how long that may take, in ms.
 */
export function cutOff(
  entry: PoolEntry,
  canceller: Canceller,
  clock: Clock,
  grace: number = GRACE,
): Promise<void> {
  const { connection } = entry;
  return new Promise((resolve) => {
    const close = (): void => {
      timer.cancel();
      connection.destroy(new Error('closed, because its statement could not be stopped'));
      resolve();
    };
    const timer = clock.setDeadline(close, grace);
    void canceller.kill(entry).then(async (killed) => {
      if (!killed) {
        close();
        return;
      }
      await connection.drained();
      timer.cancel();
      resolve();
    });
  });
}

/**
 * Runs a statement on a lease and stops it where the limit is hit: then it rejects with the limit's
 * error, which says what became of the statement.
 */
export function runWithin<T>(
  limit: Limit | undefined,
  lease: Lease,
  kind: StatementKind,
  statement: Statement,
): Promise<Result<T>> {
  if (limit === undefined) return lease.run<T>(kind, statement);
  if (limit.hit) return Promise.reject(limit.error('notExecuted'));
  const { connection } = lease;
  const before = connection.sentBytes;
  let stopped: Promise<void> | undefined;
  const stop = limit.onHit(() => {
    stopped = lease.cutOff();
    limit.stopping(stopped);
  });
  return lease.run<T>(kind, statement).then(
    async (value) => {
      stop();
      if (stopped === undefined) return value;
      await stopped;
      throw limit.error('executed');
    },
    async (error: unknown) => {
      stop();
      if (stopped === undefined) throw error;
      await stopped;
      const refused = wasAnswered(error) && !traitsOf(statement.sql).piecemeal;
      const known = refused || connection.sentBytes === before;
      const outcome: Outcome = known ? 'notExecuted' : 'unknown';
      throw limit.error(outcome, error);
    },
  );
}
