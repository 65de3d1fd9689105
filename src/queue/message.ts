import { releaseConnection } from '../decorators/release-connection';
import { TransactionOpenError, checkOptionNames } from '../errors';
import { HeldMessage, type HoldContext } from './held-message';
import { checkMs } from './queue-options';

/** What carries out what is asked of messages. */
export interface MessageKeeper extends HoldContext {
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

/**
 * A message that was claimed: nobody else of its group gets it until it is acknowledged, given back,
 * or its claim has ended.
 */
export class Message<T = unknown> extends HeldMessage<T, MessageKeeper> {
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
    return this.end(() => this.keeper.acknowledge(this));
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
    await this.end(() => this.keeper.giveBack(this, options));
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
    if (this.keeper.openFrame() !== undefined) {
      throw new TransactionOpenError(
        'extend() inside a transaction would be undone with it: call it before, or after.',
      );
    }
    this.refuseIfOver();
    const sentAt = this.keeper.clock.now();
    if (!(await this.keeper.extend(this, ms))) {
      this.lose('somebody else has it');
      throw this.lostError();
    }
    this.extended(sentAt, ms);
  }
}
