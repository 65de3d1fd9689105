import type { RetryingPooledDatabase } from '../database';
import type { ResultHeader } from '../driver/statement';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { openFrame } from '../schema/standing';
import { isNotTaken } from '../schema/syntax';
import { TableAccess } from '../schema/table-access';
import type { TableDefinition } from '../schema/table';
import type { RowList } from './row-list';

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
  #isPlain = false;

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
   * A change of the rows that are listed. `sql` is told how the list stands in it: it is read before
   * the table it is joined with, whose rows are then looked up one by one.
   */
  changeEach(
    list: RowList,
    sql: (each: string) => string,
    values: readonly unknown[] = [],
    options: QueueStatementOptions = {},
  ): Promise<ResultHeader> {
    return this.either(
      () => this.change(sql(list.bound), [list.value, ...values], options),
      () => this.change(sql(list.text), values, options),
    );
  }

  /**
   * Does something the short way, with SKIP LOCKED and JSON_TABLE; where the server does not take that,
   * the plain way, from then on.
   */
  async either<T>(short: () => Promise<T>, plain: () => Promise<T>): Promise<T> {
    if (this.#isPlain) return plain();
    try {
      return await short();
    } catch (error) {
      if (!isNotTaken(error)) throw error;
    }
    this.usePlainStatements();
    return plain();
  }

  /** As on a server that has neither SKIP LOCKED nor JSON_TABLE. */
  usePlainStatements(): void {
    if (this.#isPlain) return;
    this.#isPlain = true;
    this.host.logger.info({}, 'this server has no SKIP LOCKED: consumers may wait for each other');
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

export const micros = (ms: number): number => Math.round(ms * 1000);

/** So many ms from now, as text. */
export const fromNow = (ms: number): string =>
  `UTC_TIMESTAMP(6) + INTERVAL ${micros(ms)} MICROSECOND`;
