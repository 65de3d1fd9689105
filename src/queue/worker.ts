import { detached } from '../async-context';
import { settledWithin } from '../clock';
import { ClaimLostError, PoolClosedError, checkOptionNames } from '../errors';
import { errorFields, type Logger } from '../logger';
import { Heartbeat } from './heartbeat';
import type { Intake, Order } from './intake';
import type { Message } from './message';
import { checkMs, type ResolvedWorkerOptions } from './queue-options';
import type { Settlement } from './settlement';

/** The pause after a claim or an acknowledgement that failed, in ms; it doubles up to the longest. */
const PAUSE = 100;
const LONGEST_PAUSE = 5000;
const STOP_DEADLINE = 10_000;

export type MessageHandler<T> = (message: Message<T>) => unknown;

export interface StopOptions {
  /** How long in ms handlers may still run before their signals are aborted. @default 10000 */
  readonly deadline?: number;
}

export interface WorkerStats {
  /** Handlers that run. */
  readonly running: number;
  /** Messages claimed and not settled, those included. */
  readonly held: number;
  /** Since the start. */
  readonly acknowledged: number;
  readonly failed: number;
  /** Claims that ended before their message was settled: it is, or was, delivered again. */
  readonly lost: number;
}

/**
 * Claims messages and has a handler deal with each, several at a time, until it is stopped. Keeps the
 * process alive until then.
 */
export class Worker {
  readonly #intake: Intake;
  readonly #order: Order;
  readonly #handler: MessageHandler<unknown>;
  readonly #settlement: Settlement;
  readonly #options: ResolvedWorkerOptions;
  readonly #logger: Logger;
  readonly #heartbeat: Heartbeat;
  readonly #over = new AbortController();
  readonly #held = new Set<Message>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #fetching: Promise<void>;
  #unused: Message[] = [];
  #running = 0;
  /** Of those held, being acknowledged or given back. */
  #settling = 0;
  #acknowledged = 0;
  #failed = 0;
  #lost = 0;
  #room: (() => void) | undefined;
  #stopping: Promise<void> | undefined;

  /** @internal */
  constructor(
    intake: Intake,
    order: Order,
    handler: MessageHandler<unknown>,
    settlement: Settlement,
    options: ResolvedWorkerOptions,
    logger: Logger,
  ) {
    this.#intake = intake;
    this.#order = order;
    this.#handler = handler;
    this.#settlement = settlement;
    this.#options = options;
    this.#logger = logger;
    this.#heartbeat = new Heartbeat(this.#held, settlement, options.visibilityTimeout, logger);
    // In nobody's scope, transaction or other context.
    this.#fetching = detached(() => this.#fetch());
  }

  stats(): WorkerStats {
    return Object.freeze({
      running: this.#running,
      held: this.#held.size,
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      lost: this.#lost,
    });
  }

  /** @internal */
  get isStopped(): boolean {
    return this.#stopping !== undefined;
  }

