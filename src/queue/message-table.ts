import { deliveryTable, messageTable, waitingTable } from './queue-schema';
import { fromNow, hex, micros, type QueueAccess } from './queue-access';
import { RowList } from './row-list';

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

/** A message that is stored, as a group is told of it. */
export interface KnownMessage {
  readonly id: number;
  readonly lane: Buffer | undefined;
  /** In ms from now. */
  readonly delay: number;
}

type Laned<T> = T & { readonly lane: Buffer };

export function hasLane<T extends { readonly lane: Buffer | undefined }>(
  message: T,
): message is Laned<T> {
  return message.lane !== undefined;
}

export function hasNoLane({ lane }: { readonly lane: Buffer | undefined }): boolean {
  return lane === undefined;
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
    // Most have neither a key nor a delay, and long texts cost time on both sides.
    const isPlain = messages.every(({ lane, delay }) => lane === undefined && delay === 0);
    const rows = messages.map(({ kind, body, lane, delay }) => {
      const common = `${streamId},${NOW},${kind},${hex(body)}`;
      if (isPlain) return `(${common})`;
      const notBefore = delay > 0 ? fromNow(delay) : 'NULL';
      return `(${common},${notBefore},${lane === undefined ? 'NULL' : hex(lane)})`;
    });
    const columns = `stream_id, produced_at, kind, body${isPlain ? '' : ', not_before, lane'}`;
    return this.#access.send(`INSERT INTO ${this.#table} (${columns}) VALUES ${rows.join()}`);
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
  ): Promise<{
    readonly last: number | undefined;
    readonly done: number[];
    /** Behind this id is the first of them that is not done; `undefined` where all are. */
    readonly stays: number | undefined;
  }> {
    // Each is looked up by its whole key: left to itself a server walks, for each, over all that the
    // group has, and over what it has had and is not purged yet.
    const has = (table: string, index: string, where: string): string =>
      ` OR (SELECT 1 FROM ${table} AS o FORCE INDEX (${index}) ` +
      `WHERE ${where} AND o.message_id = m.id LIMIT 1) IS NOT NULL`;
    const open = groups.flatMap((group) => [
      has(this.#deliveries, 'PRIMARY', `o.group_id = ${group}`),
      has(this.#waiting, 'incoming', `o.group_id = ${group} AND o.filed = 0`),
      has(this.#waiting, 'incoming', `o.group_id = ${group} AND o.filed = 1`),
    ]);
    const rows = await this.#access.list<{ id: number | string; open: number | string }>(
      `SELECT m.id, m.produced_at > ${NOW} - INTERVAL ${micros(age)} MICROSECOND${open.join('')} AS open ` +
        `FROM (SELECT id, produced_at FROM ${this.#table} FORCE INDEX (stream) ` +
        `WHERE stream_id = ${streamId} AND id > ${after} ORDER BY id LIMIT ${most}) AS m`,
    );
    const ids = (isOpen: boolean): number[] =>
      rows
        .filter((row) => (Number(row.open) !== 0) === isOpen)
        .map(({ id }) => Number(id))
        .sort((a, b) => a - b);
    const [staying] = ids(true);
    return {
      last: rows.length < most ? undefined : Math.max(...rows.map(({ id }) => Number(id))),
      done: ids(false),
      stays: staying === undefined ? undefined : staying - 1,
    };
  }

  /** Those of these that are there. */
  async known(ids: readonly number[]): Promise<KnownMessage[]> {
    const sql =
      `SELECT id, lane, TIMESTAMPDIFF(MICROSECOND, ${NOW}, not_before) AS due ` +
      `FROM ${this.#table} FORCE INDEX (PRIMARY) WHERE id IN (${ids.join()}) ORDER BY id`;
    const rows = await this.#access.list<{
      readonly id: number | string;
      readonly lane: Buffer | null;
      readonly due: number | string | null;
    }>(sql);
    return rows.map(({ id, lane, due }) => ({
      id: Number(id),
      lane: lane ?? undefined,
      delay: Math.max(0, Number(due ?? 0) / 1000),
    }));
  }

  /** Which messages a stream has: by page of 32 ids a bit for each. */
  async map(streamId: number): Promise<Map<number, number>> {
    const sql =
      'SELECT id DIV 32 AS page, BIT_OR(1 << (id % 32)) AS bits ' +
      `FROM ${this.#table} FORCE INDEX (stream) WHERE stream_id = ? GROUP BY id DIV 32`;
    const rows = await this.#access.rows<{ page: number | string; bits: number | string }>(sql, [
      streamId,
    ]);
    return new Map(rows.map(({ page, bits }) => [Number(page), Number(bits)]));
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
    const list = new RowList(
      ['messageId'],
      ids.map((id) => [id]),
    );
    const { affectedRows } = await this.#access.changeEach(
      list,
      (each) =>
        `DELETE m FROM ${each} ${this.#table} AS m FORCE INDEX (PRIMARY) ON m.id = x.messageId`,
      [],
      { idempotent: true },
    );
    return affectedRows;
  }
}

/** The ids of one {@link MessageTable.map} that another, made before, has not. */
export function idsSince(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): number[] {
  const ids: number[] = [];
  for (const [page, bits] of after) {
    const fresh = bits & ~(before.get(page) ?? 0);
    for (let bit = 0; fresh !== 0 && bit < 32; bit++) {
      if ((fresh >>> bit) % 2 === 1) ids.push(page * 32 + bit);
    }
  }
  return ids.sort((a, b) => a - b);
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
