import type { Clock } from '../clock';
import { classify, wasAnswered } from '../driver/classify';
import type { ErrorClass } from '../driver/error-class';
import { traitsOf } from '../driver/sql-text';
import type { Result, ResultShape, Statement, StatementKind } from '../driver/statement';
import { CommitInDoubtError, TransactionOpenError } from '../errors';
import type { Limit } from '../limit';
import { errorFields, type Logger } from '../logger';
import type { Observation } from '../metrics/observation';
import { bounded } from '../pool/bounded';
import { runWithin } from '../pool/cut-off';
import type { Lease } from '../pool/lease';
import { noteFailure } from '../retry/failures';
import type { RetryPolicy } from '../retry/policy';
import { retryAfter } from '../retry/retry';
import type { Slot } from '../scope/slot';
import { RunningStream } from './running-stream';
import { Soundness } from './soundness';

/** What transactions of one database need of it. */
export interface TransactionHost {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: RetryPolicy;
  readonly observation: Observation;
  /** The longest time of a statement that has none of its own, in ms; 0 is no limit. */
  readonly timeout: number;
  /** Whether values may be given by name where a statement does not say. */
  readonly namedPlaceholders: boolean;
  /** The form of rows for the library's own statements, where the caller's options give them another. */
  readonly ownShape?: ResultShape | undefined;
}

/** How a transaction is begun. */
export interface TransactionMode {
  readonly isolationLevel?: string | undefined;
  readonly readOnly?: boolean | undefined;
  readonly consistentSnapshot?: boolean | undefined;
}

function beginning({ readOnly, consistentSnapshot }: TransactionMode): string {
  const how: string[] = [];
  if (consistentSnapshot === true) how.push('WITH CONSISTENT SNAPSHOT');
  if (readOnly === true) how.push('READ ONLY');
  return how.length === 0 ? 'BEGIN' : `START TRANSACTION ${how.join(', ')}`;
}

/** How long ROLLBACK may take where the transaction's own time is up, in ms. */
const LATE_ROLLBACK = 500;

/**
 * A transaction on the server: its connection, whether it was begun, and whether it can still be
 * committed. Its frames decide when; callers have the turn on the connection.
 */
export class Transaction {
  readonly mode: TransactionMode;
  readonly soundness = new Soundness();
  /** The stream that is open in it, and the frame that opened it. */
  open: { readonly stream: RunningStream; readonly frame: object } | undefined;
  readonly #host: TransactionHost;
  readonly #slot: Slot;
  #lease: Lease | undefined;
  #beginning: Promise<void> | undefined;
  #savepoints = 0;

  constructor(host: TransactionHost, slot: Slot, mode: TransactionMode) {
    this.#host = host;
    this.#slot = slot;
    this.mode = mode;
  }

  get begun(): boolean {
    return this.#lease !== undefined;
  }

  /** `listener` is called once if the connection is lost. Call when begun. */
  onConnectionLost(listener: () => void): () => void {
    return this.#begunLease().connection.onLost(listener);
  }

  /** Takes the connection and sends BEGIN. Nothing of the user's has run, so both are retried. */
  begin(limit: Limit | undefined): Promise<void> {
    this.#beginning = this.#begin(limit);
    return this.#beginning;
  }

