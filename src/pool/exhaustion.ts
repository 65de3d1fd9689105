import type { PoolOptions } from '../options';
import { PoolExhaustedError, type PoolNumbers } from '../errors';

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

/** Why an acquire that was not served at once may not even wait; `undefined` where it may. */
export function fullness(
  {
    queueLimit,
    waitForConnections,
  }: Required<Pick<PoolOptions, 'queueLimit' | 'waitForConnections'>>,
  limit: number,
  { active, waiting }: PoolNumbers,
  orFail: boolean,
): string | undefined {
  // Those for whom there is a connection, idle or still to be opened, are in nobody's way.
  const growth = Math.max(0, limit - active);
  if (!waitForConnections && active + waiting >= limit) {
    return 'No connection is free, and waitForConnections is false';
  }
  if (queueLimit > 0 && waiting - growth >= queueLimit) {
    return `The queue is full: queueLimit is ${queueLimit}`;
  }
  return orFail && active >= limit ? 'This caller would wait for itself' : undefined;
}
