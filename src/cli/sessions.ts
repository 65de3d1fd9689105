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

/** ER_SPECIFIC_ACCESS_DENIED_ERROR: open transactions are for accounts with PROCESS. */
const DENIED = 1227;
/** ER_NO_SUCH_THREAD: it has gone by itself. */
const GONE = 1094;
/** ER_KILL_DENIED_ERROR. */
const KILL_DENIED = 1095;

/** What became of a session that was to be ended; `active`: it had begun to work again. */
export type EndOutcome = 'ended' | 'active' | 'gone' | 'refused';

/**
 * InnoDB gives the transactions it gave last, as long as somebody asks again within 100 ms: on both
 * flavours, whoever asks.
 */
const STALE_FOR = 120;

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
  async list(transactions?: ReadonlyMap<number, number>): Promise<Session[]> {
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

  /** Since when transactions are open, in ms by session; `undefined` where the account may not know. */
  async transactions(): Promise<ReadonlyMap<number, number> | undefined> {
    await delay(STALE_FOR);
    const sql =
      'SELECT trx_mysql_thread_id AS id, TIMESTAMPDIFF(MICROSECOND, trx_started, ' +
      // It is in the time zone of the machine, whatever the session's is.
      "CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', 'SYSTEM')) AS open FROM information_schema.INNODB_TRX";
    try {
      const [rows] = await this.#connection.query<{ id: number; open: number }[]>(sql);
      return new Map(rows.map(({ id, open }) => [id, open / 1000]));
    } catch (error) {
      if ((error as { errno?: number }).errno !== DENIED) throw error;
      return undefined;
    }
  }

  /** The account that is logged in, as the list has it, and its database. */
  async self(): Promise<{ readonly user: string; readonly database: string | undefined }> {
    const sql = "SELECT SUBSTRING_INDEX(USER(), '@', 1) AS user, DATABASE() AS db";
    const [rows] = await this.#connection.query<{ user: string; db: string | null }[]>(sql);
    return { user: rows[0]?.user ?? '', database: rows[0]?.db ?? undefined };
  }

  /**
   * Ends a session if it is still meant: it is looked at again just before. Numbers of sessions are
   * never used twice, so that what bears the same one is the same.
   */
  async end(one: Session, isMeant: (now: Session) => boolean): Promise<EndOutcome> {
    const transactions = one.transaction === undefined ? undefined : await this.transactions();
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
