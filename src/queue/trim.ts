import { checkOptionNames } from '../errors';
import { checkCount, checkMs } from './queue-options';
import type { QueueParts } from './queue-parts';
import { nameBytes } from './stream-directory';

export interface TrimOptions {
  /** Messages that are younger are kept, in ms. @default 0 */
  readonly olderThan?: number;
  /** So many of the newest messages are kept. @default 0 */
  readonly keep?: number;
}

/** @param how `count` leaves them there. */
export async function trim(
  { streams, messages, retention }: QueueParts,
  stream: string,
  options: TrimOptions,
  how: 'remove' | 'count' = 'remove',
): Promise<number> {
  checkOptionNames('options', options, ['olderThan', 'keep']);
  const { olderThan = 0, keep = 0 } = options;
  checkMs('olderThan', olderThan);
  checkCount('keep', keep, 0, Number.MAX_SAFE_INTEGER);
  const streamId = await streams.find(nameBytes('stream', stream));
  if (streamId === undefined) return 0;
  const upTo = await messages.newest(streamId, keep);
  if (upTo === undefined) return 0;
  let removed = 0;
  for (let after: number | undefined = 0; after !== undefined;) {
    const bounds = { age: olderThan, upTo, counts: how === 'count' };
    const some = await retention.some(streamId, after, bounds);
    removed += some.removed;
    after = some.last;
  }
  return removed;
}
