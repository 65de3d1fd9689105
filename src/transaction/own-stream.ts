import { traitsOf } from '../driver/sql-text';
import type { StatementRequest } from '../driver/statement-arguments';
import type { Pool } from '../pool/pool';
import { noteFailure } from '../retry/failures';
import type { Failure } from '../retry/policy';
import { retryAfter } from '../retry/retry';
import type { Scope } from '../scope/scope';
import type { OpenStream, OpenedStream } from './row-stream';
import { RunningStream } from './running-stream';
import { limitOf } from './statement-limit';
import type { TransactionHost } from './transaction';

/**
 * What opens a stream outside of transactions: on a connection of its own, also inside a scope, so
 * that statements can be run while its rows are taken. Until its first rows have come it is
 * repeated as any other statement is.
 */
export function ownStream(
  pool: Pool,
  host: TransactionHost,
  request: StatementRequest,
  scope: Scope | undefined,
): OpenStream {
  const around = scope?.limit;
  const { policy, clock } = host;
  const { statement, retries } = request;
  const idempotent = policy.isIdempotent(request);
  const { piecemeal } = traitsOf(statement.sql);
  const hint = (): string =>
    'A stream has a connection of its own while its rows are taken, beside that of the scope it is ' +
    'read in: a connectionLimit above the number of such callers is needed.';

  return async () => {
    const limit = limitOf(request, around, host);
    let last: Failure = { idempotent, sent: false };
    let opened = false;
    const end = (): void => {
      if (limit !== around) limit?.end();
    };
    const attempt = async (): Promise<OpenedStream> => {
      last = { idempotent, sent: false };
      const lease = pool.tryAcquire(scope) ?? (await pool.acquire({ limit, hint, owner: scope }));
      const { connection } = lease;
      const before = connection.sentBytes;
      const pristine = !connection.dirty && pool.plainSessions;
      const done = (error: Error | undefined): Promise<void> | undefined => {
        if (opened) end();
        last = {
          idempotent,
          sent: connection.sentBytes > before,
          pristine,
          flavour: connection.flavour,
          piecemeal,
        };
        if (error !== undefined) noteFailure(error, last);
        if (error !== undefined && policy.condemnsServer(error, last)) pool.evictOlder(lease);
        if (error === undefined || !policy.spoils(error, last)) return lease.giveBack();
        lease.discard(error);
        return undefined;
      };
      const running = new RunningStream(statement, lease, limit, { clock, done });
      const first = await running.next();
      opened = true;
      if (first === undefined) end();
      return { running, first };
    };
    try {
      return await attempt().catch((error: unknown) =>
        retryAfter(error, policy, {
          what: 'statement',
          classOf: (reason) => policy.retryable(reason, last),
          attempt,
          most: retries === undefined ? undefined : retries + 1,
          limit,
        }),
      );
    } catch (error) {
      end();
      throw error;
    }
  };
}
