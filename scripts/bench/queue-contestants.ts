import { Queue, Worker, type Job } from 'bullmq';
import type { Message, MessageQueue, RetryingPooledDatabase } from '../../src/index';
import type { RedisHandle } from '../server';
import type { BenchServer, Library } from './part';

/** A queue from end to end: what is added comes to a handler, and is acknowledged. */
export interface QueueContestant {
  readonly name: string;
  /** One at a time, all asked for at the same moment. */
  add(count: number): Promise<unknown>;
  /** All by one call. */
  addBulk(count: number): Promise<unknown>;
  /** Calls back for each message that was handled. */
  onHandled: (() => void) | undefined;
  /** Resolves when nothing is left to be acknowledged. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export const PREFETCH = 100;
const STREAM = 'bench';
const payload = (at: number) => ({ at, to: 'somebody@example.com', subject: 'x'.repeat(60) });

export async function openOurs(
  { MessageQueue, RetryingPooledDatabase, install }: Library,
  server: BenchServer,
): Promise<
  QueueContestant & { readonly queue: MessageQueue; readonly db: RetryingPooledDatabase }
> {
  const db = new RetryingPooledDatabase({ uri: server.url });
  await install(db);
  const queue = new MessageQueue(db);
  await queue.createGroup(STREAM, 'workers');
  const ours: QueueContestant & { queue: MessageQueue; db: RetryingPooledDatabase } = {
    name: 'MessageQueue',
    queue,
    db,
    onHandled: undefined,
    add: (count) =>
      Promise.all(Array.from({ length: count }, (_, at) => queue.produce(STREAM, payload(at)))),
    addBulk: (count) =>
      queue.produceMany(
        STREAM,
        Array.from({ length: count }, (_, at) => payload(at)),
      ),
    settled: async () => {
      while (worker.stats().held > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    close: async () => {
      await queue.close();
      await db.end();
    },
  };
  const handler = (_: Message): void => ours.onHandled?.();
  const worker = queue.worker(STREAM, 'workers', handler, {
    concurrency: PREFETCH,
    prefetch: PREFETCH,
  });
  return ours;
}

let queues = 0;

export function openTheirs(redis: RedisHandle): QueueContestant {
  const connection = { host: redis.host, port: redis.port };
  const name = `bench-${queues++}`;
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } });
  let completed = 0;
  let added = 0;
  const theirs: QueueContestant = {
    name: 'BullMQ on Redis, nothing on disk',
    onHandled: undefined,
    add: (count) => {
      added += count;
      return Promise.all(Array.from({ length: count }, (_, at) => queue.add('job', payload(at))));
    },
    addBulk: (count) => {
      added += count;
      return queue.addBulk(
        Array.from({ length: count }, (_, at) => ({ name: 'job', data: payload(at) })),
      );
    },
    settled: async () => {
      while (completed < added) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    close: async () => {
      await worker.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
  const handler = async (_: Job): Promise<void> => theirs.onHandled?.();
  const worker = new Worker(name, handler, { connection, concurrency: PREFETCH });
  worker.on('completed', () => completed++);
  worker.on('error', () => undefined);
  return theirs;
}
