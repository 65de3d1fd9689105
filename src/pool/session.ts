import type { Connection, Driver } from '../driver/connection';
import { traitsOf } from '../driver/sql-text';
import { ConfigurationError } from '../errors';
import { factsOf, type ServerFacts } from './server-facts';

/** ER_UNKNOWN_SYSTEM_VARIABLE: a server without session tracking. */
const UNKNOWN_VARIABLE = 1193;

/**
 * What makes every session of a pool the same: character set, session tracking, default database,
 * the user's own statements. Run on each new connection and again after each reset, before anybody
 * else's statement.
 */
export class SessionSetup {
  readonly #names: string;
  readonly #use: string | undefined;
  readonly #initSql: readonly string[];

  constructor(driver: Driver, initSql: readonly string[]) {
    const { name, collation } = driver.charset;
    // COM_RESET_CONNECTION takes MySQL's sessions back to the *server's* character set.
    // Where the server's default is autocommit = 0, a statement alone would never be committed.
    this.#names = `SET NAMES ${name} COLLATE ${collation}, autocommit=1`;
    this.#use =
      driver.database === undefined ? undefined : `USE ${driver.escapeId(driver.database)}`;
    const control = initSql.find((sql) => traitsOf(sql).controlsTransaction);
    if (control !== undefined) {
      throw new ConfigurationError(
        'initSql',
        'must not steer transactions (BEGIN, SET autocommit …)',
      );
    }
    this.#initSql = initSql;
  }

  /** For a new connection. */
  async open(connection: Connection): Promise<ServerFacts> {
    await this.#prepare(connection);
    return factsOf(connection);
  }

  async #prepare(connection: Connection, use?: string): Promise<void> {
    try {
      await connection.run('query', { sql: `${this.#names}, session_track_state_change=1` });
    } catch (error) {
      if ((error as { errno?: number }).errno !== UNKNOWN_VARIABLE) throw error;
      await connection.run('query', { sql: this.#names });
    }
    if (use !== undefined) await connection.run('query', { sql: use });
    for (const sql of this.#initSql) await connection.run('query', { sql });
    connection.markClean();
  }

  /**
   * Makes a used session fresh. False where that cannot be done: the borrower chose a database and
   * none is configured to go back to.
   */
  async renew(connection: Connection): Promise<boolean> {
    if (connection.schemaChanged && this.#use === undefined) return false;
    // A reset leaves the default database where it was.
    const back = connection.schemaChanged ? this.#use : undefined;
    await connection.reset();
    await this.#prepare(connection, back);
    return true;
  }
}
