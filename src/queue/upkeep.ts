import type { Bell } from './bell';
import type { DeliveryTable } from './delivery-table';
import type { Head, LaneTable } from './lane-table';
import type { QueueAccess } from './queue-access';
import type { GroupRef } from './stream-directory';

/** Rows changed by one statement at most. */
const SOME = 1000;
/** Lanes looked after at a time. */
const SOME_LANES = 200;
const EXPIRED = Buffer.from('It was claimed for the last time, and not acknowledged in time.');

export interface Found {
  /** Whether there is something to claim. */
  readonly ready: boolean;
  /** In how many ms the next delayed message, or claim that ends, is due. */
  readonly next: number | undefined;
}

/**
 * Makes ready what is to be: delayed messages whose time has come, messages whose claim has ended, the
 * next one of each key. Done by whichever consumer comes by; several do not disturb each other.
 */
export class Upkeep {
  readonly #access: QueueAccess;
  readonly #deliveries: DeliveryTable;
  readonly #lanes: LaneTable;
  readonly #bell: Bell;
  readonly #running = new Map<number, Promise<Found>>();

  constructor(access: QueueAccess, deliveries: DeliveryTable, lanes: LaneTable, bell: Bell) {
    this.#access = access;
    this.#deliveries = deliveries;
    this.#lanes = lanes;
    this.#bell = bell;
  }

  /** Looks after a group. Who asks while it is done already gets that outcome. */
  run(ref: GroupRef): Promise<Found> {
    let running = this.#running.get(ref.groupId);
    if (running === undefined) {
      running = this.#access
        .alone(() => this.#look(ref))
        .finally(() => this.#running.delete(ref.groupId));
      this.#running.set(ref.groupId, running);
    }
    return running;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running.values()]);
  }

  async #look(ref: GroupRef): Promise<Found> {
    const due = await this.#deliveries.due(ref.groupId, this.#lanes.isDue);
    const { delayed = Infinity, expiry = Infinity } = due;
    let changed = 0;
    if (delayed <= 0) changed += await this.#all(() => this.#deliveries.promote(ref.groupId, SOME));
    if (expiry <= 0) changed += await this.#expired(ref);
    if (due.lanes) changed += await this.#passOn(ref.groupId);
    if (changed > 0) this.#bell.ring(ref.streamId);
    const next = Math.min(...[delayed, expiry].filter((ms) => ms > 0));
    return { ready: due.ready || changed > 0, next: next === Infinity ? undefined : next };
  }

  async #all(some: () => Promise<number>): Promise<number> {
    for (let sum = 0; ;) {
      const changed = await some();
      sum += changed;
      if (changed < SOME) return sum;
    }
  }

  async #expired({ groupId, maxAttempts }: GroupRef): Promise<number> {
    const ready = await this.#all(() => this.#deliveries.reclaim(groupId, maxAttempts, SOME));
    await this.#all(() =>
      this.#access.atomic(async () => {
        const exhausted = await this.#deliveries.exhausted(groupId, maxAttempts, SOME);
        if (exhausted.length === 0) return 0;
        await this.#deliveries.buryAll(exhausted, EXPIRED);
        const laned = exhausted.flatMap(({ lane, messageId }) =>
          lane === undefined ? [] : [{ lane, messageId }],
        );
        if (laned.length > 0) await this.#lanes.pass(groupId, laned);
        return exhausted.length;
      }),
    );
    return ready;
  }

  /**
   * Lets the next message of each lane go that has none out. What is written here is decided with the
   * lane's row locked; lanes that others have locked are theirs to look after, and what came for them
   * is passed by.
   */
  async #passOn(groupId: number): Promise<number> {
    const free = await this.#lanes.free(groupId, SOME_LANES);
    for (let after = 0; ;) {
      const page = await this.#lanes.incoming(groupId, after, SOME);
      const incoming = firstLanes(page, SOME_LANES);
      const lanes = distinct([...incoming.map(({ lane }) => lane), ...(after === 0 ? free : [])]);
      const { filed, released } = await this.#passOnIn(groupId, lanes, incoming);
      const isLast = page.length < SOME && incoming.length === page.length;
      if (filed > 0 || released > 0 || isLast) return released;
      after = incoming.at(-1)?.id ?? after;
    }
  }

  async #passOnIn(
    groupId: number,
    lanes: readonly Buffer[],
    incoming: readonly Head[],
  ): Promise<{ readonly filed: number; readonly released: number }> {
    if (lanes.length === 0) return { filed: 0, released: 0 };
    const known = new Set((await this.#lanes.known(groupId, lanes)).map(text));
    const fresh = lanes.filter((lane) => !known.has(text(lane)));
    if (fresh.length > 0) await this.#lanes.open(groupId, fresh);
    return this.#access.atomic(async () => {
      const locked = await this.#lanes.lock(groupId, lanes);
      const theirs = incoming.filter(({ lane }) => locked.has(text(lane)));
      if (theirs.length > 0) await this.#lanes.file(groupId, inOrder(theirs));
      const idle = lanes.filter((lane) => locked.get(text(lane)) === 0);
      if (idle.length === 0) return { filed: theirs.length, released: 0 };
      const heads = inOrder(await this.#lanes.heads(groupId, idle));
      if (heads.length > 0) await this.#lanes.release(groupId, heads);
      const used = new Set(heads.map(({ lane }) => text(lane)));
      const empty = idle.filter((lane) => !used.has(text(lane)));
      if (empty.length > 0) await this.#lanes.close(groupId, empty);
      return { filed: theirs.length, released: heads.length };
    });
  }
}

/** As many of these messages, from the first on, as belong to so many lanes. */
function firstLanes(messages: readonly Head[], most: number): readonly Head[] {
  const seen = new Set<string>();
  const end = messages.findIndex(({ lane }) => seen.add(text(lane)).size > most);
  return end < 0 ? messages : messages.slice(0, end);
}

const text = (lane: Buffer): string => lane.toString('latin1');

function distinct(lanes: readonly Buffer[]): Buffer[] {
  return [...new Map(lanes.map((lane) => [text(lane), lane])).values()].sort((a, b) =>
    Buffer.compare(a, b),
  );
}

function inOrder(heads: readonly Head[]): Head[] {
  return [...heads].sort((a, b) => Buffer.compare(a.lane, b.lane) || a.id - b.id);
}
