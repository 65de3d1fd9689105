import type { ChangeOfSome } from './some-deliveries';

/**
 * Where a delivery is. The numbers stand in the table. `fence` is one row per group that is none: it
 * keeps the end of what is ready, where idle consumers look and producers write, apart from what is
 * claimed, where claims write.
 */
export const State = { ready: 0, fence: 1, claimed: 2, delayed: 3, dead: 4 } as const;

export const NOW = 'UTC_TIMESTAMP(6)';
/** So many microseconds from now. */
export const LATER = `${NOW} + INTERVAL ? MICROSECOND`;
/** The due time of what is ready: so the order is that of production. */
export const EPOCH = "TIMESTAMP'1970-01-01 00:00:00'";

const MICROSECOND_NOW = `TIMESTAMPDIFF(MICROSECOND, ${EPOCH}, ${NOW})`;

/**
 * A change of rows that `select` finds (by group_id and message_id), past those that others have locked.
 * They are found first and then looked up one by one.
 */
export function changeFree(table: string, select: string, assignment: string): string {
  return (
    `UPDATE (${select} FOR UPDATE SKIP LOCKED) AS x STRAIGHT_JOIN ${table} AS d FORCE INDEX (PRIMARY) ` +
    `ON d.group_id = x.group_id AND d.message_id = x.message_id SET ${assignment}`
  );
}

function changeSome(table: string, condition: string, assignment: string): ChangeOfSome {
  const some =
    `FROM ${table} FORCE INDEX (queue) WHERE group_id = ? ` +
    `AND ${condition} ORDER BY due, message_id LIMIT ?`;
  return {
    skipping: changeFree(table, `SELECT group_id, message_id ${some}`, assignment),
    candidates: `SELECT message_id AS id ${some}`,
    listed: (each) =>
      `UPDATE ${each} ${table} AS d FORCE INDEX (PRIMARY) ` +
      `ON d.group_id = x.groupId AND d.message_id = x.messageId SET ${assignment} WHERE ${condition}`,
  };
}

/** Every statement on deliveries that changes or claims them, whose text is always the same. */
export function deliveryStatements(table: string, messages: string) {
  // What the server takes for now comes back as insertId: by it the rows are found again.
  const take =
    'd.claim = ?, d.consumer = ?, d.attempt = d.attempt + 1, ' +
    `d.state = ${State.claimed} + 0 * LAST_INSERT_ID(${MICROSECOND_NOW}), ` +
    `d.due = ${NOW} + INTERVAL ? MICROSECOND`;
  // MariaDB finds even one row by the other index, where the table is small, and locks its end.
  const update = `UPDATE ${table} FORCE INDEX (PRIMARY) SET`;
  const mine = 'group_id = ? AND message_id = ? AND claim = ?';
  const holds = `state = ${State.claimed} AND due > ${NOW}`;
  const body =
    'SELECT d.message_id AS id, d.attempt, d.lane, m.kind, m.body, ' +
    `TIMESTAMPDIFF(MICROSECOND, m.produced_at, ${NOW}) AS age ` +
    `FROM ${table} AS d FORCE INDEX (queue) LEFT JOIN ${messages} AS m FORCE INDEX (PRIMARY) ON m.id = d.message_id ` +
    `WHERE d.group_id = ? AND d.state = ${State.claimed}`;
  const next = (state: number): string =>
    `(SELECT TIMESTAMPDIFF(MICROSECOND, ${NOW}, due) FROM ${table} FORCE INDEX (queue) ` +
    `WHERE group_id = ? AND state = ${state} ORDER BY due LIMIT 1)`;
  const ready = `d.state = ${State.ready}, d.due = ${EPOCH}, d.claim = 0`;
  return {
    addFence:
      `INSERT INTO ${table} (group_id, message_id, state, due) ` +
      `VALUES (?, 0, ${State.fence}, ${EPOCH})`,
    backfill:
      `INSERT INTO ${table} (group_id, message_id, state, due) SELECT ?, m.id, ` +
      `IF(m.not_before > ${NOW}, ${State.delayed}, ${State.ready}), ` +
      `IF(m.not_before > ${NOW}, m.not_before, ${EPOCH}) ` +
      // By its index: a small table that is read from end to end has others' rows waited for.
      `FROM ${messages} AS m FORCE INDEX (stream) WHERE m.stream_id = ? AND m.lane IS NULL`,
    removeGroup: `DELETE d FROM ${table} AS d FORCE INDEX (PRIMARY) WHERE d.group_id = ?`,
    claim: changeSome(table, `state = ${State.ready}`, take),
    takeOver: changeSome(table, `state = ${State.claimed} AND consumer = ? AND attempt < ?`, take),
    claimed: `${body} AND d.due = ${EPOCH} + INTERVAL ? MICROSECOND AND d.claim = ? ORDER BY d.message_id`,
    claimedBy: `${body} AND d.claim = ? ORDER BY d.due, d.message_id`,
    acknowledge: `DELETE d FROM ${table} AS d FORCE INDEX (PRIMARY) WHERE ${mine} AND ${holds}`,
    extend: `${update} due = GREATEST(due, ${LATER}) WHERE ${mine} AND ${holds}`,
    giveBack:
      `${update} state = ?, due = IF(?, ${NOW} + INTERVAL ? MICROSECOND, ${EPOCH}), ` +
      `claim = 0, reason = COALESCE(?, reason) WHERE ${mine} AND ${holds}`,
    bury:
      `${update} state = ${State.dead}, due = ${NOW}, claim = 0, ` +
      `reason = COALESCE(?, reason) WHERE ${mine} AND ${holds}`,
    requeue:
      `${update} state = ${State.ready}, due = ${EPOCH}, claim = 0 ` +
      `WHERE group_id = ? AND message_id = ? AND state IN (${State.claimed}, ${State.delayed})`,
    due:
      `SELECT (SELECT 1 FROM ${table} FORCE INDEX (queue) WHERE group_id = ? ` +
      `AND state = ${State.ready} ORDER BY due, message_id LIMIT 1) AS isReady, ` +
      `${next(State.delayed)} AS delayedFor, ${next(State.claimed)} AS expiresIn`,
    promote: changeSome(table, `state = ${State.delayed} AND due <= ${NOW}`, ready),
    reclaim: changeSome(table, `state = ${State.claimed} AND due <= ${NOW} AND attempt < ?`, ready),
    exhausted:
      `SELECT message_id AS id, claim, lane FROM ${table} FORCE INDEX (queue) WHERE group_id = ? ` +
      `AND state = ${State.claimed} AND due <= ${NOW} AND attempt >= ? ` +
      'ORDER BY due, message_id LIMIT ? FOR UPDATE',
  };
}
