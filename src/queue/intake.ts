import type { Clock } from '../clock';
import type { Bell } from './bell';
import type { ClaimDesk } from './claim-desk';
import type { Message } from './message';
import type { GroupRef, StreamDirectory } from './stream-directory';

/** The first pause of a consumer that found nothing, in ms; it doubles from then on. */
const SHORTEST_PAUSE = 20;

export interface Order {
  /** In order of priority. */
  readonly streams: readonly string[];
  readonly group: string;
  readonly consumer: Buffer;
  /** In ms. */
  readonly visibility: number;
}

/** Waits for messages, and claims them. Holds no connection while it waits. */
export class Intake {
  readonly #directory: StreamDirectory;
  readonly #desk: ClaimDesk;
  readonly #bell: Bell;
  readonly #clock: Clock;
  readonly #pollInterval: number;

  constructor(
    directory: StreamDirectory,
    desk: ClaimDesk,
    bell: Bell,
    clock: Clock,
    pollInterval: number,
  ) {
    this.#directory = directory;
    this.#desk = desk;
    this.#bell = bell;
    this.#clock = clock;
    this.#pollInterval = pollInterval;
  }

  /**
   * At most so many messages, as soon as there is one; none after `wait` ms. What is produced in this
   * process is told at once, for the rest it looks, less often the longer there is nothing.
   *
   * @throws the signal's reason, where it is aborted while it waits.
   */
  async next(
    order: Order,
    most: number,
    wait: number,
    signal: AbortSignal | undefined,
  ): Promise<readonly Message[]> {
    const { streams, group } = order;
    const until = this.#clock.now() + wait;
    let first: 'claim' | 'look' = 'claim';
    for (let pause = SHORTEST_PAUSE; ; pause *= 2) {
      signal?.throwIfAborted();
      const refs = await Promise.all(streams.map((stream) => this.#directory.group(stream, group)));
      const ids = refs.map(({ streamId }) => streamId);
      const counted = this.#bell.count(ids);
      const { messages, next } = await this.#claim(refs, order, most, first);
      if (messages.length > 0) return messages;
      const left = until - this.#clock.now();
      if (left <= 0) return [];
      const poll = Math.min(pause, this.#pollInterval) * (0.5 + Math.random() / 2);
      const ms = Math.max(1, Math.min(poll, left, next + 1));
      first = (await this.#bell.wait(this.#clock, ids, counted, ms, signal)) ? 'claim' : 'look';
    }
  }

  async #claim(
    refs: readonly GroupRef[],
    { visibility, consumer }: Order,
    most: number,
    first: 'claim' | 'look',
  ): Promise<{ readonly messages: readonly Message[]; readonly next: number }> {
    const messages: Message[] = [];
    let soonest = Infinity;
    for (const ref of refs) {
      const wanted = { most: most - messages.length, visibility, consumer, first };
      try {
        const served = await this.#desk.claim(ref, wanted);
        messages.push(...served.messages);
        soonest = Math.min(soonest, served.next ?? Infinity);
      } catch (error) {
        // What is claimed already is not to wait for its claim to end.
        if (messages.length === 0) throw error;
        break;
      }
      if (messages.length >= most) break;
    }
    return { messages, next: soonest };
  }
}
