import { groupTable, streamTable } from './queue-schema';
import type { QueueAccess } from './queue-access';

/** What a producer has to know of a stream, with its row locked. */
export interface SharedStream {
  readonly groups: readonly number[];
  /** From one id of a multi-row INSERT to the next, in this session. */
  readonly step: number;
}

export interface GroupRow {
  readonly streamId: number;
  readonly groupId: number;
  readonly maxAttempts: number;
}

interface RawGroup {
  readonly id: number;
  readonly stream_id: number;
  readonly max_attempts: number;
}

/** Streams and their groups. */
export class StreamTable {
  readonly #access: QueueAccess;
  readonly #sql: ReturnType<typeof statementsOn>;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#sql = statementsOn(access.name(streamTable), access.name(groupTable));
  }

  /** The stream's number; `undefined` where nobody has used it yet. */
  async find(stream: Buffer): Promise<number | undefined> {
    const [row] = await this.#access.rows<{ id: number }>(this.#sql.find, [stream]);
    return row?.id;
  }

  async create(stream: Buffer): Promise<number> {
    const { insertId } = await this.#access.change(this.#sql.create, [stream], {
      idempotent: true,
    });
    return insertId;
  }

  /**
   * Locks the stream's row shared until the transaction ends: no group is created meanwhile that
   * would miss what is produced in it. `undefined` where there is no such stream any more.
   */
  async share(streamId: number): Promise<SharedStream | undefined> {
    const rows = await this.#access.rows<{ step: number; group_id: number | null }>(
      this.#sql.share,
      [streamId],
    );
    const [first] = rows;
    if (first === undefined) return undefined;
    const groups = rows.map(({ group_id }) => group_id).filter((id) => id !== null);
    return { groups, step: first.step };
  }

  /** Locks the stream's row for itself alone: waits for producers whose transactions are open. */
  async lock(streamId: number): Promise<boolean> {
    return (await this.#access.rows(this.#sql.lock, [streamId])).length > 0;
  }

  /** With the stream locked. */
  async lockGroup(streamId: number, group: Buffer): Promise<number | undefined> {
    const [row] = await this.#access.rows<RawGroup>(this.#sql.lockGroup, [streamId, group]);
    return row?.id;
  }

  async addGroup(streamId: number, group: Buffer, maxAttempts: number): Promise<number> {
    const values = [streamId, group, maxAttempts];
    return (await this.#access.change(this.#sql.addGroup, values)).insertId;
  }

  async limitAttempts(groupId: number, maxAttempts: number): Promise<void> {
    await this.#access.change(this.#sql.limitAttempts, [maxAttempts, groupId]);
  }

  async removeGroup(groupId: number): Promise<void> {
    await this.#access.change(this.#sql.removeGroup, [groupId]);
  }

  async group(stream: Buffer, group: Buffer): Promise<GroupRow | undefined> {
    const [row] = await this.#access.rows<RawGroup>(this.#sql.group, [stream, group]);
    if (row === undefined) return undefined;
    return { streamId: row.stream_id, groupId: row.id, maxAttempts: row.max_attempts };
  }

  /** Every stream with its groups, by name. A stream without groups stands there once, with none. */
  list(): Promise<{ readonly stream: Buffer; readonly grp: Buffer | null }[]> {
    return this.#access.rows(this.#sql.list);
  }

  /** The groups of a stream, by number. */
  async groups(streamId: number): Promise<number[]> {
    const rows = await this.#access.rows<{ id: number }>(this.#sql.groups, [streamId]);
    return rows.map(({ id }) => id);
  }
}

function statementsOn(streams: string, groups: string) {
  return {
    find: `SELECT id FROM ${streams} WHERE name = ?`,
    create:
      `INSERT INTO ${streams} (name) VALUES (?) ` +
      'ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)',
    share:
      `SELECT @@auto_increment_increment AS step, g.id AS group_id FROM ${streams} AS s ` +
      `LEFT JOIN ${groups} AS g ON g.stream_id = s.id WHERE s.id = ? LOCK IN SHARE MODE`,
    lock: `SELECT id FROM ${streams} WHERE id = ? FOR UPDATE`,
    // May be missing: whoever creates one has locked the stream first, so that nobody waits in a ring.
    lockGroup: `SELECT id FROM ${groups} WHERE stream_id = ? AND name = ? FOR UPDATE`,
    addGroup: `INSERT INTO ${groups} (stream_id, name, max_attempts) VALUES (?, ?, ?)`,
    limitAttempts: `UPDATE ${groups} SET max_attempts = ? WHERE id = ?`,
    removeGroup: `DELETE FROM ${groups} WHERE id = ?`,
    group:
      `SELECT g.id, g.stream_id, g.max_attempts FROM ${streams} AS s ` +
      `JOIN ${groups} AS g ON g.stream_id = s.id WHERE s.name = ? AND g.name = ?`,
    groups: `SELECT id FROM ${groups} WHERE stream_id = ?`,
    list:
      `SELECT s.name AS stream, g.name AS grp FROM ${streams} AS s ` +
      `LEFT JOIN ${groups} AS g ON g.stream_id = s.id ORDER BY s.name, g.name`,
  };
}
