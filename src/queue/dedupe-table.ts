import { NOW } from './delivery-sql';
import type { DedupeKey } from './message-table';
import { fromNow, hex, type QueueAccess } from './queue-access';
import { dedupeTable } from './queue-schema';
import { RowList } from './row-list';

/** What must not be produced again for some time. */
export class DedupeTable {
  readonly #access: QueueAccess;
  readonly #table: string;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(dedupeTable);
  }

  /**
   * Takes these keys until the transaction ends, and for their windows if it commits; waits for
   * producers of the same ones. By key in hex, the message that was produced with it before, or
   * `undefined` where the caller's is the first.
   */
  async take(
    streamId: number,
    keys: readonly DedupeKey[],
    token: number,
  ): Promise<Map<string, number | undefined>> {
    const sorted = [...keys].sort((a, b) => Buffer.compare(a.key, b.key));
    const rows = sorted.map(
      ({ key, window }) => `(${streamId}, ${hex(key)}, ${token}, 0, ${fromNow(window)})`,
    );
    const over = `expires_at <= ${NOW}`;
    // Assignments are made from left to right: the end of the old window comes last.
    await this.#access.send(
      `INSERT INTO ${this.#table} (stream_id, dedupe_key, token, message_id, expires_at) ` +
        `VALUES ${rows.join(', ')} ON DUPLICATE KEY UPDATE ` +
        `token = IF(${over}, VALUES(token), token), ` +
        `message_id = IF(${over}, 0, message_id), ` +
        `expires_at = IF(${over}, VALUES(expires_at), expires_at)`,
    );
    // One by one: a list may be looked for in the whole of a small table, and waited for there.
    const reads = sorted.map(
      ({ key }) =>
        `(SELECT dedupe_key, token, message_id FROM ${this.#table} FORCE INDEX (PRIMARY) ` +
        `WHERE stream_id = ${streamId} AND dedupe_key = ${hex(key)} LOCK IN SHARE MODE)`,
    );
    const found = await this.#access.list<{
      dedupe_key: Buffer;
      token: number | string;
      message_id: number | string;
    }>(reads.join(' UNION ALL '));
    return new Map(
      found.map((row) => [
        row.dedupe_key.toString('hex'),
        Number(row.token) === token ? undefined : Number(row.message_id),
      ]),
    );
  }

  /** Which message each of the caller's keys led to. */
  async note(
    streamId: number,
    produced: readonly { readonly key: Buffer; readonly id: number }[],
  ): Promise<void> {
    const sorted = [...produced].sort((a, b) => Buffer.compare(a.key, b.key));
    const rows = sorted.map(({ key, id }) => `(${streamId}, ${hex(key)}, 0, ${id}, ${NOW})`);
    await this.#access.send(
      `INSERT INTO ${this.#table} (stream_id, dedupe_key, token, message_id, expires_at) ` +
        `VALUES ${rows.join(', ')} ON DUPLICATE KEY UPDATE message_id = VALUES(message_id)`,
    );
  }

  /** Forgets some keys whose time is over. Resolves to how many. */
  async sweep(most: number): Promise<number> {
    const rows = await this.#access.rows<{ stream_id: number; dedupe_key: Buffer }>(
      `SELECT stream_id, dedupe_key FROM ${this.#table} FORCE INDEX (expiry) ` +
        `WHERE expires_at <= ${NOW} ORDER BY expires_at LIMIT ?`,
      [String(most)],
    );
    if (rows.length === 0) return 0;
    const list = rows
      .sort((a, b) => a.stream_id - b.stream_id || Buffer.compare(a.dedupe_key, b.dedupe_key))
      .map(({ stream_id, dedupe_key }) => [stream_id, dedupe_key.toString('hex')] as const);
    await this.#access.changeEach(
      new RowList(['streamId', 'bytes'], list),
      (each) =>
        `DELETE k FROM ${each} ${this.#table} AS k FORCE INDEX (PRIMARY) ` +
        'ON k.stream_id = x.streamId AND k.dedupe_key = UNHEX(x.bytes) ' +
        `WHERE k.expires_at <= ${NOW}`,
      [],
      { idempotent: true },
    );
    return rows.length;
  }
}
