import {
  MessageQueue,
  install,
  type Message,
  type MessageQueueOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { QUEUE_TABLES } from '../../src/queue/queue-schema';
import type { Workbench } from './servers';

/** Queues on a workbench: the tables are there, and what a test made is closed after it. */
export class QueueBench {
  readonly #bench: Workbench;
  readonly #made: MessageQueue[] = [];

  constructor(bench: Workbench) {
    this.#bench = bench;
    beforeAll(async () => {
      const db = bench.open();
      await install(db);
      await db.end();
    });
    afterEach(async () => {
      await Promise.all(this.#made.splice(0).map((queue) => queue.close()));
      await this.clear();
    });
  }

  async clear(): Promise<void> {
    for (const { name } of QUEUE_TABLES) await this.#bench.sql(`DELETE FROM ${this.table(name)}`);
  }

  /** As it stands in SQL. */
  table(name: string): string {
    return `${this.#bench.schema}.boomerang_${name}`;
  }

  open(db: RetryingPooledDatabase, options: MessageQueueOptions = {}): MessageQueue {
    const queue = new MessageQueue(db, { pollInterval: 50, backoff: 20, ...options });
    this.#made.push(queue);
    return queue;
  }

  /** A queue over a pool of its own, as another process would have it. */
  other(options: MessageQueueOptions = {}): MessageQueue {
    return this.open(this.#bench.open(), options);
  }

  /** The server takes every claim for ended; those who have one, as if paused, do not know. */
  async expire(): Promise<void> {
    await this.#bench.sql(
      `UPDATE ${this.table('queue_deliveries')} SET due = UTC_TIMESTAMP(6) WHERE state = 2`,
    );
  }
}

/** Everything a group can have now, acknowledged as it comes. */
export async function drain(
  queue: MessageQueue,
  stream: string,
  group: string,
  wait = 100,
): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const some = await queue.consume(stream, group, { batch: 100, wait });
    if (some.length === 0) return all;
    await Promise.all(some.map((message) => message.ack()));
    all.push(...some);
  }
}

export const bodies = (messages: readonly Message[]): unknown[] => messages.map(({ body }) => body);

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