  /**
   * Takes no more messages, gives back those that no handler has begun with, and waits for the others.
   * At the deadline their signals are aborted; what is not settled then is delivered again when its
   * claim has ended. A second call gives the first one's promise.
   */
  stop(options: StopOptions = {}): Promise<void> {
    try {
      checkOptionNames('options', options, ['deadline']);
      checkMs('deadline', options.deadline ?? STOP_DEADLINE);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#stopping ??= this.#stop(options.deadline ?? STOP_DEADLINE);
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(deadline: number): Promise<void> {
    const until = this.#settlement.clock.now() + deadline;
    const left = (): number => Math.max(1, until - this.#settlement.clock.now());
    this.#over.abort();
    this.#room?.();
    // On a dead network neither the claim under way nor the giving back comes to an end soon.
    const { clock } = this.#settlement;
    await settledWithin(clock, left(), this.#fetching);
    await settledWithin(clock, left(), this.#giveBackUnused());
    await settledWithin(clock, left(), this.#idle());
    for (const message of this.#held) message.abort(new Error('the worker was stopped'));
    await this.#heartbeat.stop();
  }

  async #idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async #giveBackUnused(): Promise<void> {
    const unused = this.#unused.splice(0);
    for (const message of unused) this.#held.delete(message);
    const held = unused.filter((message) => message.look());
    if (held.length === 0) return;
    try {
      await this.#settlement.returnUnused(held);
    } catch (error) {
      this.#logger.warn(
        errorFields(error),
        'messages were not given back; their claims end by themselves',
      );
    }
  }

  /** Never rejects. */
  async #fetch(): Promise<void> {
    const { prefetch } = this.#options;
    let pause = PAUSE;
    while (!this.#over.signal.aborted) {
      const room = this.#roomFor();
      // Batches are what makes it fast: half of what may be held, at least.
      if (room < Math.ceil(prefetch / 2)) {
        await new Promise<void>((resolve) => (this.#room = resolve));
        continue;
      }
      try {
        const { signal } = this.#over;
        for (const message of await this.#intake.next(this.#order, room, Infinity, signal)) {
          this.#held.add(message);
          this.#unused.push(message);
        }
        pause = PAUSE;
        this.#heartbeat.start();
        this.#begin();
      } catch (error) {
        if (this.#over.signal.aborted) break;
        this.#logger.warn(errorFields(error), 'no messages could be claimed; it is tried again');
        await this.#rest(pause * (0.5 + Math.random() / 2), this.#over.signal);
        pause = Math.min(LONGEST_PAUSE, pause * 2);
      }
    }
  }

  /** Begins with as many messages as may be in work. */
  #begin(): void {
    while (this.#running < this.#options.concurrency && !this.#over.signal.aborted) {
      const message = this.#unused.shift();
      if (message === undefined) return;
      if (!message.look()) {
        this.#drop(message);
        continue;
      }
      this.#running++;
      const task = this.#handle(message);
      this.#tasks.add(task);
      void task.then(() => this.#tasks.delete(task));
    }
  }

  /** Never rejects. */
  async #handle(message: Message): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.#handler(message);
    } catch (error) {
      failure = { error };
    }
    // The next one can begin while this one is acknowledged.
    this.#running--;
    this.#settling++;
    queueMicrotask(() => this.#begin());
    this.#tellRoom();
    if (message.decided !== undefined) {
      // A transaction that the handler has left open may settle it: that one decides.
      await message.decided;
      if (!message.isSettled) failure ??= { error: new Error('its transaction was rolled back') };
    }
    if (failure === undefined) await this.#settle(message, () => message._ack());
    else {
      this.#failed++;
      const reason = describeFailure(failure.error);
      this.#logger.warn(
        { attempt: message.attempt, ...errorFields(failure.error) },
        'a message handler failed',
      );
      await this.#settle(message, () => message._nack({ reason }));
    }
    if (failure === undefined && message.isSettled) this.#acknowledged++;
    this.#settling--;
    this.#drop(message);
  }

  /** As long as the claim holds it is tried again, also by a worker that was stopped. */
  async #settle(message: Message, settle: () => Promise<void>): Promise<void> {
    for (let pause = PAUSE; !message.isSettled && message.look(); pause *= 2) {
      try {
        if (message.decided === undefined) await settle();
        await message.decided;
      } catch (error) {
        if (error instanceof ClaimLostError || error instanceof PoolClosedError) return;
        this.#logger.warn(errorFields(error), 'a message was not settled; it is tried again');
        await this.#rest(Math.min(LONGEST_PAUSE, pause));
      }
    }
  }

  #drop(message: Message): void {
    this.#held.delete(message);
    if (!message.isSettled) this.#lost++;
    this.#tellRoom();
  }

  /** Those that are being settled make room for others, so that one does not wait for the other. */
  #roomFor(): number {
    const { prefetch } = this.#options;
    return prefetch - this.#held.size + Math.min(this.#settling, prefetch);
  }

  #tellRoom(): void {
    if (this.#roomFor() >= Math.ceil(this.#options.prefetch / 2)) this.#room?.();
  }

  /** Rests for so long, or until the signal. */
  #rest(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#settlement.clock.setDeadline(done, ms);
      if (signal?.aborted === true) done();
      else signal?.addEventListener('abort', done, { once: true });
    });
  }
}

function describeFailure(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message}`
    : `a ${typeof error} was thrown`;
}
