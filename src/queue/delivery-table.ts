import { deliveryStatements, EPOCH, LATER, NOW, State } from './delivery-sql';
import { deliveryTable, messageTable } from './queue-schema';
import { each, micros, type QueueAccess } from './queue-access';

/** A claim to one delivery. */
export interface Claim {
  readonly groupId: number;
  readonly messageId: number;
  readonly claim: number;
  /** Whether the message has a key, and so a lane to give up. */
  readonly lane: Buffer | undefined;
}

/** What tells deliveries apart. */
export function placeOf({
  groupId,
  messageId,
}: {
  readonly groupId: number | string;
  readonly messageId: number | string;
}): string {
  return `${groupId} ${messageId}`;
}

/** A message as it was claimed. */
export interface ClaimedRow {
  readonly id: number;
  readonly attempt: number;
  readonly lane: Buffer | null;
  /** What is missing where the message itself is gone. */
  readonly kind: number | null;
  readonly body: Buffer | null;
  /** Since it was produced, in ms. */
  readonly age: number;
}

/** What is due in a group, in ms from now; below 0 where it is overdue. */
export interface Due {
  readonly ready: boolean;
  readonly delayed: number | undefined;
  readonly expiry: number | undefined;
  readonly lanes: boolean;
}

/** As the driver gives it: large numbers may come as text. */
export type Raw<T, Large extends keyof T> = {
  readonly [K in keyof T]: K extends Large ? number | string : T[K];
};

/** Claims as a condition of a read: each message by its own claim. */
function theseClaims(claims: readonly Claim[]): string {
  const byClaim = new Map<string, number[]>();
  for (const { groupId, claim, messageId } of claims) {
    const owner = `group_id = ${groupId} AND claim = ${claim}`;
    const ids = byClaim.get(owner);
    if (ids === undefined) byClaim.set(owner, [messageId]);
    else ids.push(messageId);
  }
  const each = [...byClaim].map(
    ([owner, ids]) => `(${owner} AND message_id IN (${ids.sort((a, b) => a - b).join()}))`,
  );
  return `(${each.join(' OR ')}) AND state = ${State.claimed} AND due > ${NOW}`;
}

