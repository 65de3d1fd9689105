import type { Clock } from '../clock';
import { classify, wasAnswered } from '../driver/classify';
import { traitsOf } from '../driver/sql-text';
import type { Result, Statement, StatementKind } from '../driver/statement';
import {
  BoomerangError,
  CommitInDoubtError,
  ImplicitCommitError,
  TransactionDoomedError,
  TransactionOpenError,
} from '../errors';
import { errorFields, type Logger } from '../logger';
import type { Lease } from '../pool/lease';
import type { RetryPolicy } from '../retry/policy';
import { retryAfter } from '../retry/retry';
import type { Slot } from '../scope/slot';

/** What transactions of one database need of it. */
export interface TransactionHost {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: RetryPolicy;
}

/**
 * A transaction on the server: its connection, whether it was begun, and whether it can still be
 * committed. Its frames decide when; callers have the turn on the connection.
 */
export class Transaction {
  readonly #host: TransactionHost;
  readonly #slot: Slot;
  #lease: Lease | undefined;
  #beginning: Promise<void> | undefined;
  #savepoints = 0;
  #doom: Error | undefined;
  /** The last refused statement; while set, the server may have ended the transaction with it. */
  #suspicion: Error | undefined;
  /** The refused statement was of a kind that commits before it runs, as DDL does. */
  #mayHaveCommitted = false;
  #endedBehindOurBack = false;

  constructor(host: TransactionHost, slot: Slot) {
    this.#host = host;
    this.#slot = slot;
  }

  get begun(): boolean {
    return this.#lease !== undefined;
  }

  /** True while a statement can go straight to the server. */
  get sound(): boolean {
    return this.#doom === undefined && this.#suspicion === undefined;
  }

  /** The error of any further statement, once the transaction can only be rolled back. */
  get doomed(): TransactionDoomedError | undefined {
    if (this.#doom === undefined) return undefined;
    const reason =
      this.#doom instanceof BoomerangError ? this.#doom.name : classify(this.#doom).name;
    return new TransactionDoomedError(
      `This transaction cannot go on after '${reason}'; nothing more is run in it. ` +
        'Let the error leave the outermost atomic() and run that again.',
      { cause: this.#doom },
    );
  }

  /** A statement has ended it on the server: what came before is committed, or was rolled back. */
  get endedBehindOurBack(): boolean {
    return this.#endedBehindOurBack;
  }

  /** A name used once per transaction: depth would repeat a name that a failed block left behind. */
  nextSavepoint(): string {
    this.#savepoints++;
    return `boomerang_${this.#savepoints}`;
  }

  /** Takes the connection and sends BEGIN. Nothing of the user's has run, so both are retried. */
  begin(): Promise<void> {
    this.#beginning = this.#begin();
    return this.#beginning;
  }

  async #begin(): Promise<void> {
    const { policy, logger } = this.#host;
    try {
      await this.#beginOnce();
    } catch (failure) {
      await retryAfter(failure, () => this.#beginOnce(), policy, {
        retry: (error) => policy.retryable(error, { idempotent: true }) !== undefined,
        repeated: (error, attempt) => {
          logger.warn({ attempt, ...errorFields(error) }, 'BEGIN is repeated');
        },
      });
    }
  }

