import type { Clock, Timer } from '../clock';
import { releaseConnection } from '../decorators/release-connection';
import { ClaimLostError, TransactionOpenError, checkOptionNames } from '../errors';
import type { Frame } from '../transaction/frame';
import type { Claim } from './delivery-table';
import { checkMs } from './queue-options';

/** What carries out what is asked of messages. */
export interface MessageKeeper {
  readonly clock: Clock;
  /** The frame the caller stands in, if one is open. */
  openFrame(): Frame | undefined;
  /** Resolves to whether the claim still held. */
  acknowledge(message: Message): Promise<boolean>;
  giveBack(message: Message, options: NackOptions): Promise<boolean>;
  extend(message: Message, ms: number): Promise<boolean>;
}

export interface NackOptions {
  /** After how long in ms it is delivered again. @default the queue's back-off, longer with each attempt */
  readonly delay?: number;
  /** Why, for `deadLetters()`; 512 bytes of it are kept. */
  readonly reason?: string;
}

/** What a message was when it was claimed. */
export interface MessageFacts {
  readonly stream: string;
  readonly group: string;
  readonly claim: Claim;
  readonly attempt: number;
  readonly body: unknown;
  readonly age: number;
  /** In ms. */
  readonly visibility: number;
  /** When the statement that claimed it was sent, by the clock. */
  readonly sentAt: number;
}

/** How much earlier than the server a consumer takes its claim for ended, in ms at most. */
const MARGIN = 200;

/** The server counts from when it got the statement, which is later. */
function endOf(sentAt: number, visibility: number): number {
  return sentAt + visibility - Math.min(MARGIN, visibility / 10);
}

/**
 * A message that was claimed: nobody else of its group gets it until it is acknowledged, given back,
 * or its claim has ended.
 *
 * The claim ends here before the server lets anybody else have the message, by this process's
 * monotonic clock, which every access looks at first: a process that was stopped finds it ended.
 */
export class Message<T = unknown> {
  readonly id: number;
  readonly stream: string;
  readonly group: string;
  readonly body: T;
  /** Messages with the same are delivered in order. */
  readonly key: string | undefined;
  /** Which delivery of it this is, from 1. */
  readonly attempt: number;
  /** How long before it was claimed it was produced, in ms, by the server's clock. */
  readonly age: number;
  /** @internal */
  readonly claim: Claim;
  /** @internal In ms. */
  readonly visibility: number;
  readonly #keeper: MessageKeeper;
  #deadline: number;
  #state: 'held' | 'settled' | 'lost' = 'held';
  /** Being acknowledged or given back. */
  #ending: Promise<void> | undefined;
  /** A transaction that is open has its row locked: nobody else can take it. */
  #locked = false;
  #aborter: AbortController | undefined;
  #loss: ClaimLostError | undefined;
  #timer: Timer | undefined;

  /** @internal */
  constructor(keeper: MessageKeeper, facts: MessageFacts) {
    this.#keeper = keeper;
    this.id = facts.claim.messageId;
    this.stream = facts.stream;
    this.group = facts.group;
    this.body = facts.body as T;
    this.key = facts.claim.lane?.toString();
    this.attempt = facts.attempt;
    this.age = facts.age;
    this.claim = facts.claim;
    this.visibility = facts.visibility;
    this.#deadline = endOf(facts.sentAt, facts.visibility);
  }

