import type { Clock } from '../clock';
import { CommitInDoubtError } from '../errors';
import type { TransactionOutcome } from './observer';
import { TraceChannel, type ServerName, type TraceMessage } from './trace-channel';

/**
 * What subscribers of the tracing channel `mysql-boomerang.transaction` get: one object for each outermost
 * `atomic()`, which lasts from the call to its end, with all its attempts and hooks.
 */
export interface TransactionMessage extends TraceMessage {
  /** As it was given to `atomic()`. */
  readonly label: string | undefined;
  /** There once it has settled. */
  outcome?: TransactionOutcome;
}

/** The tracing channel of transactions. Its block runs in the stores that are bound to `…:start`. */
export const TRANSACTION_CHANNEL = 'mysql-boomerang.transaction';

export const transactionChannel = new TraceChannel<TransactionMessage>(TRANSACTION_CHANNEL);

/** Runs an outermost block, and tells of it. */
export async function traceTransaction<T>(
  { host, port, database }: ServerName,
  label: string | undefined,
  clock: Clock,
  run: () => Promise<T>,
): Promise<T> {
  const message: TransactionMessage = { label, host, port, database };
  const begun = clock.now();
  try {
    const value = await transactionChannel.run(message, run);
    message.outcome = 'committed';
    transactionChannel.settle(message, clock.now() - begun);
    return value;
  } catch (error) {
    message.outcome = error instanceof CommitInDoubtError ? 'inDoubt' : 'rolledBack';
    transactionChannel.settle(message, clock.now() - begun, { error });
    throw error;
  }
}
