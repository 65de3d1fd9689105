import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RetryingPooledDatabase } from '../database';
import type { PooledConnection } from '../transaction/pooled-connection';

/** A session of the server's, as the process list has it. What it runs is nobody's business here. */
export interface Session {
  readonly id: number;
  readonly user: string;
  /** Where it came from; without the port. */
  readonly host: string;
  readonly database: string | undefined;
  readonly isIdle: boolean;
  /** Since it does what it does, in ms. */
  readonly since: number;
  /** How long its transaction has been open, in ms; `undefined` where none is, or it was not looked for. */
  readonly transaction: number | undefined;
}

interface Listed {
  readonly Id: number;
  readonly User: string;
  readonly Host: string | null;
  readonly db: string | null;
  readonly Command: string;
  readonly Time: number | null;
}

/** A row of INNODB_TRX. */
interface Open {
  readonly id: number;
  readonly open: number;
  readonly own: number;
  readonly asks: number | null;
}

/** ER_SPECIFIC_ACCESS_DENIED_ERROR: open transactions are for accounts with PROCESS. */
const DENIED = 1227;
/** ER_NO_SUCH_THREAD: it has gone by itself. */
const GONE = 1094;
/** ER_KILL_DENIED_ERROR. */
const KILL_DENIED = 1095;

/**
 * What became of a session that was to be ended; `active`: it had begun to work again; `unseen`: whether its
 * transaction is still open could not be found out.
 */
export type EndOutcome = 'ended' | 'active' | 'gone' | 'refused' | 'unseen';

/**
 * InnoDB gives the transactions it gave last, as long as anybody asks again within 100 ms: on both
 * flavours. A pause is longer by up to as much again, so that two who ask do not keep each other waiting.
 */
const STALE_FOR = 120;

/** How long open transactions are asked for, in ms, while others ask all the time. */
const PATIENCE = 3000;

/** Since when transactions are open, in ms by session. */
export type OpenTransactions = ReadonlyMap<number, number>;

/** Why there are none to be had: the account may not see them; all that was given is of the past. */
export type Unseen = 'denied' | 'stale';

/** The sessions of a server, seen from one of them, which it does not show. */
export class Sessions {
  readonly #connection: PooledConnection;

  constructor(connection: PooledConnection) {
    this.#connection = connection;
  }

  static async of(db: RetryingPooledDatabase): Promise<Sessions> {
    return new Sessions(await db.getConnection());
  }

  /**
   * Those that the account may see: its own, or all with the privilege PROCESS.
   *
   * @param transactions as they were found, where they matter.
   */
  async list(transactions?: OpenTransactions): Promise<Session[]> {
    // Not information_schema: on MySQL that fails as a whole where one session runs what is no text.
    const [rows] = await this.#connection.query<Listed[]>('SHOW PROCESSLIST');
    const [own] = await this.#connection.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id');
    return rows
      .filter(({ Id }) => Id !== own[0]?.id)
      .map(({ Id, User, Host, db, Command, Time }) => ({
        id: Id,
        user: User,
        host: (Host ?? '').replace(/:\d+$/, ''),
        database: db ?? undefined,
        isIdle: Command === 'Sleep',
        since: (Time ?? 0) * 1000,
        transaction: transactions?.get(Id),
      }));
  }

  /**
   * Those that are open now. Asked inside a transaction of its own: only an answer in which that one is
   * asking just this question was not given before.
   */
  async transactions(): Promise<OpenTransactions | Unseen> {
    await this.#connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    try {
      return await this.#openNow();
    } catch (error) {
      if ((error as { errno?: number }).errno === DENIED) return 'denied';
      throw error;
    } finally {
      // It fails only with the connection, and that is told by whatever comes next.
      await this.#connection.query('ROLLBACK').catch(() => {});
    }
  }

  async #openNow(): Promise<OpenTransactions | 'stale'> {
    const sql =
      'SELECT trx_mysql_thread_id AS id, TIMESTAMPDIFF(MICROSECOND, trx_started, ' +
      // It is in the time zone of the machine, whatever the session's is.
      "CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', 'SYSTEM')) AS open, " +
      'trx_mysql_thread_id = CONNECTION_ID() AS own, INSTR(trx_query, ?) AS asks ' +
      'FROM information_schema.INNODB_TRX';
    const deadline = performance.now() + PATIENCE;
    while (performance.now() < deadline) {
      const [rows] = await this.#connection.query<Open[]>(sql, [randomUUID()]);
      const others = rows.filter(({ own }) => own === 0);
      if (rows.some(({ own, asks }) => own !== 0 && (asks ?? 0) > 0)) {
        return new Map(others.map(({ id, open }) => [id, open / 1000]));
      }
      await delay(STALE_FOR * (1 + Math.random()));
    }
    return 'stale';
  }

  /** The account that is logged in, as the list has it, and its database. */
  async self(): Promise<{ readonly user: string; readonly database: string | undefined }> {
    const sql = "SELECT SUBSTRING_INDEX(USER(), '@', 1) AS user, DATABASE() AS db";
    const [rows] = await this.#connection.query<{ user: string; db: string | null }[]>(sql);
    return { user: rows[0]?.user ?? '', database: rows[0]?.db ?? undefined };
  }

  /**
   * Ends a session if it is still meant: it is looked at again just before, its transaction too where
   * `inTransaction` says that it matters. Numbers of sessions are never used twice, so that what bears
   * the same one is the same.
   */
  async end(
    one: Session,
    isMeant: (now: Session) => boolean,
    { inTransaction = false }: { readonly inTransaction?: boolean } = {},
  ): Promise<EndOutcome> {
    const transactions = inTransaction ? await this.transactions() : undefined;
    if (typeof transactions === 'string') return 'unseen';
    const now = (await this.list(transactions)).find(({ id }) => id === one.id);
    if (now === undefined) return 'gone';
    if (!isMeant(now)) return 'active';
    try {
      await this.#connection.query(`KILL CONNECTION ${Math.trunc(one.id)}`);
      return 'ended';
    } catch (error) {
      const { errno } = error as { errno?: number };
      if (errno === GONE) return 'gone';
      if (errno === KILL_DENIED) return 'refused';
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.release();
  }
}
