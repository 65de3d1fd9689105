import { deliveryTable, messageTable, waitingTable } from './queue-schema';
import { each, hex, micros, type QueueAccess } from './queue-access';

const NOW = 'UTC_TIMESTAMP(6)';

/** Bytes of bodies in one INSERT of several rows. Larger ones go alone, bound and not as text. */
const TOGETHER = 128 * 1024;

/** A message as it is to be stored. */
export interface NewMessage {
  readonly kind: number;
  readonly body: Buffer;
  /** Messages of one lane are delivered in order. */
  readonly lane: Buffer | undefined;
  /** In ms. */
  readonly delay: number;
  readonly dedupe: DedupeKey | undefined;
}

export interface DedupeKey {
  readonly key: Buffer;
  /** For how long in ms. */
  readonly window: number;
}

export class MessageTable {
  readonly #access: QueueAccess;
  readonly #table: string;
  readonly #deliveries: string;
  readonly #waiting: string;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(messageTable);
    this.#deliveries = access.name(deliveryTable);
    this.#waiting = access.name(waitingTable);
  }

  /** Stores them in this order, and resolves to their ids. */
  async insert(streamId: number, messages: readonly NewMessage[], step: number): Promise<number[]> {
    const ids: number[] = [];
    for (const some of batches(messages)) {
      const { insertId } =
        some.length === 1 && some[0] !== undefined
          ? await this.#insertOne(streamId, some[0])
          : await this.#insertSome(streamId, some);
      for (let at = 0; at < some.length; at++) ids.push(insertId + at * step);
    }
    return ids;
  }

  #insertOne(streamId: number, { kind, body, lane, delay }: NewMessage) {
    const sql =
      `INSERT INTO ${this.#table} (stream_id, produced_at, not_before, lane, kind, body) VALUES ` +
      `(?, ${NOW}, IF(? > 0, ${NOW} + INTERVAL ? MICROSECOND, NULL), ?, ?, ?)`;
    const wait = micros(delay);
    return this.#access.change(sql, [streamId, wait, wait, lane ?? null, kind, body]);
  }

  #insertSome(streamId: number, messages: readonly NewMessage[]) {
    const rows = messages.map(({ kind, body, lane, delay }) => {
      const notBefore = delay > 0 ? `${NOW} + INTERVAL ${micros(delay)} MICROSECOND` : 'NULL';
      const key = lane === undefined ? 'NULL' : hex(lane);
      return `(${streamId}, ${NOW}, ${notBefore}, ${key}, ${kind}, ${hex(body)})`;
    });
    return this.#access.send(
      `INSERT INTO ${this.#table} (stream_id, produced_at, not_before, lane, kind, body) VALUES ` +
        rows.join(', '),
    );
  }

  /** How many a stream has, acknowledged ones included that are still kept. */
  async count(streamId: number): Promise<number> {
    const sql = `SELECT COUNT(*) AS length FROM ${this.#table} WHERE stream_id = ?`;
    const [row] = await this.#access.rows<{ length: number | string }>(sql, [streamId]);
    return Number(row?.length ?? 0);
  }

  /**
   * Looks through a stream from `after` on for messages that no group of it still has to deal with,
   * and that are at least `age` ms old. With the stream's row locked.
   */
  async done(
    streamId: number,
    groups: readonly number[],
    { after, age, most }: { readonly after: number; readonly age: number; readonly most: number },
  ): Promise<{ readonly last: number | undefined; readonly done: number[] }> {
    const open = groups.flatMap((group) =>
      [
        `SELECT 1 FROM ${this.#deliveries} AS o WHERE o.group_id = ${group} AND o.message_id = m.id`,
        `SELECT 1 FROM ${this.#waiting} AS o FORCE INDEX (incoming) ` +
          `WHERE o.group_id = ${group} AND o.filed IN (0, 1) AND o.message_id = m.id`,
      ].map((sql) => ` OR EXISTS (${sql})`),
    );
    const rows = await this.#access.list<{ id: number | string; open: number | string }>(
      `SELECT m.id, m.produced_at > ${NOW} - INTERVAL ${micros(age)} MICROSECOND${open.join('')} AS open ` +
        `FROM (SELECT id, produced_at FROM ${this.#table} FORCE INDEX (stream) ` +
        `WHERE stream_id = ${streamId} AND id > ${after} ORDER BY id LIMIT ${most}) AS m`,
    );
    const done = rows.filter(({ open: isOpen }) => Number(isOpen) === 0);
    const last = rows.length < most ? undefined : Math.max(...rows.map(({ id }) => Number(id)));
    return { last, done: done.map(({ id }) => Number(id)).sort((a, b) => a - b) };
  }

  /** The id above which the newest `keep` messages lie. */
  async newest(streamId: number, keep: number): Promise<number | undefined> {
    const sql =
      `SELECT id FROM ${this.#table} FORCE INDEX (stream) WHERE stream_id = ? ` +
      'ORDER BY id DESC LIMIT 1 OFFSET ?';
    const [row] = await this.#access.rows<{ id: number | string }>(sql, [streamId, String(keep)]);
    return row === undefined ? undefined : Number(row.id);
  }

  async remove(ids: readonly number[]): Promise<number> {
    if (ids.length === 0) return 0;
    const sql =
      `DELETE m FROM ${each('messageId')} ${this.#table} AS m FORCE INDEX (PRIMARY) ` +
      'ON m.id = x.messageId';
    const list = JSON.stringify(ids.map((id) => [id]));
    return (await this.#access.change(sql, [list], { idempotent: true })).affectedRows;
  }
}

/** As few statements as may be. */
function* batches(messages: readonly NewMessage[]): Generator<readonly NewMessage[]> {
  let some: NewMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (some.length > 0 && bytes + message.body.length > TOGETHER) {
      yield some;
      some = [];
      bytes = 0;
    }
    some.push(message);
    bytes += message.body.length + 64;
  }
  if (some.length > 0) yield some;
}
