import { deliveryStatements, EPOCH, State } from './delivery-sql';
import type { Raw } from './delivery-table';
import { deliveryTable, messageTable } from './queue-schema';
import type { QueueAccess } from './queue-access';

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

/** Statements on deliveries for those who look at them, and put dead ones back. */
export class DeliveryListing {
  readonly #access: QueueAccess;
  readonly #table: string;
  readonly #sql: ReturnType<typeof deliveryStatements>;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(deliveryTable);
    this.#sql = deliveryStatements(this.#table, access.name(messageTable));
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

  /** Dead ones of a group, locked until the transaction ends. */
  async lockDead(
    groupId: number,
    ids: readonly number[],
  ): Promise<{ readonly id: number; readonly lane: Buffer | undefined }[]> {
    const rows = await this.#access.list<Raw<{ id: number; lane: Buffer | null }, 'id'>>(
      `SELECT message_id AS id, lane FROM ${this.#table} FORCE INDEX (PRIMARY) WHERE group_id = ` +
        `${groupId} AND message_id IN (${ids.join()}) AND state = ${State.dead} FOR UPDATE`,
    );
    return rows.map(({ id, lane }) => ({ id: Number(id), lane: lane ?? undefined }));
  }

  /** Makes them ready, with all attempts before them. */
  async revive(groupId: number, ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#access.send(
      `UPDATE ${this.#table} FORCE INDEX (PRIMARY) SET state = ${State.ready}, due = ${EPOCH}, ` +
        `attempt = 0, reason = NULL WHERE group_id = ${groupId} AND message_id IN (${ids.join()})`,
    );
  }

  /** How many there are by state. */
  async counts(groupId: number): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#access.rows<{ state: number; count: number | string }>(
      this.#sql.counts,
      [groupId],
    );
    return new Map(rows.map(({ state, count }) => [state, Number(count)]));
  }

  /** How old the oldest is of those that are not dead, in ms. */
  async oldest(groupId: number): Promise<number | undefined> {
    const [row] = await this.#access.rows<{ age: number | string }>(this.#sql.oldest, [groupId]);
    return row === undefined ? undefined : Number(row.age) / 1000;
  }
}