  async #begin(limit: Limit | undefined): Promise<void> {
    const { policy } = this.#host;
    policy.noteCall();
    const attempt = (): Promise<void> => this.#beginOnce(limit);
    try {
      await attempt();
    } catch (failure) {
      const classOf = (error: unknown): ErrorClass | undefined =>
        policy.retryable(error, { idempotent: true });
      await retryAfter(failure, policy, { what: 'BEGIN', attempt, classOf, limit });
    }
  }

  async #beginOnce(limit: Limit | undefined): Promise<void> {
    const taken = this.#slot.take(limit);
    const lease = taken instanceof Promise ? await taken : taken;
    if (lease.connection.inTransaction) {
      throw new TransactionOpenError(
        'This connection has a transaction open that was begun by hand; BEGIN would commit it. ' +
          'End it with commit() or rollback() before atomic().',
      );
    }
    const { isolationLevel } = this.mode;
    const control = (sql: string): Promise<unknown> =>
      runWithin(limit, lease, 'query', { sql, tidy: true });
    try {
      // Holds for the one transaction that follows, and leaves the session as it was.
      if (isolationLevel !== undefined) {
        await control(`SET TRANSACTION ISOLATION LEVEL ${isolationLevel}`);
      }
      await control(beginning(this.mode));
      this.#lease = lease;
    } catch (error) {
      this.#condemn(error, lease);
      // Whether it was begun is not known, and another connection serves as well.
      this.#slot.discard(error as Error);
      throw error;
    }
  }

  /** Runs a user's statement. The transaction is begun and sound. */
  run<T>(kind: StatementKind, statement: Statement, limit: Limit | undefined): Promise<Result<T>> {
    const lease = this.#begunLease();
    return runWithin<T>(limit, lease, kind, statement).then(
      (result) => {
        if (!lease.connection.inTransaction) throw this.soundness.implicitCommit();
        // Rows come without the status flag, and ANALYZE TABLE and its like commit and answer with rows.
        if (Array.isArray(result[0]) && !traitsOf(statement.sql).plainDml) {
          return this.#verified(result, statement.sql, limit);
        }
        return result;
      },
      (error: unknown) => {
        this.soundness.noteFailure(error as Error, statement.sql, lease.connection);
        this.#condemn(error, lease);
        throw error;
      },
    );
  }

  /** Notes what was known of a failure: a transaction that is run again must not meet the same server. */
  #condemn(error: unknown, lease: Lease): void {
    const { connection } = lease;
    const { pool } = this.#slot;
    const pristine = this.mode.readOnly !== true && !connection.dirty && pool.plainSessions;
    const circumstances = { flavour: connection.flavour, pristine };
    noteFailure(error, circumstances);
    if (this.#host.policy.condemnsServer(error, circumstances)) pool.evictOlder(lease);
  }

  /** The result, once the server has said that the transaction is still open. */
  async #verified<T>(result: Result<T>, sql: string, limit: Limit | undefined): Promise<Result<T>> {
    const open = await this.#isOpen(limit).catch((error: unknown) => {
      this.soundness.noteRows(sql);
      throw limit?.hit === true ? limit.error('executed', error) : error;
    });
    if (!open) throw this.soundness.implicitCommit();
    return result;
  }

  /** Asks the server by the status flag of a statement that does nothing. */
  async #isOpen(limit: Limit | undefined): Promise<boolean> {
    await this.control('DO 0', limit);
    return this.#begunLease().connection.inTransaction;
  }

  /** Runs a user's statement whose rows are taken one by one. The transaction is begun and sound. */
  stream(statement: Statement, limit: Limit | undefined, done: () => void): RunningStream {
    const lease = this.#begunLease();
    return new RunningStream(statement, lease, limit, {
      clock: this.#host.clock,
      done: (error) => {
        done();
        if (error === undefined) {
          this.soundness.noteRows(statement.sql);
        } else {
          this.soundness.noteFailure(error, statement.sql, lease.connection);
          this.#condemn(error, lease);
        }
        return undefined;
      },
    });
  }

  /** Makes a savepoint. Its name is used once per transaction: depth would repeat what a failed block left. */
  async savepoint(limit: Limit | undefined): Promise<string> {
    this.#savepoints++;
    const name = `boomerang_${this.#savepoints}`;
    try {
      await this.control(`SAVEPOINT ${name}`, limit);
    } catch (error) {
      this.soundness.noteOwnFailure(error as Error, this.#begunLease().connection);
      throw error;
    }
    return name;
  }

  /** Runs a statement of our own: SAVEPOINT, RELEASE. */
  async control(sql: string, limit: Limit | undefined): Promise<void> {
    const lease = this.#begunLease();
    try {
      await runWithin(limit, lease, 'query', { sql });
    } catch (error) {
      this.#condemn(error, lease);
      throw error;
    }
  }

  /** After a refused statement: asks the server whether the transaction is still open. */
  examine(limit: Limit | undefined): Promise<void> {
    return this.soundness.examine(() => this.#isOpen(limit));
  }

  /**
   * Sends COMMIT. At the limit's deadline the connection is closed, and nothing is known any more; a
   * signal that is aborted by then is not heard.
   *
   * @throws {CommitInDoubtError} where the answer is not known.
   * @throws the driver's error where it is certain that nothing was committed.
   */
  async commit(limit: Limit | undefined): Promise<void> {
    const lease = this.#begunLease();
    const { connection } = lease;
    const before = connection.sentBytes;
    const { clock } = this.#host;
    const close = (): void =>
      connection.destroy(new Error('closed: COMMIT was not answered in time'));
    const deadline =
      limit === undefined || limit.deadline === Infinity
        ? undefined
        : clock.setDeadline(close, Math.max(0, limit.deadline - clock.now()));
    try {
      await lease.run('query', { sql: 'COMMIT' });
    } catch (error) {
      this.#condemn(error, lease);
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
    } finally {
      deadline?.cancel();
    }
  }

  /** Rolls back, if anything was begun. Call when {@link settled}. Never rejects. A connection that fails at it is closed. */
  async rollBack(limit: Limit | undefined): Promise<void> {
    const lease = this.#lease;
    // A connection that its borrower gave back was rolled back on return.
    if (lease === undefined || lease.released) return;
    this.soundness.ends();
    try {
      if (lease.connection.lost !== undefined) throw lease.connection.lost;
      await this.#inTime(limit, async () => {
        if (this.soundness.mayHaveCommitted) await this.examine(undefined);
        if (this.soundness.endedBehindOurBack) {
          this.#host.logger.error(
            {},
            'a statement ended the transaction: what came before it may be committed',
          );
        }
        await lease.run('query', { sql: 'ROLLBACK' });
      });
    } catch (error) {
      this.#slot.discard(error as Error);
      this.#host.logger.warn(errorFields(error), 'ROLLBACK failed; the connection is closed');
    }
  }

  /** Undoes a savepoint's block. A failure dooms the transaction. Never rejects. */
  async rollBackTo(savepoint: string, limit: Limit | undefined): Promise<void> {
    try {
      const sql = `ROLLBACK TO SAVEPOINT ${savepoint}`;
      await this.#inTime(limit, () => this.#begunLease().run('query', { sql }));
    } catch (error) {
      // A lock wait may have ended the transaction, and its savepoints with it: that is why, then.
      await this.#inTime(limit, () => this.examine(undefined)).catch(() => {});
      this.soundness.doom(error as Error);
      this.#host.logger.warn(errorFields(error), 'ROLLBACK TO SAVEPOINT failed');
    }
  }

  /** Waits for the statement on the wire, be it BEGIN, and for an order to stop it. Never rejects. */
  async settled(): Promise<void> {
    await this.#beginning?.catch(() => {});
    if (this.#lease?.released !== false) return;
    await this.#lease.connection.drained();
    await this.#lease.stopping;
  }

  /** The server rolls back by itself once the connection is closed. */
  #inTime<T>(limit: Limit | undefined, work: () => Promise<T>): Promise<T> {
    const within = limit?.hit === true ? LATE_ROLLBACK : this.#slot.pool.answerTimeout;
    return bounded(this.#host.clock, this.#begunLease().connection, within, work);
  }

  #begunLease(): Lease {
    if (this.#lease === undefined) throw new Error('the transaction was not begun');
    return this.#lease;
  }
}
