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

/** As it is stored: the numbers of a stream's groups. */
interface RawStream {
  readonly group_ids: Buffer;
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
    const [row] = await this.#access.rows<RawStream & { step: number }>(this.#sql.share, [
      streamId,
    ]);
    return row === undefined ? undefined : { groups: numbersOf(row), step: row.step };
  }

  /**
   * Locks the stream's row for itself alone, and resolves to the numbers of its groups; `undefined`
   * where there is no such stream any more, or, if it is not to `wait` for producers whose
   * transactions are open, where there are any.
   */
  async lock(streamId: number, how: 'wait' | 'at once'): Promise<number[] | undefined> {
    const lock = (sql: string) => this.#access.rows<RawStream>(sql, [streamId]);
    const [row] =
      how === 'wait'
        ? await lock(this.#sql.lock)
        : await this.#access.either(
            () => lock(this.#sql.lockAtOnce),
            () => Promise.resolve([]),
          );
    return row === undefined ? undefined : numbersOf(row);
  }

  /** The group's number, which is new if the stream does not list it. With the stream locked. */
  async addGroup(streamId: number, group: Buffer, maxAttempts: number): Promise<number> {
    const values = [streamId, group, maxAttempts];
    return (await this.#access.change(this.#sql.addGroup, values)).insertId;
  }

  /** The group's number, if it has one. With the stream locked. */
  async lockGroup(streamId: number, group: Buffer): Promise<number | undefined> {
    const [row] = await this.#access.rows<RawGroup>(this.#sql.lockGroup, [streamId, group]);
    return row?.id;
  }

  /** With the stream locked. */
  async setGroups(streamId: number, groups: readonly number[]): Promise<void> {
    await this.#access.change(this.#sql.setGroups, [groups.join(), streamId]);
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

  /** The numbers of a stream's groups, as the transaction sees them that is open. */
  async groups(streamId: number): Promise<number[]> {
    const [row] = await this.#access.rows<RawStream>(this.#sql.groups, [streamId]);
    return row === undefined ? [] : numbersOf(row);
  }
}

function numbersOf({ group_ids: list }: RawStream): number[] {
  return list.length === 0 ? [] : list.toString().split(',').map(Number);
}

function statementsOn(streams: string, groups: string) {
  // By its number: MariaDB reads a small table from end to end otherwise.
  const row = `FROM ${streams} FORCE INDEX (PRIMARY) WHERE id = ?`;
  return {
    find: `SELECT id FROM ${streams} WHERE name = ?`,
    create:
      `INSERT INTO ${streams} (name, group_ids) VALUES (?, '') ` +
      'ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)',
    share: `SELECT @@auto_increment_increment AS step, group_ids ${row} LOCK IN SHARE MODE`,
    lock: `SELECT group_ids ${row} FOR UPDATE`,
    lockAtOnce: `SELECT group_ids ${row} FOR UPDATE SKIP LOCKED`,
    // Not looked for first: a lock on what is not there is one on a gap, and others belong in it.
    addGroup:
      `INSERT INTO ${groups} (stream_id, name, max_attempts) VALUES (?, ?, ?) ` +
      'ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)',
    lockGroup: `SELECT id FROM ${groups} WHERE stream_id = ? AND name = ? FOR UPDATE`,
    setGroups: `UPDATE ${streams} SET group_ids = ? WHERE id = ?`,
    limitAttempts: `UPDATE ${groups} SET max_attempts = ? WHERE id = ?`,
    removeGroup: `DELETE FROM ${groups} WHERE id = ?`,
    group:
      `SELECT g.id, g.stream_id, g.max_attempts FROM ${streams} AS s ` +
      `JOIN ${groups} AS g ON g.stream_id = s.id WHERE s.name = ? AND g.name = ?`,
    groups: `SELECT group_ids ${row}`,
    list:
      `SELECT s.name AS stream, g.name AS grp FROM ${streams} AS s ` +
      `LEFT JOIN ${groups} AS g ON g.stream_id = s.id ORDER BY s.name, g.name`,
  };
}
