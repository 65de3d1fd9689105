import type { MessageQueue } from '../../src/index';
import type { QueueParts } from '../../src/queue/queue-parts';

/** What a queue is made of, for tests of what no caller can bring about. */
export function partsOfQueue(queue: MessageQueue): QueueParts {
  return (queue as unknown as { readonly parts: QueueParts }).parts;
}

/** The queue does without SKIP LOCKED and JSON_TABLE, as on a server that has neither. */
export function plain(queue: MessageQueue): MessageQueue {
  partsOfQueue(queue).access.usePlainStatements();
  return queue;
}