/** Every statement on deliveries. */
export class DeliveryTable {
  readonly #access: QueueAccess;
  readonly #table: string;
  readonly #sql: ReturnType<typeof deliveryStatements>;
  /** Of those listed. */
  readonly #eachClaim: string;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(deliveryTable);
    this.#eachClaim =
      `${each('groupId', 'messageId', 'claim')} ${this.#table} AS d FORCE INDEX (PRIMARY) ` +
      'ON d.group_id = x.groupId AND d.message_id = x.messageId AND d.claim = x.claim';
    this.#sql = deliveryStatements(this.#table, access.name(messageTable));
  }

  /** So many rows for each message and group. */
  async add(
    groups: readonly number[],
    messages: readonly { readonly id: number; readonly delay: number }[],
  ): Promise<void> {
    if (groups.length === 0 || messages.length === 0) return;
    const rows = groups.flatMap((group) =>
      messages.map(({ id, delay }) =>
        delay > 0
          ? `(${group}, ${id}, ${State.delayed}, ${NOW} + INTERVAL ${micros(delay)} MICROSECOND)`
          : `(${group}, ${id}, ${State.ready}, ${EPOCH})`,
      ),
    );
    for (let at = 0; at < rows.length; at += 2000) {
      const some = rows.slice(at, at + 2000).join(', ');
      await this.#access.send(
        `INSERT INTO ${this.#table} (group_id, message_id, state, due) VALUES ${some}`,
      );
    }
  }

  /** A new group's row that is none, and `from` the start a row for each message there is. */
  async addGroup(groupId: number, streamId: number, from: 'start' | 'now'): Promise<void> {
    await this.#access.change(this.#sql.addFence, [groupId]);
    if (from === 'start') await this.#access.change(this.#sql.backfill, [groupId, streamId]);
  }

  async removeGroup(groupId: number): Promise<void> {
    await this.#access.change(this.#sql.removeGroup, [groupId]);
  }

  /**
   * Claims at most so many, oldest first. Resolves to the end of the claims as the server counts
   * time, in microseconds; 0 where there was nothing. One round trip; waits for nobody's rows.
   */
  async claim(
    groupId: number,
    { most, claim, visibility, consumer }: ClaimRequest,
  ): Promise<number> {
    const length = micros(visibility);
    const values = [groupId, String(most), claim, consumer, length];
    const { insertId } = await this.#access.change(this.#sql.claim, values);
    return insertId === 0 ? 0 : insertId + length;
  }

  /** What was claimed until `end`. */
  async claimed(groupId: number, claim: number, end: number): Promise<ClaimedRow[]> {
    return this.#claimedRows(this.#sql.claimed, [groupId, end, claim]);
  }

  /** The same where the end is not known, since the answer to the claim was lost. */
  async claimedBy(groupId: number, claim: number): Promise<ClaimedRow[]> {
    return this.#claimedRows(this.#sql.claimedBy, [groupId, claim]);
  }

  async #claimedRows(sql: string, values: readonly unknown[]): Promise<ClaimedRow[]> {
    const rows = await this.#access.rows<Raw<ClaimedRow, 'id' | 'age'>>(sql, values);
    return rows.map((row) => ({
      ...row,
      id: Number(row.id),
      age: Number(row.age) / 1000,
    }));
  }

  /** Takes over what a consumer has claimed. Resolves as {@link claim}. */
  async takeOver(groupId: number, from: Buffer, request: ClaimRequest): Promise<number> {
    const { most, claim, visibility, consumer } = request;
    const length = micros(visibility);
    const values = [groupId, from, String(most), claim, consumer, length];
    const { insertId } = await this.#access.change(this.#sql.takeOver, values);
    return insertId === 0 ? 0 : insertId + length;
  }

  /** Ends one delivery for good; false where the claim is over. */
  async acknowledge({ groupId, messageId, claim }: Claim): Promise<boolean> {
    const { affectedRows } = await this.#access.change(this.#sql.acknowledge, [
      groupId,
      messageId,
      claim,
    ]);
    return affectedRows > 0;
  }

  /** The same for many; resolves to how many there were. */
  async acknowledgeAll(claims: readonly Claim[]): Promise<number> {
    const sql = `DELETE d FROM ${this.#eachClaim} WHERE ${HOLDS}`;
    return (await this.#access.change(sql, [listOf(claims)])).affectedRows;
  }

  /** Which of the claims still hold, by {@link placeOf}. */
  holding(claims: readonly Claim[]): Promise<Set<string>> {
    return this.#places(theseClaims(claims));
  }

  /** Which of them have a row at all, whoever has claimed it, by {@link placeOf}. */
  present(claims: readonly Claim[]): Promise<Set<string>> {
    const each = claims.map(
      ({ groupId, messageId }) => `(group_id = ${groupId} AND message_id = ${messageId})`,
    );
    return this.#places(each.join(' OR '));
  }

  async #places(condition: string): Promise<Set<string>> {
    const rows = await this.#access.list<Raw<{ groupId: number; messageId: number }, 'messageId'>>(
      'SELECT group_id AS groupId, message_id AS messageId ' +
        `FROM ${this.#table} FORCE INDEX (PRIMARY) WHERE ${condition}`,
    );
    return new Set(rows.map(placeOf));
  }

  /** Extends claims that still hold; never shortens one. Resolves to how many there were. */
  async extend(claims: readonly Claim[], ms: number): Promise<number> {
    const sql =
      `UPDATE ${this.#eachClaim} SET d.due = GREATEST(d.due, ${LATER}) ` + `WHERE ${HOLDS}`;
    const values = [listOf(claims), micros(ms)];
    return (await this.#access.change(sql, values, { idempotent: true })).affectedRows;
  }

  /** Gives one back, to be ready after `delay` ms; false where the claim is over. */
  async giveBack(
    { groupId, messageId, claim }: Claim,
    delay: number,
    reason: Buffer | null,
  ): Promise<boolean> {
    const state = delay > 0 ? State.delayed : State.ready;
    const change = [state, delay > 0 ? 1 : 0, micros(delay), reason];
    const values = [...change, groupId, messageId, claim];
    return (await this.#access.change(this.#sql.giveBack, values)).affectedRows > 0;
  }

  /** Gives back what nobody has worked on: it is no attempt. */
  async returnUnused(claims: readonly Claim[]): Promise<void> {
    await this.#access.change(
      `UPDATE ${this.#eachClaim} SET d.state = ${State.ready}, d.due = ${EPOCH}, ` +
        `d.claim = 0, d.attempt = d.attempt - 1 WHERE ${HOLDS}`,
      [listOf(claims)],
    );
  }

  /** Puts one among the dead; false where the claim is over. */
  async bury({ groupId, messageId, claim }: Claim, reason: Buffer | null): Promise<boolean> {
    const values = [reason, groupId, messageId, claim];
    return (await this.#access.change(this.#sql.bury, values)).affectedRows > 0;
  }

  /** Makes a claimed or delayed one ready, whoever has it. */
  async requeue(groupId: number, messageId: number): Promise<boolean> {
    return (await this.#access.change(this.#sql.requeue, [groupId, messageId])).affectedRows > 0;
  }

  /** What is to be done in a group, in one read that waits for nobody. */
  async due(groupId: number, lanes: string): Promise<Due> {
    const sql = `${this.#sql.due}, ${lanes} AS hasLanes`;
    const [row] = await this.#access.rows<{
      readonly isReady: number | null;
      readonly delayedFor: number | string | null;
      readonly expiresIn: number | string | null;
      readonly hasLanes: number | string;
    }>(sql, [groupId, groupId, groupId, groupId, groupId]);
    const ms = (value: number | string | null | undefined): number | undefined =>
      value === null || value === undefined ? undefined : Number(value) / 1000;
    return {
      ready: (row?.isReady ?? null) !== null,
      delayed: ms(row?.delayedFor),
      expiry: ms(row?.expiresIn),
      lanes: Number(row?.hasLanes ?? 0) === 1,
    };
  }

  /** Makes ready what is due of the delayed, some at a time. Resolves to how many. */
  async promote(groupId: number, most: number): Promise<number> {
    const values = [groupId, String(most)];
    return (await this.#access.change(this.#sql.promote, values)).affectedRows;
  }

  /** Makes ready again what was claimed for too long, but for what has had its attempts. */
  async reclaim(groupId: number, maxAttempts: number, most: number): Promise<number> {
    const values = [groupId, maxAttempts, String(most)];
    return (await this.#access.change(this.#sql.reclaim, values)).affectedRows;
  }

  /** What was claimed for too long the last time it may be; locked until the transaction ends. */
  async exhausted(groupId: number, maxAttempts: number, most: number): Promise<Claim[]> {
    const rows = await this.#access.rows<
      Raw<{ id: number; claim: number; lane: Buffer | null }, 'id' | 'claim'>
    >(this.#sql.exhausted, [groupId, maxAttempts, String(most)]);
    return rows.map(({ id, claim, lane }) => ({
      groupId,
      messageId: Number(id),
      claim: Number(claim),
      lane: lane ?? undefined,
    }));
  }

  /** Puts them among the dead. With their rows locked. */
  async buryAll(claims: readonly Claim[], reason: Buffer): Promise<void> {
    await this.#access.change(
      `UPDATE ${this.#eachClaim} SET d.state = ${State.dead}, d.due = ${NOW}, d.claim = 0, ` +
        'd.reason = ?',
      [listOf(claims), reason],
    );
  }
}

export interface ClaimRequest {
  readonly most: number;
  readonly claim: number;
  /** In ms. */
  readonly visibility: number;
  readonly consumer: Buffer;
}

const HOLDS = `d.state = ${State.claimed} AND d.due > ${NOW}`;

/** In the order of the rows, for all who change several. */
function listOf(claims: readonly Claim[]): string {
  const sorted = [...claims].sort((a, b) => a.groupId - b.groupId || a.messageId - b.messageId);
  return JSON.stringify(sorted.map(({ groupId, messageId, claim }) => [groupId, messageId, claim]));
}
