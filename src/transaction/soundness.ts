import { classify, wasAnswered } from '../driver/classify';
import type { Connection } from '../driver/connection';
import { traitsOf } from '../driver/sql-text';
import {
  BoomerangError,
  ImplicitCommitError,
  StatementAbortedError,
  StatementTimeoutError,
  TransactionDoomedError,
  TransactionTimeoutError,
} from '../errors';

/** Errors of ours after which something may have run on the server. */
const CUT_OFF = [StatementTimeoutError, StatementAbortedError, TransactionTimeoutError];

/** True where a limit, and not the server, has ended a statement. */
export function isCutOff(error: unknown): boolean {
  return CUT_OFF.some((type) => error instanceof type);
}

/**
 * What is known of a transaction's state on the server: whether it can go on, can only be rolled
 * back, or has to be asked about first.
 */
export class Soundness {
  #doom: Error | undefined;
  /** The last refused statement; while set, the server may have ended the transaction with it. */
  #suspicion: Error | undefined;
  /** The refused statement was of a kind that commits before it runs, as DDL does. */
  #mayHaveCommitted = false;
  #endedBehindOurBack = false;
  readonly #listeners = new Set<() => void>();

  /** True while a statement can go straight to the server. */
  get certain(): boolean {
    return this.#doom === undefined && this.#suspicion === undefined;
  }

  get mayHaveCommitted(): boolean {
    return this.#mayHaveCommitted;
  }

  /** A statement has ended it on the server: what came before is committed, or was rolled back. */
  get endedBehindOurBack(): boolean {
    return this.#endedBehindOurBack;
  }

  /** The error of any further statement, once the transaction can only be rolled back. */
  get doomed(): TransactionDoomedError | undefined {
    return this.#doom === undefined ? undefined : doomedBy(this.#doom);
  }

  doom(reason: Error): void {
    if (this.#doom !== undefined) return;
    this.#doom = reason;
    this.ends();
  }

  /** `listener` is called once the server may have let go of the transaction's rows. Returns what takes it away. */
  onEnd(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The server is about to let go of the transaction's rows, without its changes. */
  ends(): void {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  /** A statement failed: what that says of the transaction. */
  noteFailure(error: Error, sql: string, connection: Connection): void {
    if (connection.lost !== undefined) {
      this.doom(error);
      return;
    }
    if (error instanceof BoomerangError) {
      if (isCutOff(error)) this.#suspect(error, sql);
      return;
    }
    const { flavour } = connection;
    if (!wasAnswered(error) || classify(error, { flavour }).transaction === 'gone') {
      this.doom(error);
    } else {
      this.#suspect(error, sql);
    }
  }

  /** A statement of ours failed. What a limit has stopped has at most not been run. */
  noteOwnFailure(error: Error, connection: Connection): void {
    if (isCutOff(error) && connection.lost === undefined) this.#suspicion = error;
    else this.#doom ??= error;
  }

  /** Rows came without the status flag; what is no plain read may have ended the transaction. */
  noteRows(sql: string): void {
    if (!traitsOf(sql).plainDml) this.#suspect(new Error('not known after rows'), sql);
  }

  #suspect(error: Error, sql: string): void {
    this.#suspicion = error;
    this.#mayHaveCommitted ||= !traitsOf(sql).plainDml;
  }

  /**
   * After a refused statement: asks the server, by `isOpen`, whether the transaction is still open.
   *
   * @throws where a limit cut that off: whoever comes next asks again.
   */
  async examine(isOpen: () => Promise<boolean>): Promise<void> {
    const suspicion = this.#suspicion;
    if (suspicion === undefined || this.#doom !== undefined) return;
    try {
      if (!(await isOpen())) {
        this.#endedBehindOurBack = this.#mayHaveCommitted;
        this.doom(suspicion);
      }
    } catch (error) {
      if (isCutOff(error)) throw error;
      this.doom(error as Error);
    }
    this.#suspicion = undefined;
    this.#mayHaveCommitted = false;
  }

  /** A statement that succeeded has ended the transaction. */
  implicitCommit(): ImplicitCommitError {
    const error = new ImplicitCommitError(
      'This statement ended the transaction on the server (as DDL and LOCK TABLES do): what came ' +
        'before it is committed, or rolled back where a procedure did that. Run it outside atomic().',
    );
    this.#endedBehindOurBack = true;
    this.doom(error);
    return error;
  }
}

/** The error of what is not run any more, because of `reason`. */
export function doomedBy(reason: Error): TransactionDoomedError {
  const what = reason instanceof BoomerangError ? reason.name : classify(reason).name;
  return new TransactionDoomedError(
    `This transaction cannot go on after '${what}'; nothing more is run in it. ` +
      'Let the error leave the outermost atomic() and run that again.',
    { cause: reason },
  );
}
