import type { RetryingPooledDatabase } from '../database';
import type { ResultHeader } from '../driver/statement';
import { Limit } from '../limit';
import { partsOf, type DatabaseParts } from '../pooled-database';
import { openFrame } from '../schema/standing';
import type { TableDefinition } from '../schema/table';
import { TableAccess } from '../schema/table-access';
import { collectionStatements, collectionTable } from './collection-table';
import { hashStatements, hashTable } from './hash-table';
import { keyStatements, keyTable } from './key-table';
import { setStatements, setTable } from './set-table';
import { sortedSetStatements, sortedSetTable } from './sorted-set-table';

/** Every table of a store, as `install()` creates them. */
export const storeTables: readonly TableDefinition[] = [
  keyTable,
  collectionTable,
  setTable,
  sortedSetTable,
  hashTable,
];

/**
 * How often a command that takes several statements is run again after a deadlock or a lost connection.
 * Nothing of it stays before its COMMIT, and it runs no code of the caller's.
 */
const RETRIES = 5;

/** How long one statement of a sweep may take, in ms: a row may be locked. */
const WITHIN = 1000;

/** Runs a store's statements where the caller stands: in his transaction, his scope, or by themselves. */
export class StoreTables {
  readonly db: RetryingPooledDatabase;
  readonly #access: TableAccess;
  readonly #statements: DatabaseParts['statements'];
  readonly keys;
  readonly collections;
  readonly sets;
  readonly sortedSets;
  readonly hashes;
  /** The names of the tables of members. */
  readonly names;

  constructor(db: RetryingPooledDatabase, prefix: string, autoInstall: boolean) {
    this.db = db;
    this.#statements = partsOf(db).statements;
    this.#access = new TableAccess(db, storeTables, prefix, autoInstall);
    const [keys = '', collections = '', sets = '', sortedSets = '', hashes = ''] = storeTables.map(
      (table) => this.#access.name(table),
    );
    this.names = { sets, sortedSets, hashes };
    this.keys = keyStatements(keys);
    this.collections = collectionStatements(collections, keys);
    this.sets = setStatements(sets, keys);
    this.sortedSets = sortedSetStatements(sortedSets, keys);
    this.hashes = hashStatements(hashes, keys);
  }

  /** Whether a transaction of the caller's is open. */
  get inTransaction(): boolean {
    return openFrame(this.db) !== undefined;
  }

  /** What changes nothing: it is repeated after a lost connection. */
  read<Row>(sql: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#run<Row[]>(sql, values, true);
  }

  write(sql: string, values: readonly unknown[]): Promise<ResultHeader> {
    return this.#run<ResultHeader>(sql, values, false);
  }

  /** Several statements: all of them or none. */
  atomic<T>(commands: () => Promise<T>): Promise<T> {
    return this.#access.run(() => this.db.atomic(commands, { retries: RETRIES }));
  }

  /** On a connection for itself alone, within a second: for the sweeper, which can wait. */
  async aside<Rows>(sql: string, values: readonly unknown[]): Promise<Rows> {
    const { clock } = partsOf(this.db).host;
    const limit = new Limit(clock, { kind: 'statement' }, { timeout: WITHIN });
    const options = { idempotent: true, limit };
    try {
      return await this.#access.run(() => this.#statements.alone<Rows>(sql, values, options));
    } finally {
      limit.end();
    }
  }

  #run<T>(sql: string, values: readonly unknown[], idempotent: boolean): Promise<T> {
    return this.#access
      .run(() => this.#statements.here<T>(sql, values, { idempotent }))
      .then(([found]) => found);
  }
}
