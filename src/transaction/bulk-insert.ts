import { planInsert, type InsertRequest } from '../driver/bulk-insert';
import type { ResultHeader } from '../driver/statement';
import { InvalidArgumentError, checkOptionNames, describe } from '../errors';

/** What one statement may have at most where nobody says, in bytes: more is no faster. */
const MOST_BYTES = 1 << 20;
/** Room for what a packet carries beside the text. */
const PACKET_ROOM = 1024;

export interface BulkInsertOptions extends Pick<InsertRequest, 'columns' | 'onDuplicate'> {
  /** The most bytes of one statement; never above the server's `max_allowed_packet`. @default 1048576 */
  readonly maxBytes?: number;
}

export interface BulkInsertResult {
  /** As the server counts: with `onDuplicate` rows that were there count as well. */
  readonly affectedRows: number;
  /** How many INSERTs it took. */
  readonly statements: number;
}

/** Where the rows go. */
export interface BulkTarget {
  escape(value: unknown): string;
  /** The longest statement the server takes, in bytes. */
  maxAllowedPacket(): Promise<number>;
  /** Runs text with the values in it. */
  run(sql: string): Promise<ResultHeader>;
  atomic<T>(fn: () => Promise<T>): Promise<T>;
}

/** Brings many rows into a table: all of them, or none. */
export async function bulkInsert(
  target: BulkTarget,
  table: InsertRequest['table'],
  rows: Iterable<object>,
  options: BulkInsertOptions = {},
): Promise<BulkInsertResult> {
  checkOptionNames('options', options, ['columns', 'onDuplicate', 'maxBytes']);
  const { columns, onDuplicate, maxBytes = MOST_BYTES } = options;
  if (!(Number.isSafeInteger(maxBytes) && maxBytes > 0)) {
    const rule = `must be a whole number of bytes above 0, got ${describe(maxBytes)}`;
    throw new InvalidArgumentError('maxBytes', rule);
  }
  const packet = (await target.maxAllowedPacket()) - PACKET_ROOM;
  const escape = (value: unknown): string => target.escape(value);
  // A row that is larger than one statement of ours may still fit into a packet of its own.
  const plan = { table, rows, columns, onDuplicate, escape };
  const texts = planInsert({ ...plan, maxBytes: Math.min(maxBytes, packet), largestRow: packet });
  const runAll = async (): Promise<number> => {
    let affectedRows = 0;
    for (const sql of texts) affectedRows += (await target.run(sql)).affectedRows;
    return affectedRows;
  };
  const affectedRows = await (texts.length > 1 ? target.atomic(runAll) : runAll());
  return { affectedRows, statements: texts.length };
}