  async #beginOnce(): Promise<void> {
    const taken = this.#slot.lease();
    const lease = taken instanceof Promise ? await taken : taken;
    if (lease.connection.inTransaction) {
      throw new TransactionOpenError(
        'This connection has a transaction open that was begun by hand; BEGIN would commit it. ' +
          'End it with commit() or rollback() before atomic().',
      );
    }
    try {
      await lease.run('query', { sql: 'BEGIN' });
      this.#lease = lease;
    } catch (error) {
      // Whether it was begun is not known, and another connection serves as well.
      this.#slot.discard(error as Error);
      throw error;
    }
  }

  /** Runs a user's statement. The transaction is begun and sound. */
  run<T>(kind: StatementKind, statement: Statement): Promise<Result<T>> {
    const lease = this.#begunLease();
    return lease.run<T>(kind, statement).then(
      (result) => {
        if (!lease.connection.inTransaction) throw this.#implicitCommit();
        // Rows come without the status flag, and ANALYZE TABLE and its like commit and answer with rows.
        if (Array.isArray(result[0]) && !traitsOf(statement.sql).plainDml) {
          return this.#verified(result);
        }
        return result;
      },
      (error: unknown) => {
        this.#noteFailure(error as Error, statement.sql);
        throw error;
      },
    );
  }

  /** The result, once the server has said that the transaction is still open. */
  async #verified<T>(result: Result<T>): Promise<Result<T>> {
    if (!(await this.#isOpen())) throw this.#implicitCommit();
    return result;
  }

  /** Asks the server by the status flag of a statement that does nothing. */
  async #isOpen(): Promise<boolean> {
    const lease = this.#begunLease();
    await lease.run('query', { sql: 'DO 0' });
    return lease.connection.inTransaction;
  }

  /** Runs a statement of our own: SAVEPOINT, RELEASE, ROLLBACK TO. */
  async control(sql: string): Promise<void> {
    await this.#begunLease().run('query', { sql });
  }

  /** After a refused statement: asks the server whether the transaction is still open. */
  async examine(): Promise<void> {
    const suspicion = this.#suspicion;
    if (suspicion === undefined || this.#doom !== undefined) return;
    try {
      if (!(await this.#isOpen())) {
        this.#doom = suspicion;
        this.#endedBehindOurBack = this.#mayHaveCommitted;
      }
    } catch (error) {
      this.#doom = error as Error;
    }
    this.#suspicion = undefined;
    this.#mayHaveCommitted = false;
  }

  doom(reason: Error): void {
    this.#doom ??= reason;
  }

  /**
   * @throws {CommitInDoubtError} where the answer is not known.
   * @throws the driver's error where it is certain that nothing was committed.
   */
  async commit(): Promise<void> {
    const lease = this.#begunLease();
    const { connection } = lease;
    const before = connection.sentBytes;
    try {
      await lease.run('query', { sql: 'COMMIT' });
    } catch (error) {
      this.#slot.discard(error as Error);
      const sent = connection.sentBytes > before;
      const { commit } = classify(error, { flavour: connection.flavour });
      const refused = wasAnswered(error) && commit === 'refused';
      if (!sent || refused) throw error;
      throw new CommitInDoubtError(
        'COMMIT was sent and its answer did not come: the transaction may be committed or not. ' +
          'It is not repeated; look for its effects in the tables before you run it again.',
        { cause: error },
      );
    }
  }

  /** Rolls back, if anything was begun. Call when {@link settled}. Never rejects. A connection that fails at it is closed. */
  async rollBack(): Promise<void> {
    const lease = this.#lease;
    // A connection that its borrower gave back was rolled back on return.
    if (lease === undefined || lease.released) return;
    try {
      if (lease.connection.lost !== undefined) throw lease.connection.lost;
      if (this.#mayHaveCommitted) await this.examine();
      if (this.#endedBehindOurBack) {
        this.#host.logger.error(
          {},
          'a statement ended the transaction: what came before it may be committed',
        );
      }
      await lease.run('query', { sql: 'ROLLBACK' });
    } catch (error) {
      this.#slot.discard(error as Error);
      this.#host.logger.warn(errorFields(error), 'ROLLBACK failed; the connection is closed');
    }
  }

  /** Waits for the statement on the wire, be it BEGIN. Never rejects. */
  async settled(): Promise<void> {
    await this.#beginning?.catch(() => {});
    if (this.#lease?.released === false) await this.#lease.connection.drained();
  }

  #begunLease(): Lease {
    if (this.#lease === undefined) throw new Error('the transaction was not begun');
    return this.#lease;
  }

  #noteFailure(error: Error, sql: string): void {
    if (error instanceof BoomerangError) return;
    const flavour = this.#lease?.connection.flavour;
    if (!wasAnswered(error) || classify(error, { flavour }).transaction === 'gone') {
      this.#doom ??= error;
    } else {
      this.#suspicion = error;
      this.#mayHaveCommitted ||= !traitsOf(sql).plainDml;
    }
  }

  #implicitCommit(): ImplicitCommitError {
    const error = new ImplicitCommitError(
      'This statement ended the transaction on the server (as DDL and LOCK TABLES do): what came ' +
        'before it is committed, or rolled back where a procedure did that. Run it outside atomic().',
    );
    this.#doom ??= error;
    this.#endedBehindOurBack = true;
    return error;
  }
}
