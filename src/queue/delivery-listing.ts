import { EPOCH, NOW, State } from './delivery-sql';
import type { Raw } from './delivery-table';
import { deliveryTable, messageTable } from './queue-schema';
import type { QueueAccess } from './queue-access';
import { RowList } from './row-list';

export interface DeliveryRow {
  readonly id: number;
  /** As text: what comes after it is asked by it. */
  readonly due: string;
  readonly attempt: number;
  readonly kind: number | null;
  readonly body: Buffer | null;
  readonly consumer: Buffer;
  readonly lane: Buffer | null;
  readonly reason: Buffer | null;
  /** Until it is due, in ms; below 0 since then. */
  readonly dueIn: number;
}

export interface DeliveryCounts {
  readonly byState: ReadonlyMap<number, number>;
  readonly waiting: number;
}

/** No state of a delivery. */
const WAITING = -1;

/** Every statement whose text is always the same. */
function statements(table: string, messages: string) {
  return {
    page:
      'SELECT d.message_id AS id, d.attempt, d.consumer, d.lane, d.reason, CAST(d.due AS CHAR) AS due, ' +
      `TIMESTAMPDIFF(MICROSECOND, ${NOW}, d.due) AS dueIn, m.kind, m.body FROM ${table} AS d ` +
      `FORCE INDEX (queue) LEFT JOIN ${messages} AS m FORCE INDEX (PRIMARY) ON m.id = d.message_id ` +
      'WHERE d.group_id = ? AND d.state = ? AND d.due >= ? AND (d.due > ? OR d.message_id > ?) ' +
      'ORDER BY d.due, d.message_id LIMIT ?',
    counts:
      `SELECT state, COUNT(*) AS count FROM ${table} FORCE INDEX (queue) ` +
      'WHERE group_id = ? GROUP BY state',
    oldest:
      `SELECT TIMESTAMPDIFF(MICROSECOND, m.produced_at, ${NOW}) AS age FROM ${messages} AS m ` +
      `WHERE m.id = (SELECT MIN(message_id) FROM ${table} FORCE INDEX (PRIMARY) ` +
      `WHERE group_id = ? AND message_id > 0 AND state <> ${State.dead})`,
  };
}

/** Statements on deliveries for those who look at them, and put dead ones back. */
export class DeliveryListing {
  readonly #access: QueueAccess;
  readonly #table: string;
  readonly #sql: ReturnType<typeof statements>;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(deliveryTable);
    this.#sql = statements(this.#table, access.name(messageTable));
  }

  /** Of one state those after `after`, in the order in which they are due. */
  async page(
    groupId: number,
    state: number,
    after: { readonly due: string; readonly id: number } | undefined,
    most: number,
  ): Promise<DeliveryRow[]> {
    const { due, id } = after ?? { due: '1970-01-01 00:00:00', id: 0 };
    const values = [groupId, state, due, due, id, String(most)];
    const rows = await this.#access.rows<Raw<DeliveryRow, 'id' | 'dueIn'>>(this.#sql.page, values);
    return rows.map((row) => ({
      ...row,
      id: Number(row.id),
      dueIn: Number(row.dueIn) / 1000,
    }));
  }

  /** Makes dead ones ready that have no key, with all attempts before them. Resolves to how many. */
  async revive(groupId: number, ids: readonly number[]): Promise<number> {
    const list = new RowList(
      ['groupId', 'messageId'],
      ids.map((id) => [groupId, id]),
    );
    const { affectedRows } = await this.#access.changeEach(
      list,
      (each) =>
        `UPDATE ${each} ${this.#table} AS d FORCE INDEX (PRIMARY) ` +
        'ON d.group_id = x.groupId AND d.message_id = x.messageId ' +
        `SET d.state = ${State.ready}, d.due = ${EPOCH}, d.attempt = 0, d.reason = NULL ` +
        `WHERE d.state = ${State.dead} AND d.lane IS NULL`,
    );
    return affectedRows;
  }

  /**
   * How many there are by state, and how many `waiting`: in one read, between whose parts none goes
   * from one to the other.
   */
  async counts(groupId: number, waiting: string): Promise<DeliveryCounts> {
    const rows = await this.#access.rows<{ state: number | string; count: number | string }>(
      `${this.#sql.counts} UNION ALL SELECT ${WAITING}, ${waiting}`,
      [groupId, groupId],
    );
    const byState = new Map(rows.map(({ state, count }) => [Number(state), Number(count)]));
    return { byState, waiting: byState.get(WAITING) ?? 0 };
  }

  /** How old the oldest is of those that are not dead, in ms. */
  async oldest(groupId: number): Promise<number | undefined> {
    const [row] = await this.#access.rows<{ age: number | string }>(this.#sql.oldest, [groupId]);
    return row === undefined ? undefined : Number(row.age) / 1000;
  }
}
