import type { RetryingPooledDatabase } from '../../database';
import { StatementTimeoutError } from '../../errors';
import { inspectTables } from '../../install';
import { internals } from '../../internals';
import { missingRights } from '../../schema/rights';
import type { TableState } from '../../schema/table-state';
import { ServerVariables } from '../server-variables';

/** What was seen of a server; what it means is the checks' to say. */
export interface Examination {
  readonly global: ServerVariables;
  readonly session: ServerVariables;
  readonly status: ServerVariables;
  /** Of this session: its encryption. */
  readonly own: ServerVariables;
  readonly database: string | undefined;
  /** How many connections the account may have; 0 is no limit. */
  readonly accountLimit: number;
  /** How far this machine's clock is ahead of the server's, in ms. */
  readonly clockAhead: number;
  readonly skipLocked: boolean;
  /** What becomes of a statement whose time is up. */
  readonly cutOff: 'stopped' | 'closed';
  /** Rights that the account does not have; `undefined` where no database is named. */
  readonly missingRights: readonly string[] | undefined;
  /** `undefined` where they cannot be looked at. */
  readonly tables: readonly TableState[] | undefined;
}

const GLOBALS = [
  'version',
  'version_comment',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'wsrep_on',
  'group_replication_group_name',
  'max_connections',
  'system_time_zone',
  'innodb_rollback_on_timeout',
  'log_bin',
];

const SESSIONS = [
  'transaction_isolation',
  'tx_isolation',
  'binlog_format',
  'wait_timeout',
  'innodb_lock_wait_timeout',
  'innodb_snapshot_isolation',
  'max_allowed_packet',
  'session_track_state_change',
  'sql_mode',
  'time_zone',
  'character_set_client',
  'character_set_connection',
  'character_set_database',
];

const STATUS = [
  'Threads_connected',
  'Max_used_connections',
  'wsrep_cluster_size',
  'wsrep_cluster_status',
  'wsrep_local_state_comment',
  'wsrep_ready',
];

/** Looks at the server through the database's own sessions. Changes nothing there. */
export async function examine(db: RetryingPooledDatabase, prefix: string): Promise<Examination> {
  const database = (await db.queryValue<string | null>('SELECT DATABASE()')) ?? undefined;
  const right = database === undefined ? undefined : await missingRights(db, prefix);
  const canRead = right?.includes('SELECT') === false;
  return {
    database,
    accountLimit: await accountLimit(db),
    global: await ServerVariables.read(db, 'GLOBAL VARIABLES', GLOBALS),
    session: await ServerVariables.read(db, 'SESSION VARIABLES', SESSIONS),
    status: await ServerVariables.read(db, 'GLOBAL STATUS', STATUS),
    own: await ServerVariables.read(db, 'SESSION STATUS', ['Ssl_cipher', 'Ssl_version']),
    clockAhead: await clockAhead(db),
    skipLocked: await takesSkipLocked(db),
    missingRights: right,
    tables: canRead ? await inspectTables(db, prefix) : undefined,
    // Last: it may cost a connection.
    cutOff: await cutOff(db),
  };
}

/** MySQL tells it as the session's variable, MariaDB with the account's grants. */
async function accountLimit(db: RetryingPooledDatabase): Promise<number> {
  const limits = await db.queryValue<number>('SELECT @@SESSION.max_user_connections');
  if (limits !== undefined && limits > 0) return limits;
  const [rows] = await db.query<Record<string, string>[]>('SHOW GRANTS');
  const grants = rows.flatMap((row) => Object.values(row)).join('\n');
  return Number(/\bMAX_USER_CONNECTIONS (\d+)/.exec(grants)?.[1] ?? 0);
}

/** Measured against the middle of the round trip. */
async function clockAhead(db: RetryingPooledDatabase): Promise<number> {
  // The first may have had to wait for a connection.
  await db.query('DO 0');
  const sent = Date.now();
  const micros = await db.queryValue<number | string>(
    "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
  );
  return (sent + Date.now()) / 2 - Number(micros) / 1000;
}

async function takesSkipLocked(db: RetryingPooledDatabase): Promise<boolean> {
  try {
    await db.query('SELECT 1 FROM (SELECT 1 AS one) AS x FOR UPDATE SKIP LOCKED');
    return true;
  } catch (error) {
    if (internals.isNotTaken(error)) return false;
    throw error;
  }
}

/** Tried again where it failed: for the first the way to the server has to be opened, which may take too long. */
async function cutOff(db: RetryingPooledDatabase): Promise<Examination['cutOff']> {
  const first = await cutOffOnce(db);
  return first === 'stopped' ? first : cutOffOnce(db);
}

/** A statement is given less time than it takes. */
async function cutOffOnce(db: RetryingPooledDatabase): Promise<Examination['cutOff']> {
  // What is bounded is not how long it takes to connect.
  await db.query('DO 0');
  try {
    await db.query('SELECT SLEEP(3)', [], { timeout: 100, retries: 0 });
  } catch (error) {
    if (!(error instanceof StatementTimeoutError)) throw error;
    return error.outcome === 'unknown' ? 'closed' : 'stopped';
  }
  return 'stopped';
}
