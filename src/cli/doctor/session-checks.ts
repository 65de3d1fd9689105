import { duration } from '../units';
import type { Examination } from './examination';
import { note, ok, warning, type Finding } from './finding';

/** What every session is like, and what of it matters. */
export function sessionChecks(seen: Examination, plan: { readonly isLocal: boolean }): Finding[] {
  return [
    tlsCheck(seen, plan.isLocal),
    charsetCheck(seen),
    sqlModeCheck(seen),
    isolationCheck(seen),
    trackingCheck(seen),
    clockCheck(seen),
    zoneCheck(seen),
  ];
}

function tlsCheck({ own }: Examination, isLocal: boolean): Finding {
  const cipher = own.text('Ssl_cipher');
  if (cipher !== '') return ok('tls', `encrypted, ${own.text('Ssl_version')} with ${cipher}`);
  if (isLocal) return ok('tls', 'not encrypted, and does not leave this machine');
  const advice =
    'Whoever is on the way can read all data: ?ssl={"rejectUnauthorized":true} in the URL, or the option ssl, ' +
    'with the certificate authority where it is your own.';
  return warning('tls', 'not encrypted', advice);
}

function charsetCheck({ session }: Examination): Finding {
  const [client, database] = ['character_set_client', 'character_set_database'].map((name) =>
    session.text(name),
  );
  const found = `session ${client ?? ''}, default of the database ${database ?? ''}`;
  if (client !== 'utf8mb4') {
    const advice =
      'Text beyond that set is lost on its way: leave the option charset at its default.';
    return warning('charset', found, advice);
  }
  if (database === 'utf8mb4') return ok('charset', found);
  const advice =
    "The library's tables keep bytes and do not mind. In your own tables text beyond that set (emoji, many names) is " +
    'refused or garbled: ALTER DATABASE … CHARACTER SET utf8mb4, and convert what is there.';
  return note('charset', found, advice);
}

function sqlModeCheck({ session }: Examination): Finding {
  const modes = session.text('sql_mode').split(',');
  if (!modes.some((mode) => ['STRICT_TRANS_TABLES', 'STRICT_ALL_TABLES'].includes(mode))) {
    const advice =
      'What does not fit a column is cut off and stored, with a mere warning: add STRICT_TRANS_TABLES to sql_mode, ' +
      'on the server or by initSql.';
    return warning('sql-mode', 'not strict', advice);
  }
  if (modes.includes('NO_BACKSLASH_ESCAPES')) {
    const advice = 'Values are not escaped into text on such sessions: bind them, with execute().';
    return note('sql-mode', 'strict, NO_BACKSLASH_ESCAPES', advice);
  }
  return ok('sql-mode', 'strict');
}

const COMMITTED = "initSql: 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED'";

function isolationCheck({ session, global }: Examination): Finding {
  // MariaDB before 11.1 knows it by the older name.
  const level = (session.text('transaction_isolation') || session.text('tx_isolation')).replace(
    '-',
    ' ',
  );
  const byStatement = global.isOn('log_bin') && session.text('binlog_format') === 'STATEMENT';
  if (byStatement) {
    const advice =
      'InnoDB refuses writes at READ COMMITTED then, and replicas may come to differ: SET GLOBAL binlog_format = ' +
      "'ROW' or 'MIXED'.";
    return warning('isolation', `${level}, and the binary log is written by STATEMENT`, advice);
  }
  if (level === 'READ COMMITTED') return ok('isolation', level);
  if (level === 'REPEATABLE READ') {
    const snapshot = session.isOn('innodb_snapshot_isolation')
      ? ' Here (innodb_snapshot_isolation) an UPDATE of what others changed since the snapshot is error 1020.'
      : '';
    const advice = `The library is right at both; READ COMMITTED locks fewer rows and deadlocks less: ${COMMITTED}.${snapshot}`;
    return note('isolation', level, advice);
  }
  const advice = `READ COMMITTED is recommended: ${COMMITTED}. SERIALIZABLE locks what it reads; READ UNCOMMITTED reads what may never be.`;
  return warning('isolation', level, advice);
}

function trackingCheck({ session }: Examination): Finding {
  if (session.isOn('session_track_state_change')) {
    return ok(
      'session-tracking',
      'the server tells when a session was changed: only those are reset',
    );
  }
  const advice =
    'Sessions on which anything but plain reads and writes ran are reset when they come back, at the cost of two ' +
    'round trips. A proxy in between may be what holds it back.';
  return note('session-tracking', 'the server does not tell when a session was changed', advice);
}

/** Less than that is the round trip's. */
const NOTICEABLE = 100;

function clockCheck({ clockAhead }: Examination): Finding {
  const advice =
    "Of no matter: locks, cache and queue go by the server's clock alone, and within a process by a monotonic one.";
  const off = Math.abs(clockAhead);
  if (off < NOTICEABLE) return ok('clock', "this machine's clock is the server's", advice);
  const side = clockAhead > 0 ? 'ahead of' : 'behind';
  return ok('clock', `this machine's clock is ${duration(off)} ${side} the server's`, advice);
}

function zoneCheck({ session, global }: Examination): Finding {
  const zone = session.text('time_zone');
  const system = zone === 'SYSTEM' ? ` (the server's, ${global.text('system_time_zone')})` : '';
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return ok(
    'time-zone',
    `session ${zone}${system}, this process ${own}`,
    'Of no matter to the library, which counts in UTC. Your own DATETIME columns are read in the zone of the ' +
      "option timezone ('local' unless you say otherwise): where processes differ, set it to 'Z'.",
  );
}
