import type { Timer } from '../clock';
import { errorFields, type Logger } from '../logger';
import type { Message } from './message';
import type { Settlement } from './settlement';

/** When claims are extended, as a share of the visibility timeout. */
const BEAT = 1 / 3;
/** How soon it is tried again after a failure, as a share of the visibility timeout. */
const AGAIN = 1 / 12;

/**
 * Extends all that a worker holds by one statement at a time. What could not be extended is lost by
 * each message's own deadline, whatever the network does.
 */
export class Heartbeat {
  readonly #held: ReadonlySet<Message>;
  readonly #settlement: Settlement;
  readonly #visibility: number;
  readonly #logger: Logger;
  #timer: Timer | undefined;
  #beating: Promise<void> | undefined;
  #stopped = false;

  constructor(
    held: ReadonlySet<Message>,
    settlement: Settlement,
    visibility: number,
    logger: Logger,
  ) {
    this.#held = held;
    this.#settlement = settlement;
    this.#visibility = visibility;
    this.#logger = logger;
  }

  /** To be called where there is something to keep. */
  start(share = BEAT): void {
    if (this.#timer !== undefined || this.#stopped || this.#beating !== undefined) return;
    this.#timer = this.#settlement.clock.setTimer(() => {
      this.#timer = undefined;
      this.#beating = this.#beat().then((next) => {
        this.#beating = undefined;
        if (this.#held.size > 0) this.start(next);
      });
    }, this.#visibility * share);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#beating;
  }

  /** Resolves to when the next one is due. Never rejects. */
  async #beat(): Promise<number> {
    // What is being acknowledged may be locked by a transaction, and would hold up all others.
    const messages = [...this.#held].filter((message) => message.isExtendable);
    if (messages.length === 0) return BEAT;
    try {
      const lost = await this.#settlement.extendAll(messages, this.#visibility);
      for (const message of lost) {
        if (message.isExtendable)
          message.lose('it was taken away, or had ended before it was extended');
      }
      return BEAT;
    } catch (error) {
      this.#logger.warn(
        { messages: messages.length, ...errorFields(error) },
        'claims were not extended',
      );
      return AGAIN;
    }
  }
}
