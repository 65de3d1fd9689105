import { State } from './delivery-sql';
import type { QueueParts } from './queue-parts';

/** A group, at this moment. */
export interface QueueInfo {
  /** Messages of the stream, acknowledged ones included that are still kept. */
  readonly length: number;
  /** Not yet claimed, or given back: ready, delayed, or waiting for one of the same key. */
  readonly lag: number;
  /** Of those, delivered later. */
  readonly delayed: number;
  /** Claimed and not acknowledged. */
  readonly pending: number;
  /** Dead letters. */
  readonly dead: number;
  /** The age in ms of the oldest that is neither acknowledged nor dead; 0 where there is none. */
  readonly oldest: number;
}

export async function infoOf(
  { directory, messages, listing, lanes }: QueueParts,
  stream: string,
  group: string,
): Promise<QueueInfo> {
  const { streamId, groupId } = await directory.group(stream, group);
  const { byState, waiting } = await listing.counts(groupId, lanes.count);
  const oldest = [await listing.oldest(groupId), await lanes.oldest(groupId)];
  const of = (state: number): number => byState.get(state) ?? 0;
  return Object.freeze({
    length: await messages.count(streamId),
    lag: of(State.ready) + of(State.delayed) + waiting,
    delayed: of(State.delayed),
    pending: of(State.claimed),
    dead: of(State.dead),
    oldest: Math.max(...oldest.map((age) => age ?? 0)),
  });
}
