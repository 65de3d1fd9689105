import { PoolExhaustedError, type PoolNumbers } from '../errors';
import type { ResolvedOptions } from '../options';

function numbersText({ total, active, idle, waiting }: PoolNumbers): string {
  return `total=${total}, active=${active}, idle=${idle}, waiting=${waiting}`;
}

/** What the reader of the error can do about it, from the numbers. */
function advice({ total, active }: PoolNumbers, limit: number): string {
  if (total === 0)
    return 'No connection could be opened: see the cause, and check host, port and server.';
  if (active >= limit) {
    return (
      'Every connection is in use: give back what getConnection() took, keep slow work out of ' +
      'scopes and transactions (manualClose()), loop over decorated generators inside a scope, or ' +
      'raise connectionLimit.'
    );
  }
  return 'The pool was still opening connections: see the cause if there is one, or raise acquireTimeout.';
}

/** The error of an acquire that was not served, with the numbers and what to do. */
export function exhausted(
  what: string,
  numbers: PoolNumbers,
  limit: number,
  lastFailure: unknown,
  hint: string | undefined,
): PoolExhaustedError {
  const text = `${what} (${numbersText(numbers)}). ${hint ?? advice(numbers, limit)}`;
  return new PoolExhaustedError(
    text,
    numbers,
    lastFailure === undefined ? {} : { cause: lastFailure },
  );
}

/** Why a caller is not even let wait, in words; `undefined` where it is. */
export function refusalOf(
  {
    queueLimit,
    waitForConnections,
  }: Pick<ResolvedOptions['pool'], 'queueLimit' | 'waitForConnections'>,
  connectionLimit: number,
  { active, waiting }: PoolNumbers,
  orFail: boolean,
): string | undefined {
  // Those for whom there is a connection, idle or still to be opened, are in nobody's way.
  const growth = Math.max(0, connectionLimit - active);
  if (!waitForConnections && active + waiting >= connectionLimit) {
    return 'No connection is free, and waitForConnections is false';
  }
  if (queueLimit > 0 && waiting - growth >= queueLimit) {
    return `The queue is full: queueLimit is ${queueLimit}`;
  }
  return orFail && active >= connectionLimit ? 'This caller would wait for itself' : undefined;
}
