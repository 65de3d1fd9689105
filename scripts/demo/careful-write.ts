import { CommitInDoubtError, explain } from '../../src/index';
import type { Tally } from './tally';

/** A write that must happen once, with the means to find out whether it has. */
export interface CarefulWrite {
  /** Makes the write; may be called again after it certainly had no effect. */
  write(): Promise<void>;
  /** Looks the operation up in the table. */
  isWritten(): Promise<boolean>;
  /** Whether an error leaves open what happened, as opposed to: nothing did. */
  leavesDoubt(error: unknown): boolean;
}

/**
 * True where the connection was lost, as opposed to the server refusing what it was asked. Only then
 * may a caller think about running its work again.
 */
function isConnectionLoss(error: unknown): boolean {
  return explain(error).connection === 'lost';
}

/** A single statement that was lost may have been carried out. */
export const lostStatementLeavesDoubt = isConnectionLoss;

/** A transaction that was lost is gone; only when its COMMIT was already sent nobody knows. */
export function lostCommitLeavesDoubt(error: unknown): boolean {
  return error instanceof CommitInDoubtError;
}

const MOST_ATTEMPTS = 5;

/**
 * What a careful caller does with the writes that the library does not repeat by itself: begin a lost
 * transaction again, and settle what is in doubt by looking it up. Any other error is the caller's.
 */
export async function writeOnce(task: CarefulWrite, tally: Tally): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await task.write();
      return;
    } catch (error) {
      if (attempt === MOST_ATTEMPTS) throw error;
      if (task.leavesDoubt(error)) {
        tally.inDoubt++;
        if (await task.isWritten()) {
          tally.foundWritten++;
          return;
        }
        tally.madeAgain++;
      } else if (isConnectionLoss(error)) {
        tally.restarted++;
      } else {
        throw error;
      }
    }
  }
}
