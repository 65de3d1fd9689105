import { EPOCH, NOW, State } from './delivery-sql';
import { fromNow, hex, type QueueAccess } from './queue-access';
import { deliveryTable, laneTable, messageTable, waitingTable } from './queue-schema';
import { RowList } from './row-list';

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
  /** Whether there is anything to do for lanes of a group; asked along with what else is due. */
  readonly isDue: string;
  /** How many of a group wait; asked along with what is a delivery already. */
  readonly count: string;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#lanes = access.name(laneTable);
    this.#waiting = access.name(waitingTable);
    this.#deliveries = access.name(deliveryTable);
    this.#messages = access.name(messageTable);
    this.isDue =
      `(SELECT 1 FROM ${this.#waiting} FORCE INDEX (incoming) WHERE group_id = ? AND filed = 0 LIMIT 1)` +
      ` IS NOT NULL OR (SELECT 1 FROM ${this.#lanes} FORCE INDEX (holder) ` +
      'WHERE group_id = ? AND holder = 0 LIMIT 1) IS NOT NULL';
    this.count = `(SELECT COUNT(*) FROM ${this.#waiting} WHERE group_id = ?)`;
  }

  /** A row for each message and group. */
  async add(
    groups: readonly number[],
    messages: readonly { readonly id: number; readonly delay: number; readonly lane: Buffer }[],
  ): Promise<void> {
    if (groups.length === 0 || messages.length === 0) return;
    const rows = groups.flatMap((group) =>
      messages.map(({ id, delay, lane }) => {
        const notBefore = delay > 0 ? fromNow(delay) : 'NULL';
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
        `SELECT ?, m.lane, m.id, m.not_before FROM ${this.#messages} AS m FORCE INDEX (stream) ` +
        'WHERE m.stream_id = ? AND m.lane IS NOT NULL',
      [groupId, streamId],
    );
  }

  /** Dead ones take their place again in what waits. Resolves to how many. */
  async readmit(groupId: number, ids: readonly number[]): Promise<number> {
    const list = new RowList(
      ['groupId', 'messageId'],
      ids.map((id) => [groupId, id]),
    );
    const dead = (each: string): string =>
      `${each} ${this.#deliveries} AS d FORCE INDEX (PRIMARY) ` +
      'ON d.group_id = x.groupId AND d.message_id = x.messageId ' +
      `WHERE d.state = ${State.dead} AND d.lane IS NOT NULL`;
    await this.#access.changeEach(
      list,
      (each) =>
        `INSERT INTO ${this.#waiting} (group_id, lane, message_id) ` +
        `SELECT d.group_id, d.lane, d.message_id FROM ${dead(each)} ` +
        'ON DUPLICATE KEY UPDATE filed = 0',
    );
    const { affectedRows } = await this.#access.changeEach(
      list,
      (each) => `DELETE d FROM ${dead(each)}`,
    );
    return affectedRows;
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

  /** Messages after `after` that no lane knows of yet, in the order of their ids. */
  async incoming(groupId: number, after: number, most: number): Promise<Head[]> {
    const rows = await this.#access.rows<{ id: number | string; lane: Buffer }>(
      `SELECT message_id AS id, lane FROM ${this.#waiting} FORCE INDEX (incoming) ` +
        'WHERE group_id = ? AND filed = 0 AND message_id > ? ORDER BY message_id LIMIT ?',
      [groupId, after, String(most)],
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
    const sql =
      `SELECT lane, holder FROM ${this.#lanes} FORCE INDEX (PRIMARY) ` +
      `WHERE ${these(groupId, lanes)} FOR UPDATE`;
    const lock = (how: string) =>
      this.#access.list<{ lane: Buffer; holder: number | string }>(sql + how);
    const rows = await this.#access.either(
      () => lock(' SKIP LOCKED'),
      () => lock(''),
    );
    return new Map(rows.map(({ lane, holder }) => [lane.toString('latin1'), Number(holder)]));
  }

  /** These messages' lanes know of them. With the lanes locked. */
  async file(groupId: number, messages: readonly Head[]): Promise<void> {
    await this.#access.changeEach(
      listOf(groupId, messages),
      (each) => `UPDATE ${this.#waitingOf(each)} SET w.filed = 1`,
    );
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
    await this.#access.changeEach(
      list,
      (each) =>
        `INSERT INTO ${this.#deliveries} (group_id, message_id, state, due, lane) ` +
        `SELECT w.group_id, w.message_id, IF(${later}, ${State.delayed}, ${State.ready}), ` +
        `IF(${later}, w.not_before, ${EPOCH}), w.lane FROM ${this.#waitingOf(each)}`,
    );
    await this.#access.changeEach(list, (each) => `DELETE w FROM ${this.#waitingOf(each)}`);
    const rows = heads.map(({ lane, id }) => `(${groupId}, ${hex(lane)}, ${id})`);
    await this.#access.send(
      `INSERT INTO ${this.#lanes} (group_id, lane, holder) VALUES ${rows.join(', ')} ` +
        'ON DUPLICATE KEY UPDATE holder = VALUES(holder)',
    );
  }

  /** What waits, of those listed. */
  #waitingOf(each: string): string {
    return (
      `${each} ${this.#waiting} AS w FORCE INDEX (PRIMARY) ` +
      'ON w.group_id = x.groupId AND w.lane = UNHEX(x.bytes) AND w.message_id = x.messageId'
    );
  }

  /** Ends lanes in which nothing waits. With the lanes locked. */
  async close(groupId: number, lanes: readonly Buffer[]): Promise<void> {
    const list = new RowList(
      ['groupId', 'bytes'],
      lanes.map((lane) => [groupId, lane.toString('hex')]),
    );
    await this.#access.changeEach(
      list,
      (each) =>
        `DELETE l FROM ${each} ${this.#lanes} AS l FORCE INDEX (PRIMARY) ` +
        'ON l.group_id = x.groupId AND l.lane = UNHEX(x.bytes)',
    );
  }

  /** The lanes' messages have gone: those next in them may go. */
  async pass(
    groupId: number,
    gone: readonly { readonly lane: Buffer; readonly messageId: number }[],
  ): Promise<void> {
    const sorted = [...gone].sort((a, b) => Buffer.compare(a.lane, b.lane));
    const heads = sorted.map(({ lane, messageId }) => ({ lane, id: messageId }));
    await this.#access.changeEach(
      listOf(groupId, heads),
      (each) =>
        `UPDATE ${each} ${this.#lanes} AS l FORCE INDEX (PRIMARY) ` +
        'ON l.group_id = x.groupId AND l.lane = UNHEX(x.bytes) AND l.holder = x.messageId ' +
        'SET l.holder = 0',
    );
  }

  /** How old the oldest is that waits, in ms. */
  async oldest(groupId: number): Promise<number | undefined> {
    const [row] = await this.#access.rows<{ age: number | string }>(
      `SELECT TIMESTAMPDIFF(MICROSECOND, produced_at, ${NOW}) AS age FROM ${this.#messages} ` +
        `WHERE id = (SELECT MIN(message_id) FROM ${this.#waiting} WHERE group_id = ?)`,
      [groupId],
    );
    return row === undefined ? undefined : Number(row.age) / 1000;
  }
}

function these(groupId: number, lanes: readonly Buffer[]): string {
  return `group_id = ${groupId} AND lane IN (${lanes.map(hex).join(', ')})`;
}

function listOf(groupId: number, messages: readonly Head[]): RowList {
  const rows = messages.map(({ lane, id }) => [groupId, lane.toString('hex'), id]);
  return new RowList(['groupId', 'bytes', 'messageId'], rows);
}
