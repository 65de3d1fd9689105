import type { Result, Statement, StatementKind } from '../driver/statement';
import type { Limit } from '../limit';
import type { OpenFrame } from '../scope/context';
import { Lane, type Block } from '../scope/lane';
import type { Scope } from '../scope/scope';
import type { Slot } from '../scope/slot';
import { TransactionHooks } from './hooks';
import { controlRefusal, hiddenRefusal, over } from './refusals';
import type { OpenedStream } from './row-stream';
import { streamOpen, type RunningStream } from './running-stream';
import { doomedBy, isCutOff } from './soundness';
import { Transaction, type TransactionHost, type TransactionMode } from './transaction';

/**
 * One level of a transaction: the transaction itself, a savepoint inside it, or a block that joins
 * the level it stands in.
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
  readonly #joins: boolean;
  #state: 'open' | 'leaving' | 'closed' = 'open';
  #started = false;
  /** Its name, once it is made; rejects where it was not. */
  #savepoint: Promise<string> | undefined;
  /** A block that joined this one, or one around it, has failed, and with it this one. */
  #spoilt: Error | undefined;
  readonly #awaiting = new Set<() => void>();
  #aborter: AbortController | undefined;
  #deafen: (() => void) | undefined;

  private constructor(
    host: TransactionHost,
    scope: Scope,
    transaction: Transaction,
    patience: number,
    parent?: Frame,
    joins = false,
  ) {
    this.#host = host;
    this.#scope = scope;
    this.#transaction = transaction;
    this.#parent = parent;
    this.#joins = joins;
    this.label = scope.label;
    this.#patience = patience;
    this.lane = new Lane(host.clock, patience);
    this.hooks = new TransactionHooks(host.logger);
  }

  static outermost(host: TransactionHost, scope: Scope, slot: Slot, mode: TransactionMode): Frame {
    const transaction = new Transaction(host, slot, mode);
    return new Frame(host, scope, transaction, slot.pool.acquireTimeout);
  }

  /** @param joins without a savepoint: it fails with this one, and this one with it. */
  nested(scope: Scope, joins: boolean): Frame {
    const frame = new Frame(this.#host, scope, this.#transaction, this.#patience, this, joins);
    this.#children.add(frame);
    return frame;
  }

  get isOver(): boolean {
    return this.#state !== 'open';
  }

  get isOutermost(): boolean {
    return this.#parent === undefined;
  }

  /** How the whole transaction is begun. */
  get mode(): TransactionMode {
    return this.#transaction.mode;
  }

  /** What bounds the block. */
  get limit(): Limit | undefined {
    return this.#scope.limit;
  }

  /** Aborted when the block's limit is hit, or it is closed before its callback has ended. */
  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      const aborter = (this.#aborter = new AbortController());
      const { limit } = this;
      if (this.#state === 'closed') aborter.abort(over(this.label));
      else if (limit?.hit === true) aborter.abort(limit.whole);
      else this.#deafen = limit?.onHit(() => aborter.abort(limit.whole));
    }
    return this.#aborter.signal;
  }

  /** `listener` is called once if the transaction's connection is lost. Returns what takes it away. */
  onConnectionLost(listener: () => void): () => void {
    return this.#transaction.onConnectionLost(listener);
  }

  /** `listener` is called once if the transaction fails, before the server lets go of its rows where we decide it. */
  onFailure(listener: () => void): () => void {
    return this.#transaction.soundness.onEnd(listener);
  }

  /**
   * `listener` is called once the block around this one only waits for this one's end, with the longest
   * time in ms that it should. Returns what takes it away.
   */
  onAwaited(listener: (patience: number) => void): () => void {
    const parent = this.#parent;
    if (parent === undefined) return () => {};
    const told = (): void => listener(parent.#patience);
    if (parent.#state === 'leaving') told();
    else parent.#awaiting.add(told);
    return () => void parent.#awaiting.delete(told);
  }

  /** The block around this one can only fail. */
  spoilOuter(reason: Error): void {
    if (this.#parent !== undefined) this.#parent.#spoil(reason);
  }

  /** Why nothing more is taken in; `undefined` while it is. */
  refusal(): Error | undefined {
    if (this.isOver) return over(this.label);
    if (this.#transaction.open !== undefined) return streamOpen();
    return this.#spoilt === undefined ? this.#transaction.soundness.doomed : doomedBy(this.#spoilt);
  }

  adopt(slot: Slot): void {
    this.#scope.root()?.adopt(slot);
  }

  /** Runs a user's statement in this frame, in its turn. */
  run<T>(kind: StatementKind, statement: Statement, limit: Limit | undefined): Promise<Result<T>> {
    const refusal = this.refusal() ?? controlRefusal(statement.sql) ?? hiddenRefusal(statement.sql);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.lane.run(() => this.#send<T>(kind, statement, limit), limit);
  }

  /** Begins a statement whose rows are taken one by one; until they are, no other is run in the transaction. */
  async stream(
    statement: Statement,
    limit: Limit | undefined,
    done: () => void,
  ): Promise<OpenedStream> {
    const refusal = this.refusal() ?? controlRefusal(statement.sql) ?? hiddenRefusal(statement.sql);
    if (refusal !== undefined) throw refusal;
    const running = await this.lane.run(() => this.#openStream(statement, limit, done), limit);
    return { running, first: await running.next() };
  }

  async #openStream(
    statement: Statement,
    limit: Limit | undefined,
    done: () => void,
  ): Promise<RunningStream> {
    await this.#ready(limit);
    const transaction = this.#transaction;
    const stream = transaction.stream(statement, limit, () => {
      if (transaction.open?.stream === stream) transaction.open = undefined;
      done();
    });
    transaction.open = { stream, frame: this };
    return stream;
  }

  /** Leaves a stream that was opened in this frame or inside it. */
  async #closeStream(): Promise<void> {
    const { open } = this.#transaction;
    if (open === undefined) return;
    let frame: Frame | undefined = open.frame as Frame;
    while (frame !== undefined && frame !== this) frame = frame.#parent;
    if (frame === this) await open.stream.leave(over(this.label));
  }

  #send<T>(
    kind: StatementKind,
    statement: Statement,
    limit: Limit | undefined,
  ): Promise<Result<T>> {
    const { soundness, open } = this.#transaction;
    const sound = soundness.certain && this.#spoilt === undefined && open === undefined;
    if (this.#started && sound && this.#state !== 'closed') {
      return this.#transaction.run(kind, statement, limit);
    }
    return this.#ready(limit).then(() => this.#transaction.run<T>(kind, statement, limit));
  }

  /** Brings the server to where a statement of this frame may run. */
  async #ready(limit: Limit | undefined): Promise<void> {
    const { soundness } = this.#transaction;
    // It may have been opened while this waited for its turn.
    if (this.#transaction.open !== undefined) throw streamOpen();
    try {
      if (this.#transaction.begun && !soundness.certain) await this.#transaction.examine(limit);
      this.#refuseIfDone();
      if (this.#started) return;
      await this.#start(limit);
    } catch (error) {
      // Whatever became of ours, the statement itself was not sent.
      const cause = (error as Error).cause;
      throw limit?.hit === true && isCutOff(error) ? limit.error('notExecuted', cause) : error;
    }
    this.#refuseIfDone();
  }

  #refuseIfDone(): void {
    if (this.#state === 'closed') throw over(this.label);
    const { doomed } = this.#transaction.soundness;
    if (doomed !== undefined) throw doomed;
    if (this.#spoilt !== undefined) throw doomedBy(this.#spoilt);
  }

  async #start(limit: Limit | undefined): Promise<void> {
    if (this.#started) return;
    if (this.#parent === undefined) {
      await this.#transaction.begin(limit);
      this.#started = true;
      return;
    }
    await this.#parent.#start(limit);
    this.#refuseIfDone();
    if (this.#joins) {
      this.#started = true;
      return;
    }
    // Kept before the answer: a block that fails meanwhile has to roll back to it.
    this.#savepoint = this.#transaction.savepoint(limit);
    await this.#savepoint;
    this.#started = true;
  }

  /**
   * The block succeeded: waits for its statements and nested blocks, then COMMIT or RELEASE.
   *
   * @throws whatever makes it a failure after all; then it is rolled back as far as it can be.
   */
  async commit(): Promise<void> {
    if (this.#state === 'closed') throw over(this.label);
    this.#state = 'leaving';
    const { limit } = this;
    for (const listener of this.#awaiting) listener();
    if (!this.lane.free) await this.lane.idle();
    if (this.#transaction.open !== undefined) await this.#closeStream();
    if (this.#started && !this.#transaction.soundness.certain) {
      // Where that is cut off, the limit is the failure.
      await this.#transaction.examine(limit).catch(() => {});
    }
    const failure = this.#failure(limit);
    if (failure !== undefined) {
      await this.rollBack(failure);
      throw failure;
    }
    // An ancestor that failed meanwhile has closed this frame and rolls it back with its own.
    if ((this.#state as string) === 'closed') throw over(this.label);
    try {
      if (!this.#started || this.#joins) return;
      if (this.#parent === undefined) await this.#transaction.commit(limit);
      else if (this.#savepoint !== undefined) await this.#release(await this.#savepoint, limit);
    } finally {
      this.#state = 'closed';
    }
  }

  /** Why a block whose callback succeeded has failed. */
  #failure(limit: Limit | undefined): Error | undefined {
    const { doomed } = this.#transaction.soundness;
    if (doomed !== undefined) return doomed;
    if (this.#spoilt !== undefined) return doomedBy(this.#spoilt);
    return limit?.hit === true ? limit.whole : undefined;
  }

  async #release(savepoint: string, limit: Limit | undefined): Promise<void> {
    try {
      await this.#transaction.control(`RELEASE SAVEPOINT ${savepoint}`, limit);
    } catch (error) {
      await this.rollBack(error as Error);
      throw error;
    }
  }

  /**
   * The block failed: closes it and everything inside it at once, waits only for the statement on
   * the wire, then rolls back. Never rejects: the block's own error is the one that counts.
   */
  async rollBack(reason: Error): Promise<void> {
    const closedFromOutside = this.#state === 'closed';
    this.#close();
    if (this.#transaction.open !== undefined) await this.#closeStream();
    await this.#transaction.settled();
    if (closedFromOutside) return;
    const { limit } = this;
    if (this.#parent === undefined) {
      await this.#transaction.rollBack(limit);
    } else if (this.#joins) {
      this.#parent.#spoil(reason);
    } else {
      const savepoint = await this.#savepoint?.catch(() => undefined);
      if (savepoint === undefined || this.#transaction.soundness.doomed !== undefined) return;
      await this.#transaction.rollBackTo(savepoint, limit);
    }
  }

  /** Runs the hooks, or hands them to the frame outside, once the frame is over. */
  settleHooks(outcome: 'committed' | 'rolledBack' | 'unknown'): Promise<void> | undefined {
    if (outcome === 'unknown' || this.#transaction.soundness.endedBehindOurBack) {
      this.hooks.forget();
      return undefined;
    }
    const parent = this.#parent;
    // What joined its parent fails or succeeds with it.
    if (parent !== undefined && (outcome === 'committed' || this.#joins)) {
      this.hooks.moveTo(parent.hooks);
      return undefined;
    }
    if (parent !== undefined) this.hooks.undoIn(parent.hooks);
    return outcome === 'committed' ? this.hooks.committed() : this.hooks.rolledBack();
  }

  detach(): void {
    const parent = this.#parent;
    if (parent !== undefined) parent.#children.delete(this);
    this.#deafen?.();
  }

  /** What waits for its turn inside is not run any more either. */
  #spoil(reason: Error): void {
    this.#spoilt ??= reason;
    for (const child of this.#children) child.#spoil(reason);
  }

  #close(): void {
    this.#state = 'closed';
    this.#aborter?.abort(over(this.label));
    this.lane.rejectWaiting(() => over(this.label));
    for (const child of this.#children) child.#close();
  }
}
