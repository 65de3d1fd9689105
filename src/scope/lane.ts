import type { Clock, Timer } from '../clock';
import { TurnTimeoutError } from '../errors';
import type { Limit } from '../limit';
import type { Slot } from './slot';

/**
 * A nested block that keeps a lane for as long as it is open: a transaction in a scope, a savepoint
 * in a transaction.
 */
export interface Block {
  readonly label: string | undefined;
  /** Takes charge of the slot whose lane it has, when the slot's scope ends before the block does. */
  adopt(slot: Slot): void;
}

interface Turn {
  /** The block that asks for the lane; `undefined` for one statement. */
  readonly block: Block | undefined;
  readonly start: () => void;
  readonly reject: (reason: Error) => void;
  deadline: Timer | undefined;
  /** Takes the turn out of its own limit's care. */
  readonly unlimited: (() => void) | undefined;
}

/**
 * The order in which statements and nested blocks use one connection: one at a time, in the order
 * they asked.
 *
 * A statement's own limits bound the wait behind it. A block may wait for the very caller that waits
 * for the block, so the wait behind one is bounded: {@link TurnTimeoutError}.
 */
export class Lane {
  readonly #clock: Clock;
  readonly #patience: number;
  readonly #queue: Turn[] = [];
  /** What has the lane: a block, a statement (`true`), or nothing. */
  #holder: Block | true | undefined;
  #heldSince = 0;
  #quiet: (() => void)[] = [];

  /** @param patience ms to wait behind a block; 0 is no limit. */
  constructor(clock: Clock, patience: number) {
    this.#clock = clock;
    this.#patience = patience;
  }

  /** The block that has the lane. */
  get block(): Block | undefined {
    return this.#holder === true ? undefined : this.#holder;
  }

  get free(): boolean {
    return this.#holder === undefined;
  }

  /**
   * Runs `work` when its turn comes, or rejects with the limit's error where that is hit before.
   * `work` returns a promise and does not throw.
   */
  run<T>(work: () => Promise<T>, limit?: Limit): Promise<T> {
    if (this.#holder === undefined) return this.#occupy(work);
    return new Promise<T>((resolve, reject) => {
      const start = (): void => resolve(this.#occupy(work));
      this.#wait(undefined, start, reject, limit);
    });
  }

  /**
   * Takes the turn for one statement if nothing has it; false where something has. Costs no promise,
   * and the caller calls {@link leave}.
   */
  take(): boolean {
    if (this.#holder !== undefined) return false;
    this.#holder = true;
    return true;
  }

  /** Resolves when `block` has the lane; it keeps it until {@link leave}. */
  enter(block: Block, limit?: Limit): Promise<void> | undefined {
    if (this.#holder === undefined) {
      this.#hold(block);
      return undefined;
    }
    return new Promise<void>((resolve, reject) => {
      const start = (): void => {
        this.#hold(block);
        resolve();
      };
      this.#wait(block, start, reject, limit);
    });
  }

  leave(): void {
    this.#next();
  }

  /** Resolves when all that was asked for so far has had its turn, unless a block has the lane. */
  async passed(): Promise<void> {
    if (this.#holder !== true) return;
    // Behind a block it gives up at the same time as a statement would.
    await this.run(async () => {}).catch(() => {});
  }

  /** Resolves when no statement is running or waiting, unless a block has the lane. */
  async quiet(): Promise<void> {
    while (this.#holder === true || (this.#holder === undefined && this.#queue.length > 0)) {
      await new Promise<void>((resolve) => this.#quiet.push(resolve));
    }
  }

  /** Resolves when nothing has the lane and nothing waits for it. */
  async idle(): Promise<void> {
    while (this.#holder !== undefined || this.#queue.length > 0) {
      await new Promise<void>((resolve) => this.#quiet.push(resolve));
    }
  }

  /** Rejects all that wait. What has the lane keeps it. */
  rejectWaiting(reason: () => Error): void {
    for (const turn of this.#queue.splice(0)) {
      turn.deadline?.cancel();
      turn.unlimited?.();
      turn.reject(reason());
    }
  }

  #occupy<T>(work: () => Promise<T>): Promise<T> {
    this.#holder = true;
    const running = work();
    const over = (): void => this.#next();
    running.then(over, over);
    return running;
  }

  #hold(block: Block): void {
    this.#holder = block;
    this.#heldSince = this.#clock.now();
    for (const turn of this.#queue) this.#setDeadline(turn);
  }

  #wait(
    block: Block | undefined,
    start: () => void,
    reject: (reason: Error) => void,
    limit: Limit | undefined,
  ): void {
    if (limit?.hit === true) {
      reject(limit.error('notExecuted'));
      return;
    }
    const unlimited = limit?.onHit(() => {
      this.#leaveQueue(turn, () => turn.reject(limit.error('notExecuted')));
    });
    const turn: Turn = { block, start, reject, deadline: undefined, unlimited };
    this.#queue.push(turn);
    if (this.block !== undefined) this.#setDeadline(turn);
  }

  #leaveQueue(turn: Turn, settle: () => void): void {
    const at = this.#queue.indexOf(turn);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    turn.deadline?.cancel();
    turn.unlimited?.();
    settle();
    this.#noteQuiet();
  }

  #setDeadline(turn: Turn): void {
    if (this.#patience === 0) return;
    turn.deadline = this.#clock.setDeadline(
      () => this.#leaveQueue(turn, () => turn.reject(this.#turnTimeout())),
      this.#patience,
    );
  }

  #turnTimeout(): TurnTimeoutError {
    const held = Math.round(this.#clock.now() - this.#heldSince);
    const label = this.block?.label ?? 'atomic';
    return new TurnTimeoutError(
      `Waited ${this.#patience} ms for the connection of this scope, which the block '${label}' has ` +
        `kept for ${held} ms. A block that waits for a statement issued outside it waits for ever: ` +
        'issue the statement inside the block, or do not await it there.',
    );
  }

  #next(): void {
    this.#holder = undefined;
    const turn = this.#queue.shift();
    if (turn !== undefined) {
      for (const waiting of this.#queue) waiting.deadline?.cancel();
      turn.deadline?.cancel();
      turn.unlimited?.();
      turn.start();
    }
    this.#noteQuiet();
  }

  #noteQuiet(): void {
    if (this.#quiet.length === 0 || this.#holder === true) return;
    const waiting = this.#quiet;
    this.#quiet = [];
    for (const resolve of waiting) resolve();
  }
}
