import type { RetryingPooledDatabase } from '../database';
import type { ResultHeader } from '../driver/statement';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { openFrame } from '../schema/standing';
import { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';

/** How often a transaction of the queue's own is run again after a deadlock or a lost connection. */
const RETRIES = 5;

export interface QueueStatementOptions {
  readonly idempotent?: boolean;
}

/**
 * Runs the queue's statements. They take part in the scope and transaction they are issued in; what
 * belongs to nobody is run under {@link alone}.
 */
export class QueueAccess {
  readonly db: RetryingPooledDatabase;
  readonly #access: TableAccess;
  readonly #statements: DatabaseParts['statements'];

  constructor(
    db: RetryingPooledDatabase,
    definitions: readonly TableDefinition[],
    prefix: string,
    autoInstall: boolean,
  ) {
    this.db = db;
    this.#statements = partsOf(db).statements;
    this.#access = new TableAccess(db, definitions, prefix, autoInstall);
  }

  /** The table's name as it stands in SQL. */
  name(definition: TableDefinition): string {
    return this.#access.name(definition);
  }

  /** Rows of a prepared read. */
  async rows<T>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    const [rows] = await this.#access.run(() =>
      this.#statements.here<T[]>(sql, values, { idempotent: true }),
    );
    return rows;
  }

  /** A prepared change. */
  async change(
    sql: string,
    values: readonly unknown[],
    options: QueueStatementOptions = {},
  ): Promise<ResultHeader> {
    const [header] = await this.#access.run(() =>
      this.#statements.here<ResultHeader>(sql, values, options),
    );
    return header;
  }

  /**
   * A change as text, for lists: each length of a prepared one would be a statement of its own. The
   * text holds numbers and hexadecimal literals only, which need no escaping in any session.
   */
  async send(sql: string, options: QueueStatementOptions = {}): Promise<ResultHeader> {
    const [header] = await this.#access.run(() =>
      this.#statements.text<ResultHeader>(sql, options),
    );
    return header;
  }

  /** The same for a read. */
  async list<T>(sql: string): Promise<T[]> {
    const [rows] = await this.#access.run(() =>
      this.#statements.text<T[]>(sql, { idempotent: true }),
    );
    return rows;
  }

  /**
   * All of it or nothing: a transaction of its own, repeated after a deadlock, or part of the one
   * that is open, which a failure then dooms.
   */
  atomic<T>(fn: () => Promise<T>): Promise<T> {
    const isPart = openFrame(this.db) !== undefined;
    return this.db.atomic(fn, isPart ? { savepoint: false } : { retries: RETRIES });
  }

  /** In nobody's scope and transaction. */
  alone<T>(fn: () => Promise<T>): Promise<T> {
    return this.db.withoutScope(fn);
  }

  get host() {
    return partsOf(this.db).host;
  }
}

/** Bytes as they stand in SQL. */
export function hex(bytes: Buffer): string {
  return `X'${bytes.toString('hex')}'`;
}

const COLUMNS = {
  groupId: 'INT UNSIGNED',
  streamId: 'INT UNSIGNED',
  messageId: 'BIGINT UNSIGNED',
  claim: 'BIGINT UNSIGNED',
  /** In hexadecimal. */
  bytes: 'VARCHAR(510)',
} as const;

/**
 * A list, bound as JSON, that is read before the table it is joined with, whose rows are then looked
 * up one by one. With `id IN (…)` a planner may read a small table from end to end, `FORCE INDEX
 * (PRIMARY)` or not (MariaDB 10.11 and MySQL 9.7 do), and waits for a producer who has not committed yet.
 */
export function each(...columns: readonly (keyof typeof COLUMNS)[]): string {
  const list = columns.map((name, at) => `${name} ${COLUMNS[name]} PATH '$[${at}]'`).join(', ');
  return `JSON_TABLE(?, '$[*]' COLUMNS (${list})) AS x STRAIGHT_JOIN`;
}

export const micros = (ms: number): number => Math.round(ms * 1000);
