import type { TableDefinition } from '../schema/table';

const define = (name: string, ...parts: readonly string[]): TableDefinition => ({
  name: `queue_${name}`,
  version: 1,
  create: (table) => `CREATE TABLE IF NOT EXISTS ${table} (${parts.join(', ')}) ENGINE=InnoDB`,
  upgrades: {},
});

/**
 * A stream's row is what producers lock shared, and whoever creates a group alone. It lists the
 * numbers of its groups: found in their own table they would cost a producer gaps that the groups of
 * other streams belong in.
 */
export const streamTable = define(
  'streams',
  'id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY',
  'name VARBINARY(255) NOT NULL',
  'group_ids BLOB NOT NULL',
  'UNIQUE KEY name (name)',
);

export const groupTable = define(
  'groups',
  'id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY',
  'stream_id INT UNSIGNED NOT NULL',
  'name VARBINARY(255) NOT NULL',
  'max_attempts INT UNSIGNED NOT NULL',
  'UNIQUE KEY name (stream_id, name)',
);

/** What was produced, once for all groups. `lane` is the key by which messages stay in order. */
export const messageTable = define(
  'messages',
  'id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY',
  'stream_id INT UNSIGNED NOT NULL',
  'produced_at DATETIME(6) NOT NULL',
  'not_before DATETIME(6) NULL',
  'lane VARBINARY(255) NULL',
  'kind TINYINT UNSIGNED NOT NULL',
  'body LONGBLOB NOT NULL',
  'KEY stream (stream_id)',
);

/**
 * What a group still has to deal with, a row per message; it goes with the acknowledgement. One
 * index serves every state: what is ready in the order of production, the rest by when it is due.
 */
export const deliveryTable = define(
  'deliveries',
  'group_id INT UNSIGNED NOT NULL',
  'message_id BIGINT UNSIGNED NOT NULL',
  // Ready, as nearly all are when they are produced.
  'state TINYINT UNSIGNED NOT NULL DEFAULT 0',
  // Ready: always the same. Claimed: the end of the claim. Delayed: when it gets ready. Dead: since when.
  "due DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00'",
  // Random, one per claim; 0 where there is none.
  'claim BIGINT UNSIGNED NOT NULL DEFAULT 0',
  'attempt INT UNSIGNED NOT NULL DEFAULT 0',
  "consumer VARBINARY(255) NOT NULL DEFAULT ''",
  'lane VARBINARY(255) NULL',
  'reason VARBINARY(512) NULL',
  'PRIMARY KEY (group_id, message_id)',
  'KEY queue (group_id, state, due, message_id)',
);

/** Messages with a key that have not come to the head of their lane. `filed`: their lane has a row. */
export const waitingTable = define(
  'waiting',
  'group_id INT UNSIGNED NOT NULL',
  'lane VARBINARY(255) NOT NULL',
  'message_id BIGINT UNSIGNED NOT NULL',
  'filed TINYINT UNSIGNED NOT NULL DEFAULT 0',
  'not_before DATETIME(6) NULL',
  'PRIMARY KEY (group_id, lane, message_id)',
  'KEY incoming (group_id, filed, message_id)',
);

/** Lanes in use, and which of its messages each has out; 0 where the next one's turn has come. */
export const laneTable = define(
  'lanes',
  'group_id INT UNSIGNED NOT NULL',
  'lane VARBINARY(255) NOT NULL',
  'holder BIGINT UNSIGNED NOT NULL',
  'PRIMARY KEY (group_id, lane)',
  'KEY holder (group_id, holder)',
);

/** What must not be produced again for some time. */
export const dedupeTable = define(
  'dedupe',
  'stream_id INT UNSIGNED NOT NULL',
  'dedupe_key VARBINARY(255) NOT NULL',
  'token BIGINT UNSIGNED NOT NULL',
  'message_id BIGINT UNSIGNED NOT NULL',
  'expires_at DATETIME(6) NOT NULL',
  'PRIMARY KEY (stream_id, dedupe_key)',
  'KEY expiry (expires_at)',
);

/** Which moment of each schedule was fired last, in the schedule's own time. */
export const scheduleTable = define(
  'schedules',
  'name VARBINARY(255) NOT NULL PRIMARY KEY',
  'fired_for DATETIME(3) NOT NULL',
);

/** All tables of the queue. */
export const QUEUE_TABLES: readonly TableDefinition[] = [
  streamTable,
  groupTable,
  messageTable,
  deliveryTable,
  waitingTable,
  laneTable,
  dedupeTable,
  scheduleTable,
];
