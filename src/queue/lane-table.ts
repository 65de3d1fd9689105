import { EPOCH, NOW, State } from './delivery-sql';
import { each, hex, micros, type QueueAccess } from './queue-access';
import { deliveryTable, laneTable, messageTable, waitingTable } from './queue-schema';

/** A message that has come to the head of its lane. */
export interface Head {
  readonly lane: Buffer;
  readonly id: number;
}

/**
 * Messages with a key. A producer adds its own to what waits, and locks nothing that others need.
 * Consumers let one message of each lane at a time become a delivery; a lane's row, locked while that
 * is done, keeps it one.
 */
export class LaneTable {
  readonly #access: QueueAccess;
  readonly #lanes: string;
  readonly #waiting: string;
  readonly #deliveries: string;
  readonly #messages: string;
  /** Of those listed. */
  readonly #eachWaiting: string;
  /** Whether there is anything to do for lanes of a group; asked along with what else is due. */
  readonly isDue: string;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#lanes = access.name(laneTable);
    this.#waiting = access.name(waitingTable);
    this.#deliveries = access.name(deliveryTable);
    this.#messages = access.name(messageTable);
    this.#eachWaiting =
      `${each('groupId', 'bytes', 'messageId')} ${this.#waiting} AS w FORCE INDEX (PRIMARY) ` +
      'ON w.group_id = x.groupId AND w.lane = UNHEX(x.bytes) AND w.message_id = x.messageId';
    this.isDue =
      `(SELECT 1 FROM ${this.#waiting} FORCE INDEX (incoming) WHERE group_id = ? AND filed = 0 LIMIT 1)` +
      ` IS NOT NULL OR (SELECT 1 FROM ${this.#lanes} FORCE INDEX (holder) ` +
      'WHERE group_id = ? AND holder = 0 LIMIT 1) IS NOT NULL';
  }

  /** A row for each message and group. */
  async add(
    groups: readonly number[],
    messages: readonly { readonly id: number; readonly delay: number; readonly lane: Buffer }[],
  ): Promise<void> {
    if (groups.length === 0 || messages.length === 0) return;
    const rows = groups.flatMap((group) =>
      messages.map(({ id, delay, lane }) => {
        const notBefore = delay > 0 ? `${NOW} + INTERVAL ${micros(delay)} MICROSECOND` : 'NULL';
        return `(${group}, ${hex(lane)}, ${id}, ${notBefore})`;
      }),
    );
    for (let at = 0; at < rows.length; at += 1000) {
      await this.#access.send(
        `INSERT INTO ${this.#waiting} (group_id, lane, message_id, not_before) ` +
          `VALUES ${rows.slice(at, at + 1000).join(', ')}`,
      );
    }
  }

  /** A row for each message with a key that a stream has. */
  async backfill(groupId: number, streamId: number): Promise<void> {
    await this.#access.change(
      `INSERT INTO ${this.#waiting} (group_id, lane, message_id, not_before) ` +
        `SELECT ?, m.lane, m.id, m.not_before FROM ${this.#messages} AS m ` +
        'WHERE m.stream_id = ? AND m.lane IS NOT NULL',
      [groupId, streamId],
    );
  }

  /** Dead ones take their place again in what waits. Resolves to how many. */
  async readmit(groupId: number, ids: readonly number[]): Promise<number> {
    const dead =
      `${each('groupId', 'messageId')} ${this.#deliveries} AS d FORCE INDEX (PRIMARY) ` +
      'ON d.group_id = x.groupId AND d.message_id = x.messageId ' +
      `WHERE d.state = ${State.dead} AND d.lane IS NOT NULL`;
    const list = JSON.stringify(ids.map((id) => [groupId, id]));
    await this.#access.change(
      `INSERT INTO ${this.#waiting} (group_id, lane, message_id) ` +
        `SELECT d.group_id, d.lane, d.message_id FROM ${dead} ` +
        'ON DUPLICATE KEY UPDATE filed = 0',
      [list],
    );
    return (await this.#access.change(`DELETE d FROM ${dead}`, [list])).affectedRows;
  }

  async removeGroup(groupId: number): Promise<void> {
    await this.#access.change(
      `DELETE w FROM ${this.#waiting} AS w FORCE INDEX (PRIMARY) WHERE w.group_id = ?`,
      [groupId],
    );
    await this.#access.change(
      `DELETE l FROM ${this.#lanes} AS l FORCE INDEX (PRIMARY) WHERE l.group_id = ?`,
      [groupId],
    );
  }

  /** Messages that no lane knows of yet, in the order of their ids. */
  async incoming(groupId: number, most: number): Promise<Head[]> {
    const rows = await this.#access.rows<{ id: number | string; lane: Buffer }>(
      `SELECT message_id AS id, lane FROM ${this.#waiting} FORCE INDEX (incoming) ` +
        'WHERE group_id = ? AND filed = 0 ORDER BY message_id LIMIT ?',
      [groupId, String(most)],
    );
    return rows.map(({ id, lane }) => ({ id: Number(id), lane }));
  }

  /** Lanes whose next message may go. */
  async free(groupId: number, most: number): Promise<Buffer[]> {
    const rows = await this.#access.rows<{ lane: Buffer }>(
      `SELECT lane FROM ${this.#lanes} FORCE INDEX (holder) ` +
        'WHERE group_id = ? AND holder = 0 LIMIT ?',
      [groupId, String(most)],
    );
    return rows.map(({ lane }) => lane);
  }

  /** Lanes that have a row, of these. */
  async known(groupId: number, lanes: readonly Buffer[]): Promise<Buffer[]> {
    const rows = await this.#access.list<{ lane: Buffer }>(
      `SELECT lane FROM ${this.#lanes} FORCE INDEX (PRIMARY) WHERE ${these(groupId, lanes)}`,
    );
    return rows.map(({ lane }) => lane);
  }

  /** Gives them a row each. They are new, or were a moment ago. */
  async open(groupId: number, lanes: readonly Buffer[]): Promise<void> {
    const rows = lanes.map((lane) => `(${groupId}, ${hex(lane)}, 0)`);
    await this.#access.send(
      `INSERT INTO ${this.#lanes} (group_id, lane, holder) VALUES ${rows.join(', ')} ` +
        'ON DUPLICATE KEY UPDATE holder = holder',
      { idempotent: true },
    );
  }

  /** Locks the rows of these lanes, past those that others have locked. By lane, who has each. */
  async lock(groupId: number, lanes: readonly Buffer[]): Promise<Map<string, number>> {
    const rows = await this.#access.list<{ lane: Buffer; holder: number | string }>(
      `SELECT lane, holder FROM ${this.#lanes} FORCE INDEX (PRIMARY) ` +
        `WHERE ${these(groupId, lanes)} FOR UPDATE SKIP LOCKED`,
    );
    return new Map(rows.map(({ lane, holder }) => [lane.toString('latin1'), Number(holder)]));
  }

  /** These messages' lanes know of them. With the lanes locked. */
  async file(groupId: number, messages: readonly Head[]): Promise<void> {
    await this.#access.change(`UPDATE ${this.#eachWaiting} SET w.filed = 1`, [
      listOf(groupId, messages),
    ]);
  }

  /** The first message of each of these lanes that has one. With the lanes locked. */
  async heads(groupId: number, lanes: readonly Buffer[]): Promise<Head[]> {
    const each = lanes.map(
      (lane) =>
        `(SELECT message_id AS id, lane FROM ${this.#waiting} FORCE INDEX (PRIMARY) ` +
        `WHERE group_id = ${groupId} AND lane = ${hex(lane)} ORDER BY message_id LIMIT 1)`,
    );
    const rows = await this.#access.list<{ id: number | string; lane: Buffer }>(
      each.join(' UNION ALL '),
    );
    return rows.map(({ id, lane }) => ({ id: Number(id), lane }));
  }

  /** Makes them deliveries, and their lanes theirs. With the lanes locked. */
  async release(groupId: number, heads: readonly Head[]): Promise<void> {
    const list = listOf(groupId, heads);
    const later = `w.not_before > ${NOW}`;
    await this.#access.change(
      `INSERT INTO ${this.#deliveries} (group_id, message_id, state, due, lane) ` +
        `SELECT w.group_id, w.message_id, IF(${later}, ${State.delayed}, ${State.ready}), ` +
        `IF(${later}, w.not_before, ${EPOCH}), w.lane FROM ${this.#eachWaiting}`,
      [list],
    );
    await this.#access.change(`DELETE w FROM ${this.#eachWaiting}`, [list]);
    const rows = heads.map(({ lane, id }) => `(${groupId}, ${hex(lane)}, ${id})`);
    await this.#access.send(
      `INSERT INTO ${this.#lanes} (group_id, lane, holder) VALUES ${rows.join(', ')} ` +
        'ON DUPLICATE KEY UPDATE holder = VALUES(holder)',
    );
  }

  /** Ends lanes in which nothing waits. With the lanes locked. */
  async close(groupId: number, lanes: readonly Buffer[]): Promise<void> {
    await this.#access.change(
      `DELETE l FROM ${each('groupId', 'bytes')} ${this.#lanes} AS l FORCE INDEX (PRIMARY) ` +
        'ON l.group_id = x.groupId AND l.lane = UNHEX(x.bytes)',
      [JSON.stringify(lanes.map((lane) => [groupId, lane.toString('hex')]))],
    );
  }

  /** The lanes' messages have gone: those next in them may go. */
  async pass(
    groupId: number,
    gone: readonly { readonly lane: Buffer; readonly messageId: number }[],
  ): Promise<void> {
    const sorted = [...gone].sort((a, b) => Buffer.compare(a.lane, b.lane));
    const list = sorted.map(({ lane, messageId }) => [groupId, lane.toString('hex'), messageId]);
    await this.#access.change(
      `UPDATE ${each('groupId', 'bytes', 'messageId')} ${this.#lanes} AS l FORCE INDEX (PRIMARY) ` +
        'ON l.group_id = x.groupId AND l.lane = UNHEX(x.bytes) AND l.holder = x.messageId ' +
        'SET l.holder = 0',
      [JSON.stringify(list)],
    );
  }

  /** How many wait, and how old the oldest of them is in ms. */
  async waiting(groupId: number): Promise<{ count: number; oldest: number | undefined }> {
    const [row] = await this.#access.rows<{ count: number | string; age: number | string | null }>(
      `SELECT w.count, TIMESTAMPDIFF(MICROSECOND, m.produced_at, ${NOW}) AS age FROM ` +
        `(SELECT COUNT(*) AS count, MIN(message_id) AS id FROM ${this.#waiting} WHERE group_id = ?) AS w ` +
        `LEFT JOIN ${this.#messages} AS m ON m.id = w.id`,
      [groupId],
    );
    const age = row?.age ?? undefined;
    return {
      count: Number(row?.count ?? 0),
      oldest: age === undefined ? undefined : Number(age) / 1000,
    };
  }
}

function these(groupId: number, lanes: readonly Buffer[]): string {
  return `group_id = ${groupId} AND lane IN (${lanes.map(hex).join(', ')})`;
}

function listOf(groupId: number, messages: readonly Head[]): string {
  return JSON.stringify(messages.map(({ lane, id }) => [groupId, lane.toString('hex'), id]));
}
