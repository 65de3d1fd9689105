import { Batcher } from '../batcher';
import { holdsConnection, openFrame } from '../schema/standing';
import type { Bell } from './bell';
import type { DedupeTable } from './dedupe-table';
import type { DeliveryTable } from './delivery-table';
import type { LaneTable } from './lane-table';
import {
  hasLane,
  hasNoLane,
  type DedupeKey,
  type MessageTable,
  type NewMessage,
} from './message-table';
import type { QueueAccess } from './queue-access';
import { randomNumber } from './random';
import type { StreamDirectory } from './stream-directory';
import type { SharedStream, StreamTable } from './stream-table';

/** Callers whose messages are stored in one transaction at most. */
const CALLERS = 500;
/** Such transactions under way at most; who comes meanwhile goes with the next. */
const AT_ONCE = 2;
/** In ms: a stream that somebody has locked does not hold up others for longer. */
const PATIENCE = 100;

export interface ProducerTables {
  readonly streams: StreamTable;
  readonly messages: MessageTable;
  readonly deliveries: DeliveryTable;
  readonly lanes: LaneTable;
  readonly dedupe: DedupeTable;
}

interface Order {
  readonly stream: Buffer;
  readonly messages: readonly NewMessage[];
}

/** Stores messages, and a delivery of each for every group of its stream. */
export class Producer {
  readonly #access: QueueAccess;
  readonly #tables: ProducerTables;
  readonly #directory: StreamDirectory;
  readonly #bell: Bell;
  readonly #batcher: Batcher<Order, number[]>;

  constructor(access: QueueAccess, tables: ProducerTables, directory: StreamDirectory, bell: Bell) {
    this.#access = access;
    this.#tables = tables;
    this.#directory = directory;
    this.#bell = bell;
    this.#batcher = new Batcher({
      most: CALLERS,
      atOnce: AT_ONCE,
      patience: PATIENCE,
      run: (orders) => this.#store(orders),
    });
  }

  /**
   * Resolves to the ids once the messages are stored, or are part of the caller's transaction. Callers
   * who hold no connection are served together.
   */
  async produce(order: Order): Promise<number[]> {
    if (order.messages.length === 0) return [];
    if (!holdsConnection(this.#access.db)) return this.#batcher.add(order);
    const [ids] = await this.#store([order]);
    return ids ?? [];
  }

  async #store(orders: readonly Order[]): Promise<number[][]> {
    const streams = new Set<number>();
    const stored = await this.#access.atomic(async () => {
      streams.clear();
      const results = new Map<Order, number[]>();
      for (const [stream, some] of byStream(orders)) {
        const messages = some.flatMap((order) => order.messages);
        const { streamId, shared } = await this.#share(stream);
        const ids = await this.#storeIn(streamId, shared, messages);
        streams.add(streamId);
        let at = 0;
        for (const order of some) {
          results.set(order, ids.slice(at, at + order.messages.length));
          at += order.messages.length;
        }
      }
      return orders.map((order) => results.get(order) ?? []);
    });
    const ring = (): void => {
      for (const stream of streams) this.#bell.ring(stream);
    };
    if (openFrame(this.#access.db) === undefined) ring();
    else await this.#access.db.afterCommit(ring);
    return stored;
  }

  async #share(stream: Buffer): Promise<{ streamId: number; shared: SharedStream }> {
    const streamId = await this.#directory.stream(stream);
    const shared = await this.#tables.streams.share(streamId);
    if (shared !== undefined) return { streamId, shared };
    // It was undone with the transaction that had made it.
    const made = await this.#directory.renew(stream);
    const found = await this.#tables.streams.share(made);
    return { streamId: made, shared: found ?? { groups: [], step: 1 } };
  }

  /** With the stream's row locked. */
  async #storeIn(
    streamId: number,
    { groups, step }: SharedStream,
    messages: readonly NewMessage[],
  ): Promise<number[]> {
    const before = await this.#producedBefore(streamId, messages);
    const fresh = messages.filter((_, at) => before[at] === undefined);
    const ids = await this.#tables.messages.insert(streamId, fresh, step);
    const made = fresh.map((message, at) => ({ ...message, id: ids[at] ?? 0 }));
    await this.#tables.deliveries.add(groups, made.filter(hasNoLane));
    await this.#tables.lanes.add(groups, made.filter(hasLane));
    const deduped = made.flatMap(({ id, dedupe }) =>
      dedupe === undefined ? [] : [{ id, key: dedupe.key }],
    );
    if (deduped.length > 0) await this.#tables.dedupe.note(streamId, deduped);
    const byKey = new Map(deduped.map(({ id, key }) => [key.toString('hex'), id]));
    let next = 0;
    return messages.map(({ dedupe }, at) => {
      const found = before[at];
      if (found === undefined) return ids[next++] ?? 0;
      return typeof found === 'number'
        ? found
        : (byKey.get(dedupe?.key.toString('hex') ?? '') ?? 0);
    });
  }

  /** Of each message, the id of the one that keeps it out; `'here'` where that is one of these. */
  async #producedBefore(
    streamId: number,
    messages: readonly NewMessage[],
  ): Promise<readonly (number | 'here' | undefined)[]> {
    const keys = new Map<string, DedupeKey>();
    for (const { dedupe } of messages) {
      const key = dedupe?.key.toString('hex');
      if (dedupe !== undefined && key !== undefined && !keys.has(key)) keys.set(key, dedupe);
    }
    if (keys.size === 0) return [];
    const taken = await this.#tables.dedupe.take(streamId, [...keys.values()], randomNumber());
    const seen = new Set<string>();
    return messages.map(({ dedupe }) => {
      if (dedupe === undefined) return undefined;
      const key = dedupe.key.toString('hex');
      const id = taken.get(key);
      if (id !== undefined) return id;
      if (seen.has(key)) return 'here';
      seen.add(key);
      return undefined;
    });
  }
}

/** In one order for all producers: rows are locked on the way. */
function byStream(orders: readonly Order[]): [Buffer, Order[]][] {
  const streams = new Map<string, [Buffer, Order[]]>();
  for (const order of orders) {
    const key = order.stream.toString('latin1');
    const entry = streams.get(key);
    if (entry === undefined) streams.set(key, [order.stream, [order]]);
    else entry[1].push(order);
  }
  return [...streams.values()].sort(([a], [b]) => Buffer.compare(a, b));
}
