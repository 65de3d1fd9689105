import type { RetryingPooledDatabase } from '../database';
import { partsOf } from '../pooled-database';
import { ValueCodec } from '../values/codec';
import { Bell } from './bell';
import { ClaimDesk } from './claim-desk';
import { DedupeTable } from './dedupe-table';
import { DeliveryListing } from './delivery-listing';
import { DeliveryTable } from './delivery-table';
import { Intake } from './intake';
import { LaneTable } from './lane-table';
import { MessageTable } from './message-table';
import { Producer } from './producer';
import { QueueAccess } from './queue-access';
import type { ResolvedQueueOptions } from './queue-options';
import { QUEUE_TABLES } from './queue-schema';
import { Retention } from './retention';
import { ScheduleTable } from './schedule-table';
import { Settlement } from './settlement';
import { StreamDirectory } from './stream-directory';
import { StreamTable } from './stream-table';
import { Upkeep } from './upkeep';

/** What a queue is made of. */
export type QueueParts = ReturnType<typeof makeParts>;

export function makeParts(db: RetryingPooledDatabase, options: ResolvedQueueOptions) {
  const access = new QueueAccess(db, QUEUE_TABLES, options.prefix, options.autoInstall);
  const { clock, logger } = access.host;
  const bell = Bell.of(partsOf(db).pool, options.prefix);
  const codec = new ValueCodec(options.serializer);
  const streams = new StreamTable(access);
  const messages = new MessageTable(access);
  const deliveries = new DeliveryTable(access);
  const listing = new DeliveryListing(access);
  const lanes = new LaneTable(access);
  const dedupe = new DedupeTable(access);
  const schedules = new ScheduleTable(access);
  const directory = new StreamDirectory(streams, access, clock);
  const retention = new Retention(access, { streams, messages, dedupe }, options.retention);
  const upkeep = new Upkeep(access, deliveries, lanes, bell);
  const settlement = new Settlement(access, deliveries, lanes, bell, options, ({ streamId }) =>
    retention.touch(streamId),
  );
  const desk = new ClaimDesk(access, deliveries, upkeep, settlement, codec);
  const intake = new Intake(directory, desk, bell, clock, options.pollInterval);
  const producer = new Producer(
    access,
    { streams, messages, deliveries, lanes, dedupe },
    directory,
    bell,
  );
  return {
    access,
    logger,
    bell,
    codec,
    streams,
    messages,
    deliveries,
    listing,
    lanes,
    schedules,
    directory,
    retention,
    upkeep,
    settlement,
    desk,
    intake,
    producer,
  };
}
