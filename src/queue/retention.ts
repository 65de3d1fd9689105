import { Sweeper } from '../schema/sweeper';
import type { DedupeTable } from './dedupe-table';
import type { MessageTable } from './message-table';
import type { QueueAccess } from './queue-access';
import type { StreamTable } from './stream-table';

/** How often messages that are done with are looked for, in ms. */
const EVERY = 1000;
/** Messages looked at, at a time. */
const SOME = 1000;

/** How far the table was looked through. */
interface Place {
  after: number;
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
    if (!this.#touched.has(streamId)) this.#touched.set(streamId, { after: 0 });
    this.sweeper.ride();
  }

  async #batch(): Promise<{ removed: number; more: boolean }> {
    let removed = await this.#dedupe.sweep(SOME);
    let more = removed === SOME;
    for (const [streamId, place] of this.#touched) {
      // The oldest first; and one look further on, past what stays there for long.
      const bounds = { age: this.#age };
      const oldest = await this.some(streamId, 0, bounds);
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
   * the end. A stream without groups keeps its messages, unless they are to go by number or age.
   */
  async some(
    streamId: number,
    after: number,
    { age, upTo, counts = false }: TrimBounds,
  ): Promise<{ readonly removed: number; readonly last: number | undefined }> {
    return this.#access.atomic(async () => {
      // No group is created meanwhile that would get them.
      const shared = await this.#streams.share(streamId);
      if (shared === undefined) return { removed: 0, last: undefined };
      if (shared.groups.length === 0 && upTo === undefined) return { removed: 0, last: undefined };
      const { last, done } = await this.#messages.done(streamId, shared.groups, {
        after,
        age,
        most: SOME,
      });
      const ids = upTo === undefined ? done : done.filter((id) => id <= upTo);
      const removed = counts ? ids.length : await this.#messages.remove(ids);
      const isPast = upTo !== undefined && last !== undefined && last >= upTo;
      return { removed, last: isPast ? undefined : last };
    });
  }
}
