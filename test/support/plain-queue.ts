import type { MessageQueue } from '../../src/index';
import type { QueueParts } from '../../src/queue/queue-parts';
import { until } from './until';

/** What a queue is made of, for tests of what no caller can bring about. */
export function partsOfQueue(queue: MessageQueue): QueueParts {
  return (queue as unknown as { readonly parts: QueueParts }).parts;
}

/** Resolves when the queue does nothing by itself any more: it looks after no group, and sweeps nothing. */
export async function quiet(queue: MessageQueue): Promise<void> {
  const { upkeep, retention } = partsOfQueue(queue);
  await until('no sweep is under way', () => !retention.sweeper.stats.sweeping);
  await upkeep.settled();
}

/** The queue does without SKIP LOCKED and JSON_TABLE, as on a server that has neither. */
export function plain(queue: MessageQueue): MessageQueue {
  partsOfQueue(queue).access.usePlainStatements();
  return queue;
}
