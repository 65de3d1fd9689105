import { listOf, placeOf, theseClaims, type Claim } from './claim';
import { changeFree, deliveryStatements, EPOCH, NOW, State } from './delivery-sql';
import { deliveryTable, messageTable } from './queue-schema';
import { fromNow, micros, type QueueAccess } from './queue-access';
import { changeSome } from './some-deliveries';

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

/** Every statement on deliveries. */
export class DeliveryTable {
  readonly #access: QueueAccess;
  readonly #table: string;
  readonly #sql: ReturnType<typeof deliveryStatements>;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(deliveryTable);
    this.#sql = deliveryStatements(this.#table, access.name(messageTable));
  }

  /** So many rows for each message and group. */
  async add(
    groups: readonly number[],
    messages: readonly { readonly id: number; readonly delay: number }[],
  ): Promise<void> {
    if (groups.length === 0 || messages.length === 0) return;
    const [ready, delayed]: [string[], string[]] = [[], []];
    for (const group of groups) {
      for (const { id, delay } of messages) {
        if (delay === 0) ready.push(`(${group},${id})`);
        else delayed.push(`(${group},${id},${State.delayed},${fromNow(delay)})`);
      }
    }
    // What is ready is so by the table's defaults: such texts are short.
    await this.#insert('group_id, message_id', ready);
    await this.#insert('group_id, message_id, state, due', delayed);
  }

  async #insert(columns: string, rows: readonly string[]): Promise<void> {
    for (let at = 0; at < rows.length; at += 2000) {
      const some = rows.slice(at, at + 2000).join();
      await this.#access.send(`INSERT INTO ${this.#table} (${columns}) VALUES ${some}`);
    }
  }

  /** A new group's row that is none. */
  async addGroup(groupId: number): Promise<void> {
    await this.#access.change(this.#sql.addFence, [groupId]);
  }

  /** A row for each message without a key that a stream has. */
  async backfill(groupId: number, streamId: number): Promise<void> {
    await this.#access.change(this.#sql.backfill, [groupId, streamId]);
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
    const { insertId } = await changeSome(
      this.#access,
      this.#sql.claim,
      { groupId, most, condition: [] },
      [claim, consumer, length],
    );
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

  /** Takes over what a consumer has claimed, but for what has had its attempts. Resolves as {@link claim}. */
  async takeOver(
    groupId: number,
    from: Buffer,
    maxAttempts: number,
    request: ClaimRequest,
  ): Promise<number> {
    const { most, claim, visibility, consumer } = request;
    const length = micros(visibility);
    const { insertId } = await changeSome(
      this.#access,
      this.#sql.takeOver,
      { groupId, most, condition: [from, maxAttempts] },
      [claim, consumer, length],
    );
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
    const { affectedRows } = await this.#access.changeEach(
      listOf(claims),
      (each) => `DELETE d FROM ${this.#claims(each)} WHERE ${HOLDS}`,
    );
    return affectedRows;
  }

  /** Of those claims that still hold, how long they do in ms, by {@link placeOf}. */
  async holding(claims: readonly Claim[]): Promise<Map<string, number>> {
    const rows = await this.#access.list<
      Raw<{ groupId: number; messageId: number; left: number }, 'messageId' | 'left'>
    >(
      'SELECT group_id AS groupId, message_id AS messageId, ' +
        `TIMESTAMPDIFF(MICROSECOND, ${NOW}, due) AS \`left\` ` +
        `FROM ${this.#table} FORCE INDEX (PRIMARY) WHERE ${theseClaims(claims)}`,
    );
    return new Map(rows.map((row) => [placeOf(row), Number(row.left) / 1000]));
  }

  /** Which of them have a row at all, whoever has claimed it, by {@link placeOf}. */
  async present(claims: readonly Claim[]): Promise<Set<string>> {
    const each = claims.map(
      ({ groupId, messageId }) => `(group_id = ${groupId} AND message_id = ${messageId})`,
    );
    const rows = await this.#access.list<Raw<{ groupId: number; messageId: number }, 'messageId'>>(
      'SELECT group_id AS groupId, message_id AS messageId ' +
        `FROM ${this.#table} FORCE INDEX (PRIMARY) WHERE ${each.join(' OR ')}`,
    );
    return new Set(rows.map(placeOf));
  }

  /** Extends a claim, and never shortens it; false where it is over. */
  async extend({ groupId, messageId, claim }: Claim, ms: number): Promise<boolean> {
    const values = [micros(ms), groupId, messageId, claim];
    const { affectedRows } = await this.#access.change(this.#sql.extend, values, {
      idempotent: true,
    });
    return affectedRows > 0;
  }

  /** The same for many, past rows that others have locked. Resolves to how many it extended. */
  async extendAll(claims: readonly Claim[], ms: number): Promise<number> {
    const longer = `d.due = GREATEST(d.due, ${fromNow(ms)})`;
    // With a limit, or MySQL makes one statement of both and looks at the rows a second time.
    const held =
      `SELECT group_id, message_id FROM ${this.#table} FORCE INDEX (PRIMARY) ` +
      `WHERE ${theseClaims(claims)} LIMIT ${claims.length}`;
    const send = (sql: string) => this.#access.send(sql, { idempotent: true });
    const { affectedRows } = await this.#access.either(
      () => send(changeFree(this.#table, held, longer)),
      () => send(`UPDATE ${this.#claims(listOf(claims).text)} SET ${longer} WHERE ${HOLDS}`),
    );
    return affectedRows;
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
    await this.#access.changeEach(
      listOf(claims),
      (each) =>
        `UPDATE ${this.#claims(each)} SET d.state = ${State.ready}, d.due = ${EPOCH}, ` +
        `d.claim = 0, d.attempt = d.attempt - 1 WHERE ${HOLDS}`,
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
    const which = { groupId, most, condition: [] };
    return (await changeSome(this.#access, this.#sql.promote, which)).affectedRows;
  }

  /** Makes ready again what was claimed for too long, but for what has had its attempts. */
  async reclaim(groupId: number, maxAttempts: number, most: number): Promise<number> {
    const which = { groupId, most, condition: [maxAttempts] };
    return (await changeSome(this.#access, this.#sql.reclaim, which)).affectedRows;
  }

  /** What was claimed for too long the last time it may be; locked until the transaction ends. */
  async exhausted(groupId: number, maxAttempts: number, most: number): Promise<Claim[]> {
    const values = [groupId, maxAttempts, String(most)];
    const lock = (how: string) =>
      this.#access.rows<Raw<{ id: number; claim: number; lane: Buffer | null }, 'id' | 'claim'>>(
        this.#sql.exhausted + how,
        values,
      );
    const rows = await this.#access.either(
      () => lock(' SKIP LOCKED'),
      () => lock(''),
    );
    return rows.map(({ id, claim, lane }) => ({
      groupId,
      messageId: Number(id),
      claim: Number(claim),
      lane: lane ?? undefined,
    }));
  }

  /** Puts them among the dead. With their rows locked. */
  async buryAll(claims: readonly Claim[], reason: Buffer): Promise<void> {
    await this.#access.changeEach(
      listOf(claims),
      (each) =>
        `UPDATE ${this.#claims(each)} SET d.state = ${State.dead}, d.due = ${NOW}, d.claim = 0, ` +
        'd.reason = ?',
      [reason],
    );
  }

  /** Those listed, by their claims. */
  #claims(each: string): string {
    return (
      `${each} ${this.#table} AS d FORCE INDEX (PRIMARY) ` +
      'ON d.group_id = x.groupId AND d.message_id = x.messageId AND d.claim = x.claim'
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
