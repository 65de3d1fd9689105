import type { QueueAccess } from './queue-access';
import { scheduleTable } from './queue-schema';

/** Which moment of each schedule was fired last. Moments are text in UTC, to the millisecond. */
export class ScheduleTable {
  readonly #access: QueueAccess;
  readonly #table: string;

  constructor(access: QueueAccess) {
    this.#access = access;
    this.#table = access.name(scheduleTable);
  }

  /** What the server takes for now. */
  async now(): Promise<Date> {
    const sql =
      "SELECT TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS now";
    const [row] = await this.#access.rows<{ now: number | string }>(sql);
    return new Date(Math.floor(Number(row?.now ?? 0) / 1000));
  }

  /** A schedule that nobody knew begins after this moment. */
  async begin(name: Buffer, moment: Date): Promise<void> {
    const sql =
      `INSERT INTO ${this.#table} (name, fired_for) VALUES (?, ?) ` +
      'ON DUPLICATE KEY UPDATE name = VALUES(name)';
    await this.#access.change(sql, [name, stamp(moment)], { idempotent: true });
  }

  /** Takes a moment for the caller; false where somebody else has. */
  async take(name: Buffer, moment: Date): Promise<boolean> {
    const sql =
      `UPDATE ${this.#table} SET fired_for = ? WHERE name = ? AND fired_for < ? ` +
      'AND ? <= UTC_TIMESTAMP(3)';
    const at = stamp(moment);
    return (await this.#access.change(sql, [at, name, at, at])).affectedRows > 0;
  }
}

function stamp(moment: Date): string {
  return moment.toISOString().replace('T', ' ').replace('Z', '');
}
