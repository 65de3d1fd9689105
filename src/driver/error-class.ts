import type { Flavour } from './connection';

/**
 * What becomes of the connection on which an error arrived. `none`: there was none, or the error says
 * nothing of it.
 */
export type ConnectionFate = 'none' | 'keep' | 'discard';
/** Whether an autocommit statement may be run again. */
export type StatementRetry = 'safe' | 'ifIdempotent' | 'never';
/**
 * Whether a transaction may be run again from its outermost level. `gone`: the server has already
 * rolled it back. `open`: it is still open, and the statement may be run again inside it.
 */
export type TransactionRetry = 'restart' | 'gone' | 'open' | 'never';
/** What a COMMIT came to that was answered with, or lost by, an error. `refused`: certainly nothing was committed. */
export type CommitFate = 'refused' | 'unknown';

/** One class of errors: how it is recognised and what may be done. */
export interface ErrorClass {
  readonly name: string;
  /** Server errors are positive, libuv's negative. Looked at first. */
  readonly errno?: readonly number[];
  /** Looked at second, for errors without a telling errno. */
  readonly code?: readonly string[];
  /** Beside code: the same code tells less of a read than of a connect. */
  readonly syscall?: string;
  /** Alone: for errors without errno and code. Beside errno: must match too. */
  readonly text?: RegExp;
  /** Only on this flavour; the numbers mean something else on the other. */
  readonly flavour?: Flavour;
  /** Only where the statement was (or was not) given to the network. */
  readonly sent?: boolean;
  /** Only where the session was as the pool made it: `SET … READ ONLY` by the user is no failover. */
  readonly pristine?: boolean;
  /** It is the server that is of no use: others may take its place, and connections as old lead to it. */
  readonly elsewhere?: boolean;
  readonly connection: ConnectionFate;
  readonly statement: StatementRetry;
  readonly transaction: TransactionRetry;
  readonly commit: CommitFate;
  /** What happened, in one sentence for people. Without any value. */
  readonly says: string;
  /** What to do, where more can be said than what follows from the fates. */
  readonly advice?: string;
}
