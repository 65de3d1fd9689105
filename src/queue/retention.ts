import { openFrame } from '../schema/standing';
import { Sweeper } from '../schema/sweeper';
import type { DedupeTable } from './dedupe-table';
import type { MessageTable } from './message-table';
import type { QueueAccess } from './queue-access';
import type { SharedStream, StreamTable } from './stream-table';

/** How often messages that are done with are looked for, in ms. */
const EVERY = 5000;
/**
 * How often a stream is looked through from its very beginning, in ms. What was removed there stays in the
 * way until the server has purged it, and a read that walks over all of it keeps it from doing so.
 */
const FROM_BEGINNING_EVERY = 60_000;
/** Messages looked at, at a time. */
const SOME = 1000;

/** How far a stream was looked through. */
interface Place {
  /** On from here one looks next. */
  after: number;
  /** Behind this one was the first that had to stay. */
  oldest: number;
  /** When it was looked through from the beginning, by the clock. */
  begunAt: number;
}

export interface TrimBounds {
  /** Messages that are younger are kept, in ms. */
  readonly age: number;
  /** Those up to this one only. */
  readonly upTo?: number | undefined;
  /** Counts them, and leaves them there. */
  readonly counts?: boolean;
}

/**
 * Removes messages that every group of their stream has acknowledged. Rides on acknowledgements.
 */
export class Retention {
  readonly sweeper: Sweeper;
  readonly #access: QueueAccess;
  readonly #streams: StreamTable;
  readonly #messages: MessageTable;
  readonly #dedupe: DedupeTable;
  readonly #age: number;
  /** Streams of which something was acknowledged here, and where each was looked at last. */
  readonly #touched = new Map<number, Place>();

  constructor(
    access: QueueAccess,
    tables: {
      readonly streams: StreamTable;
      readonly messages: MessageTable;
      readonly dedupe: DedupeTable;
    },
    age: number,
  ) {
    this.#access = access;
    this.#streams = tables.streams;
    this.#messages = tables.messages;
    this.#dedupe = tables.dedupe;
    this.#age = age;
    const { clock, logger } = access.host;
    this.sweeper = new Sweeper({
      clock,
      logger,
      what: 'messages that are done with',
      every: EVERY,
      batch: () => access.alone(() => this.#batch()),
    });
  }

  /** Something of this stream was acknowledged. */
  touch(streamId: number): void {
    if (!this.#touched.has(streamId)) {
      this.#touched.set(streamId, { after: 0, oldest: 0, begunAt: -Infinity });
    }
    this.sweeper.ride();
  }

  async #batch(): Promise<{ removed: number; more: boolean }> {
    let removed = await this.#dedupe.sweep(SOME);
    let more = removed === SOME;
    for (const [streamId, place] of this.#touched) {
      // The oldest first; and one look further on, past what stays there for long.
      const bounds = { age: this.#age };
      const now = this.#access.host.clock.now();
      // A producer whose transaction was open for long may have stored something before it.
      const isWhole = now >= place.begunAt + FROM_BEGINNING_EVERY;
      if (isWhole) place.begunAt = now;
      const oldest = await this.some(streamId, isWhole ? 0 : place.oldest, bounds);
      place.oldest = oldest.stays ?? oldest.last ?? place.oldest;
      const further = await this.some(streamId, Math.max(place.after, oldest.last ?? 0), bounds);
      place.after = further.last ?? 0;
      removed += oldest.removed + further.removed;
      more ||=
        (oldest.removed > 0 && oldest.last !== undefined) ||
        (further.removed > 0 && further.last !== undefined);
    }
    return { removed, more };
  }

  /**
   * Removes what may go of the next messages after `after`. `last`: where to go on; `undefined` at
   * the end. `stays`: behind this one is the first that does not go; `undefined` where all do. A
   * stream without groups keeps its messages, unless they are to go by number or age.
   */
  async some(
    streamId: number,
    after: number,
    { age, upTo, counts = false }: TrimBounds,
  ): Promise<{
    readonly removed: number;
    readonly last: number | undefined;
    readonly stays?: number | undefined;
  }> {
    const isPart = openFrame(this.#access.db) !== undefined;
    return this.#access.atomic(async () => {
      // No group is created meanwhile that would get them.
      const shared = await this.#streams.share(streamId);
      if (shared === undefined) return { removed: 0, last: undefined };
      if (shared.groups.length === 0 && upTo === undefined) return { removed: 0, last: undefined };
      if (isPart && (await this.#isOlder(streamId, shared))) return { removed: 0, last: undefined };
      const { last, done, stays } = await this.#messages.done(streamId, shared.groups, {
        after,
        age,
        most: SOME,
      });
      const ids = upTo === undefined ? done : done.filter((id) => id <= upTo);
      const removed = counts ? ids.length : await this.#messages.remove(ids);
      const isPast = upTo !== undefined && last !== undefined && last >= upTo;
      return { removed, last: isPast ? undefined : last, stays };
    });
  }

  /** Whether the caller's transaction has not seen a group come: what that one needs is not seen either. */
  async #isOlder(streamId: number, { groups }: SharedStream): Promise<boolean> {
    const seen = await this.#streams.groups(streamId);
    return groups.some((group) => !seen.includes(group));
  }
}
