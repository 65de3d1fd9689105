import type { Clock, Timer } from '../clock';
import { ClaimLostError } from '../errors';
import type { Frame } from '../transaction/frame';
import type { Claim } from './claim';
import type { GroupRef } from './stream-directory';

/** What a message was when it was claimed. */
export interface MessageFacts {
  readonly ref: GroupRef;
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

/** What a claim's end is told by. */
export interface HoldContext {
  readonly clock: Clock;
  /** The frame the caller stands in, if one is open. */
  openFrame(): Frame | undefined;
}

/**
 * A message and the claim to it, from the moment it was claimed until it is settled or lost.
 *
 * The claim ends here before the server lets anybody else have the message, by this process's
 * monotonic clock, which every access looks at first: a process that was stopped finds it ended.
 *
 * Apart from the message's decorated methods: private fields of a class with decorators are compiled
 * to a map each, which costs a consumer a fifth of its processor time.
 */
export abstract class HeldMessage<T, K extends HoldContext> {
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
  /** @internal The group, as it was when the message was claimed. */
  readonly ref: GroupRef;
  /** @internal */
  readonly claim: Claim;
  /** @internal In ms. */
  readonly visibility: number;
  readonly #keeper: K;
  #deadline: number;
  #state: 'held' | 'settled' | 'lost' = 'held';
  /** Being acknowledged or given back. */
  #ending: Promise<void> | undefined;
  /** A transaction that is open has its row locked: nobody else can take it. */
  #locked = false;
  #decided: Promise<void> | undefined;
  #aborter: AbortController | undefined;
  #loss: ClaimLostError | undefined;
  #timer: Timer | undefined;

  /** @internal */
  constructor(keeper: K, facts: MessageFacts) {
    this.#keeper = keeper;
    this.id = facts.claim.messageId;
    this.ref = facts.ref;
    this.stream = facts.ref.stream;
    this.group = facts.ref.group;
    this.body = facts.body as T;
    this.key = facts.claim.lane?.toString();
    this.attempt = facts.attempt;
    this.age = facts.age;
    this.claim = facts.claim;
    this.visibility = facts.visibility;
    this.#deadline = endOf(facts.sentAt, facts.visibility);
  }

  /** @internal */
  protected get keeper(): K {
    return this.#keeper;
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

  /** @internal Settles when the transaction is over in which it was acknowledged or given back. */
  get decided(): Promise<void> | undefined {
    return this.#decided;
  }

  /** @internal Held, and by nothing else than its claim. */
  get isExtendable(): boolean {
    return this.look() && !this.#locked && this.#ending === undefined;
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

  /** Settles it once, by work that tells whether the claim still held. */
  protected end(work: () => Promise<boolean>): Promise<void> {
    if (this.#state === 'settled') return Promise.resolve();
    this.#ending ??= this.#endBy(work).catch((error: unknown) => {
      this.#ending = undefined;
      throw error;
    });
    return this.#ending;
  }

  async #endBy(work: () => Promise<boolean>): Promise<void> {
    this.refuseIfOver();
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
      throw this.lostError();
    }
    if (frame === undefined) this.#over('settled');
    else this.#endWith(frame);
  }

  /** What is done in a transaction is done when that commits. */
  #endWith(frame: Frame): void {
    let isOver = false;
    let decide: () => void;
    this.#decided = new Promise((resolve) => (decide = resolve));
    const settled = (committed: boolean): void => {
      if (isOver) return;
      isOver = true;
      this.#decided = undefined;
      decide();
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

  /** @throws {ClaimLostError} */
  protected refuseIfOver(): void {
    if (!this.look()) throw this.lostError();
  }

  protected lostError(): ClaimLostError {
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