  /** Aborted when the claim is lost; its reason is a {@link ClaimLostError}. */
  get signal(): AbortSignal {
    this.look();
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#loss !== undefined) this.#aborter.abort(this.#loss);
      this.#watch();
    }
    return this.#aborter.signal;
  }

  /** How long it is surely kept from others without an extension, in ms; 0 where that is over. */
  get expiresIn(): number {
    return this.look() ? Math.max(0, this.#deadline - this.#keeper.clock.now()) : 0;
  }

  /** @internal Whether the claim holds, by the clock. */
  look(): boolean {
    if (this.#state !== 'held') return false;
    if (this.#locked || this.#keeper.clock.now() < this.#deadline) return true;
    this.lose('it was not acknowledged in time');
    return false;
  }

  /** @internal Acknowledged or given back, as far as is known. */
  get isSettled(): boolean {
    return this.#state === 'settled';
  }

  /** @internal Held, and by nothing else than its claim. */
  get isExtendable(): boolean {
    return this.look() && !this.#locked && this.#ending === undefined;
  }

  /**
   * The message has been dealt with: its group never gets it again. Inside `db.atomic` that commits or
   * rolls back with the transaction. A second call resolves.
   *
   * @throws {ClaimLostError} where the claim is over and somebody else may have the message. Inside a
   * transaction let it leave the block, so that what a stale consumer wrote is rolled back.
   */
  @releaseConnection
  ack(): Promise<void> {
    return this._ack();
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  _ack(): Promise<void> {
    return this.#end(() => this.#keeper.acknowledge(this));
  }

  /**
   * Gives the message back, to be delivered again after a pause. After its last attempt it goes to
   * the dead letters instead.
   *
   * @throws {ClaimLostError} where the claim is over.
   */
  @releaseConnection
  nack(options: NackOptions = {}): Promise<void> {
    return this._nack(options);
  }

  /** The same; takes part in the scope or transaction that is open, and never ends it. */
  async _nack(options: NackOptions = {}): Promise<void> {
    checkOptionNames('options', options, ['delay', 'reason']);
    if (options.delay !== undefined) checkMs('delay', options.delay);
    await this.#end(() => this.#keeper.giveBack(this, options));
  }

  /**
   * Keeps the message from others for `ms` from now; a worker does so by itself.
   *
   * @throws {ClaimLostError} where the claim is over.
   */
  @releaseConnection
  extend(ms: number = this.visibility): Promise<void> {
    return this._extend(ms);
  }

  /** The same; takes part in the scope that is open. */
  async _extend(ms: number = this.visibility): Promise<void> {
    checkMs('ms', ms, 1);
    if (this.#keeper.openFrame() !== undefined) {
      throw new TransactionOpenError(
        'extend() inside a transaction would be undone with it: call it before, or after.',
      );
    }
    this.#refuseIfOver();
    const sentAt = this.#keeper.clock.now();
    if (!(await this.#keeper.extend(this, ms))) {
      this.lose('somebody else has it');
      throw this.#lostError();
    }
    this.extended(sentAt, ms);
  }

  /** @internal It was extended by a statement that was sent at `sentAt`. Never shortens. */
  extended(sentAt: number, ms: number): void {
    this.#deadline = Math.max(this.#deadline, endOf(sentAt, ms));
  }

  /** @internal */
  lose(why: string): void {
    if (this.#state !== 'held') return;
    this.#loss = new ClaimLostError(
      `The claim to this message is over: ${why}. Somebody else may have it by now.`,
    );
    this.#over('lost');
    this.#aborter?.abort(this.#loss);
  }

  /** @internal It is to be stopped, though its claim holds. */
  abort(reason: Error): void {
    if (this.#state === 'held') this.#aborter?.abort(reason);
  }

  #end(work: () => Promise<boolean>): Promise<void> {
    if (this.#state === 'settled') return Promise.resolve();
    this.#ending ??= this.#endBy(work).catch((error: unknown) => {
      this.#ending = undefined;
      throw error;
    });
    return this.#ending;
  }

  async #endBy(work: () => Promise<boolean>): Promise<void> {
    this.#refuseIfOver();
    const frame = this.#keeper.openFrame();
    this.#locked = frame !== undefined;
    let held: boolean;
    try {
      held = await work();
    } catch (error) {
      this.#unlock();
      throw error;
    }
    if (!held) {
      this.#locked = false;
      this.lose('it had ended before this');
      throw this.#lostError();
    }
    if (frame === undefined) this.#over('settled');
    else this.#endWith(frame);
  }

  /** What is done in a transaction is done when that commits. */
  #endWith(frame: Frame): void {
    let isOver = false;
    const settled = (committed: boolean): void => {
      if (isOver) return;
      isOver = true;
      for (const each of unlisten) each();
      this.#ending = undefined;
      if (committed) this.#over('settled');
      this.#unlock();
    };
    const unlisten = [
      frame.onConnectionLost(() => settled(false)),
      // After a deadlock the row is free at once, however long the block goes on.
      frame.onFailure(() => settled(false)),
    ];
    frame.hooks.whenSettled(settled);
  }

  /** No transaction keeps others from it any more. */
  #unlock(): void {
    this.#locked = false;
    if (this.look()) this.#watch();
  }

  #refuseIfOver(): void {
    if (!this.look()) throw this.#lostError();
  }

  #lostError(): ClaimLostError {
    return this.#loss ?? new ClaimLostError('The claim to this message is over.');
  }

  #over(state: 'settled' | 'lost'): void {
    this.#state = state;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Fires the signal in time, for whoever has asked for it. */
  #watch(): void {
    if (this.#aborter === undefined || this.#state !== 'held') return;
    this.#timer?.cancel();
    const left = Math.max(1, this.#deadline - this.#keeper.clock.now());
    this.#timer = this.#keeper.clock.setTimer(() => {
      if (this.look() && !this.#locked) this.#watch();
    }, left);
  }
}
