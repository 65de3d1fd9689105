import { traitsOf } from '../driver/sql-text';
import { TransactionClosedError, TransactionControlError } from '../errors';

/** The error of late work of a block that is over. */
export function over(label: string | undefined): TransactionClosedError {
  return new TransactionClosedError(
    `The transaction block${label === undefined ? '' : ` '${label}'`} is over; this late work of it was ` +
      'not run. Await what a block starts. Timers, emitters and singletons that are made inside a ' +
      'block and outlive it belong under db.withoutScope(fn).',
  );
}

/** Refuses transaction control sent as text: BEGIN inside a transaction commits what came before. */
export function controlRefusal(sql: string): TransactionControlError | undefined {
  if (!traitsOf(sql).controlsTransaction) return undefined;
  return new TransactionControlError(
    'Transactions are begun and ended by atomic(), not by statements; this one was not sent. ' +
      'A connection from getConnection() takes it, outside atomic().',
  );
}

/** Refuses, inside a block, what could do the same out of our sight. */
export function hiddenRefusal(sql: string): TransactionControlError | undefined {
  if (!traitsOf(sql).hidesControl) return undefined;
  return new TransactionControlError(
    'EXECUTE, compound statements, completion_type and CREATE … START TRANSACTION may end the ' +
      'transaction of a block without anybody seeing it; this one was not sent. Run it outside atomic().',
  );
}
