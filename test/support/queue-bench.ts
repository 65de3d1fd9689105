import {
  MessageQueue,
  type CreateGroupOptions,
  type Message,
  type MessageQueueOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { QUEUE_TABLES } from '../../src/queue/queue-schema';
import { installed } from './installed';
import type { Workbench } from './servers';
import { deferred, until } from './until';

/** Queues on a workbench: the tables are there, and what a test made is closed after it. */
export class QueueBench {
  readonly #bench: Workbench;
  readonly #made: MessageQueue[] = [];

  constructor(bench: Workbench) {
    this.#bench = bench;
    installed(bench);
    afterEach(async () => {
      await Promise.all(this.#made.splice(0).map((queue) => queue.close()));
      await this.clear();
    });
  }

  async clear(): Promise<void> {
    for (const { name } of QUEUE_TABLES) await this.#bench.sql(`DELETE FROM ${this.table(name)}`);
  }

  /** A queue over a pool of its own, with the group `g` of the stream `jobs`. */
  async begin(
    group: CreateGroupOptions = {},
    options: MessageQueueOptions = {},
  ): Promise<{ readonly db: RetryingPooledDatabase; readonly queue: MessageQueue }> {
    const db = this.#bench.open();
    const queue = this.open(db, options);
    await queue.createGroup('jobs', 'g', group);
    return { db, queue };
  }

  /** As it stands in SQL. */
  table(name: string): string {
    return `${this.#bench.schema}.boomerang_${name}`;
  }

  /** How the server would carry it out, a row per table. */
  plan(sql: string, values: readonly unknown[] = []) {
    const format = this.#bench.server.flavour === 'mysql' ? 'FORMAT=TRADITIONAL ' : '';
    return this.#bench.sql(`EXPLAIN ${format}${sql}`, [...values]);
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

/** A transaction that has done its work, and stays open until it is told to commit. */
export async function openTransaction(
  db: RetryingPooledDatabase,
  work: () => Promise<unknown>,
): Promise<{ commit(): Promise<void> }> {
  const done = deferred();
  const goOn = deferred();
  const ended = db.atomic(async () => {
    await work();
    done.resolve();
    await goOn.promise;
  });
  await Promise.race([done.promise, ended]);
  return {
    commit: () => {
      goOn.resolve();
      return ended;
    },
  };
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

/** 0, 1, 2 … */
export const numbers = (length: number): number[] => Array.from({ length }, (_, at) => at);

export const bodies = (messages: readonly Message[]): unknown[] => messages.map(({ body }) => body);

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Resolves when a `createGroup()` waits for open producers; before that it looks, past them, whether there are any. */
export async function untilGroupWaits(bench: Workbench): Promise<void> {
  await until('it waits for the producers', async () =>
    (await bench.processes()).some(({ statement }) => statement?.endsWith('FOR UPDATE')),
  );
}
