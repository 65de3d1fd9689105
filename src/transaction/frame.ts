import type { Result, Statement, StatementKind } from '../driver/statement';
import { traitsOf } from '../driver/sql-text';
import { TransactionClosedError, TransactionControlError } from '../errors';
import { errorFields } from '../logger';
import type { OpenFrame } from '../scope/context';
import { Lane, type Block } from '../scope/lane';
import type { Scope } from '../scope/scope';
import type { Slot } from '../scope/slot';
import { TransactionHooks } from './hooks';
import { Transaction, type TransactionHost } from './transaction';

/**
 * One level of a transaction: the transaction itself, or a savepoint inside it.
 *
 * BEGIN and SAVEPOINT are sent with the first statement, so a frame that runs none costs nothing.
 */
export class Frame implements OpenFrame, Block {
  readonly label: string | undefined;
  readonly lane: Lane;
  readonly hooks: TransactionHooks;
  readonly #host: TransactionHost;
  readonly #scope: Scope;
  readonly #parent: Frame | undefined;
  readonly #transaction: Transaction;
  readonly #patience: number;
  readonly #children = new Set<Frame>();
  #state: 'open' | 'leaving' | 'closed' = 'open';
  #started = false;
  #savepoint = '';

  private constructor(
    host: TransactionHost,
    scope: Scope,
    transaction: Transaction,
    patience: number,
    parent: Frame | undefined,
  ) {
    this.#host = host;
    this.#scope = scope;
    this.#transaction = transaction;
    this.#parent = parent;
    this.label = scope.label;
    this.#patience = patience;
    this.lane = new Lane(host.clock, patience);
    this.hooks = new TransactionHooks(host.logger);
  }

  static outermost(host: TransactionHost, scope: Scope, slot: Slot): Frame {
    const transaction = new Transaction(host, slot);
    return new Frame(host, scope, transaction, slot.pool.acquireTimeout, undefined);
  }

  nested(scope: Scope): Frame {
    const frame = new Frame(this.#host, scope, this.#transaction, this.#patience, this);
    this.#children.add(frame);
    return frame;
  }

  get isOver(): boolean {
    return this.#state !== 'open';
  }

  /** Why nothing more is taken in; `undefined` while it is. */
  refusal(): Error | undefined {
    return this.isOver ? over(this.label) : this.#transaction.doomed;
  }

  adopt(slot: Slot): void {
    this.#scope.root()?.adopt(slot);
  }

  /** Runs a user's statement in this frame, in its turn. */
  run<T>(kind: StatementKind, statement: Statement): Promise<Result<T>> {
    const refusal = this.refusal() ?? controlRefusal(statement.sql) ?? hiddenRefusal(statement.sql);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.lane.run(() => this.#send<T>(kind, statement));
  }

  #send<T>(kind: StatementKind, statement: Statement): Promise<Result<T>> {
    if (this.#started && this.#transaction.sound && this.#state !== 'closed') {
      return this.#transaction.run(kind, statement);
    }
    return this.#sendWithCare<T>(kind, statement);
  }

  /** Brings the server to where a statement of this frame may run, then runs it. */
  async #sendWithCare<T>(kind: StatementKind, statement: Statement): Promise<Result<T>> {
    if (this.#transaction.begun && !this.#transaction.sound) await this.#transaction.examine();
    this.#refuseIfDone();
    if (!this.#started) {
      await this.#start();
      this.#refuseIfDone();
    }
    return await this.#transaction.run<T>(kind, statement);
  }

  #refuseIfDone(): void {
    if (this.#state === 'closed') throw over(this.label);
    const { doomed } = this.#transaction;
    if (doomed !== undefined) throw doomed;
  }

  async #start(): Promise<void> {
    if (this.#started) return;
    if (this.#parent === undefined) {
      await this.#transaction.begin();
      this.#started = true;
      return;
    }
    await this.#parent.#start();
    this.#refuseIfDone();
    this.#savepoint = this.#transaction.nextSavepoint();
    // Before the answer: a block that fails meanwhile has to roll back to it.
    this.#started = true;
    try {
      await this.#transaction.control(`SAVEPOINT ${this.#savepoint}`);
    } catch (error) {
      this.#transaction.doom(error as Error);
      throw error;
    }
  }

  /**
   * The block succeeded: waits for its statements and nested blocks, then COMMIT or RELEASE.
   *
   * @throws whatever makes it a failure after all; then it is rolled back as far as it can be.
   */
  async commit(): Promise<void> {
    if (this.#state === 'closed') throw over(this.label);
    this.#state = 'leaving';
    if (!this.lane.free) await this.lane.idle();
    if (this.#started && !this.#transaction.sound) await this.#transaction.examine();
    const { doomed } = this.#transaction;
    if (doomed !== undefined) {
      await this.rollBack();
      throw doomed;
    }
    // An ancestor that failed meanwhile has closed this frame and rolls it back with its own.
    if ((this.#state as string) === 'closed') throw over(this.label);
    try {
      if (this.#started) {
        await (this.#parent === undefined ? this.#transaction.commit() : this.#release());
      }
    } finally {
      this.#state = 'closed';
    }
  }

  async #release(): Promise<void> {
    try {
      await this.#transaction.control(`RELEASE SAVEPOINT ${this.#savepoint}`);
    } catch (error) {
      await this.rollBack();
      throw error;
    }
  }

  /**
   * The block failed: closes it and everything inside it at once, waits only for the statement on
   * the wire, then rolls back. Never rejects: the block's own error is the one that counts.
   */
  async rollBack(): Promise<void> {
    const closedFromOutside = this.#state === 'closed';
    this.#close();
    await this.#transaction.settled();
    if (closedFromOutside) return;
    if (this.#parent === undefined) {
      await this.#transaction.rollBack();
      return;
    }
    if (!this.#started) return;
    if (this.#transaction.doomed !== undefined) return;
    try {
      await this.#transaction.control(`ROLLBACK TO SAVEPOINT ${this.#savepoint}`);
    } catch (error) {
      this.#transaction.doom(error as Error);
      this.#host.logger.warn(errorFields(error), 'ROLLBACK TO SAVEPOINT failed');
    }
  }

  /** Runs the hooks, or hands them to the frame outside, once the frame is over. */
  settleHooks(outcome: 'committed' | 'rolledBack' | 'unknown'): Promise<void> | undefined {
    if (outcome === 'unknown' || this.#transaction.endedBehindOurBack) {
      this.hooks.forget();
      return undefined;
    }
    if (outcome === 'rolledBack') return this.hooks.rolledBack();
    if (this.#parent === undefined) return this.hooks.committed();
    this.hooks.moveTo(this.#parent.hooks);
    return undefined;
  }

  detach(): void {
    const parent = this.#parent;
    if (parent !== undefined) parent.#children.delete(this);
  }

  #close(): void {
    this.#state = 'closed';
    this.lane.rejectWaiting(() => over(this.label));
    for (const child of this.#children) child.#close();
  }
}

function over(label: string | undefined): TransactionClosedError {
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
function hiddenRefusal(sql: string): TransactionControlError | undefined {
  if (!traitsOf(sql).hidesControl) return undefined;
  return new TransactionControlError(
    'EXECUTE, compound statements, completion_type and CREATE … START TRANSACTION may end the ' +
      'transaction of a block without anybody seeing it; this one was not sent. Run it outside atomic().',
  );
}
