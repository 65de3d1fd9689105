import { InvalidArgumentError, checkOptionNames } from '../errors';
import { openFrame } from '../schema/standing';
import { hasLane, hasNoLane, idsSince, type KnownMessage } from './message-table';
import { checkCount, type CreateGroupOptions } from './queue-options';
import type { QueueParts } from './queue-parts';
import { nameBytes } from './stream-directory';

const MOST_ATTEMPTS = 2 ** 31;
/** Messages looked up by one statement at most. */
const SOME = 1000;

interface NewGroup {
  readonly stream: Buffer;
  readonly group: Buffer;
  readonly from: 'start' | 'now';
  /** `undefined`: the queue's for a new one, and no change to one that is there. */
  readonly maxAttempts: number | undefined;
  readonly defaultAttempts: number;
}

/**
 * Creates a group with the stream's row locked, so that it misses nothing: neither what is produced
 * once it is there, nor what producers commit whose transactions are open now.
 */
export async function createGroup(
  parts: QueueParts,
  stream: string,
  group: string,
  options: CreateGroupOptions,
  defaultAttempts: number,
): Promise<boolean> {
  checkOptionNames('options', options, ['from', 'maxAttempts']);
  const { from = 'now', maxAttempts } = options;
  if (from !== 'start' && from !== 'now') {
    throw new InvalidArgumentError('from', "must be 'start' or 'now'");
  }
  if (maxAttempts !== undefined) checkCount('maxAttempts', maxAttempts, 1, MOST_ATTEMPTS);
  const names = { stream: nameBytes('stream', stream), group: nameBytes('group', group) };
  const wanted = { ...names, from, maxAttempts, defaultAttempts };
  const { access, directory, bell } = parts;
  const isNew = !(await isThere(parts, wanted)) && (await make(parts, wanted));
  // Not before: it may have had to be made anew.
  const streamId = await directory.stream(names.stream);
  await access.db.afterCommit(() => {
    directory.forgetGroup(stream, group);
    bell.ring(streamId);
  });
  return isNew;
}

/** One that is there is left in peace, and its producers with it: every process that starts asks for it. */
async function isThere(parts: QueueParts, wanted: NewGroup): Promise<boolean> {
  const { access, streams } = parts;
  // A transaction may have deleted it, or not have seen that it was.
  if (openFrame(access.db) !== undefined) return false;
  const found = await streams.group(wanted.stream, wanted.group);
  if (found === undefined) return false;
  const { maxAttempts = found.maxAttempts } = wanted;
  if (maxAttempts !== found.maxAttempts) await streams.limitAttempts(found.groupId, maxAttempts);
  return true;
}

async function make(parts: QueueParts, wanted: NewGroup): Promise<boolean> {
  const { access, messages, directory } = parts;
  const streamId = await directory.stream(wanted.stream);
  const atOnce = await access.atomic(() => makeLocked(parts, streamId, wanted, 'at once'));
  if (atOnce !== 'busy') return atOnce;
  // What the caller's transaction sees may be old.
  const isPart = openFrame(access.db) !== undefined;
  const read = <T>(fn: () => Promise<T>): Promise<T> => (isPart ? access.alone(fn) : fn());
  const map = () => read(() => messages.map(streamId));
  const before = wanted.from === 'now' ? await map() : undefined;
  const since = async (): Promise<KnownMessage[]> => {
    const all: KnownMessage[] = [];
    const ids = before === undefined ? [] : idsSince(before, await map());
    for (let at = 0; at < ids.length; at += SOME) {
      all.push(...(await read(() => messages.known(ids.slice(at, at + SOME)))));
    }
    return all;
  };
  return (await access.atomic(() => makeLocked(parts, streamId, wanted, 'wait', since))) === true;
}

/** @param since what producers have committed who were open; asked with the stream locked. */
async function makeLocked(
  parts: QueueParts,
  knownId: number,
  { stream, group, from, maxAttempts, defaultAttempts }: NewGroup,
  how: 'wait' | 'at once',
  since?: () => Promise<KnownMessage[]>,
): Promise<boolean | 'busy'> {
  const { streams, deliveries, lanes, directory } = parts;
  let streamId = knownId;
  let groups = await streams.lock(streamId, how);
  if (groups === undefined && how === 'at once') return 'busy';
  if (groups === undefined) {
    streamId = await directory.renew(stream);
    groups = (await streams.lock(streamId, how)) ?? [];
  }
  const groupId = await streams.addGroup(streamId, group, maxAttempts ?? defaultAttempts);
  if (groups.includes(groupId)) {
    if (maxAttempts !== undefined) await streams.limitAttempts(groupId, maxAttempts);
    return false;
  }
  await streams.setGroups(streamId, [...groups, groupId]);
  await deliveries.addGroup(groupId);
  if (from === 'start') {
    await deliveries.backfill(groupId, streamId);
    await lanes.backfill(groupId, streamId);
  }
  const missed = (await since?.()) ?? [];
  await deliveries.add([groupId], missed.filter(hasNoLane));
  await lanes.add([groupId], missed.filter(hasLane));
  return true;
}

export async function deleteGroup(
  { access, streams, deliveries, lanes, directory }: QueueParts,
  stream: string,
  group: string,
): Promise<boolean> {
  const names = { stream: nameBytes('stream', stream), group: nameBytes('group', group) };
  const streamId = await streams.find(names.stream);
  if (streamId === undefined) return false;
  const found = await access.atomic(async () => {
    const groups = await streams.lock(streamId, 'wait');
    const groupId = await streams.lockGroup(streamId, names.group);
    if (groups === undefined || groupId === undefined) return false;
    await deliveries.removeGroup(groupId);
    await lanes.removeGroup(groupId);
    await streams.removeGroup(groupId);
    await streams.setGroups(
      streamId,
      groups.filter((id) => id !== groupId),
    );
    return true;
  });
  await access.db.afterCommit(() => directory.forgetGroup(stream, group));
  return found;
}
