import { InvalidArgumentError, checkOptionNames } from '../errors';
import { checkCount, type CreateGroupOptions } from './queue-options';
import type { QueueParts } from './queue-parts';
import { nameBytes } from './stream-directory';

const MOST_ATTEMPTS = 2 ** 31;

/** Creates a group with the stream's row locked, so that it misses nothing. */
export async function createGroup(
  { access, streams, deliveries, lanes, directory, bell }: QueueParts,
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
  let streamId = await directory.stream(names.stream);
  const isNew = await access.atomic(async () => {
    if (!(await streams.lock(streamId))) {
      streamId = await directory.renew(names.stream);
      await streams.lock(streamId);
    }
    const found = await streams.lockGroup(streamId, names.group);
    if (found !== undefined) {
      if (maxAttempts !== undefined) await streams.limitAttempts(found, maxAttempts);
      return false;
    }
    const attempts = maxAttempts ?? defaultAttempts;
    const groupId = await streams.addGroup(streamId, names.group, attempts);
    await deliveries.addGroup(groupId, streamId, from);
    if (from === 'start') await lanes.backfill(groupId, streamId);
    return true;
  });
  await access.db.afterCommit(() => {
    directory.forgetGroup(stream, group);
    bell.ring(streamId);
  });
  return isNew;
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
    await streams.lock(streamId);
    const groupId = await streams.lockGroup(streamId, names.group);
    if (groupId === undefined) return false;
    await deliveries.removeGroup(groupId);
    await lanes.removeGroup(groupId);
    await streams.removeGroup(groupId);
    return true;
  });
  await access.db.afterCommit(() => directory.forgetGroup(stream, group));
  return found;
}
