import type { Examination } from '../../src/cli/doctor/examination';
import { limitChecks } from '../../src/cli/doctor/limit-checks';
import { serverChecks } from '../../src/cli/doctor/server-checks';
import { sessionChecks } from '../../src/cli/doctor/session-checks';
import { tableChecks } from '../../src/cli/doctor/table-checks';
import { ServerVariables } from '../../src/cli/server-variables';

type Values = Readonly<Record<string, string>>;

interface Differences {
  readonly global?: Values;
  readonly session?: Values;
  readonly status?: Values;
  readonly own?: Values;
  readonly rest?: Partial<Examination>;
}

const PLAN = { processes: 1, connectionLimit: 10, keepaliveInterval: 120_000, isLocal: false };

/** What is found on a server that differs so from one on which all is well: what cannot be started here. */
function levels(differences: Differences, plan: Partial<typeof PLAN> = {}): Values {
  const variables = (usual: Values, other: Values = {}): ServerVariables =>
    new ServerVariables(Object.entries({ ...usual, ...other }));
  const seen: Examination = {
    global: variables({ version: '11.8.6-MariaDB', max_connections: '151' }, differences.global),
    session: variables(
      {
        transaction_isolation: 'READ-COMMITTED',
        binlog_format: 'MIXED',
        wait_timeout: '28800',
        innodb_lock_wait_timeout: '50',
        max_allowed_packet: '67108864',
        session_track_state_change: 'ON',
        sql_mode: 'STRICT_TRANS_TABLES',
        time_zone: 'SYSTEM',
        character_set_client: 'utf8mb4',
        character_set_database: 'utf8mb4',
      },
      differences.session,
    ),
    status: variables({ Threads_connected: '1', Max_used_connections: '2' }, differences.status),
    own: variables({ Ssl_cipher: 'AES', Ssl_version: 'TLSv1.3' }, differences.own),
    database: 'app',
    accountLimit: 0,
    clockAhead: 0,
    skipLocked: true,
    cutOff: 'stopped',
    missingRights: [],
    tables: [],
    ...differences.rest,
  };
  const whole = { ...PLAN, ...plan };
  const findings = [
    ...serverChecks(seen),
    ...limitChecks(seen, whole),
    ...sessionChecks(seen, whole),
    ...(seen.tables?.length === 0 ? [] : tableChecks(seen, 'boomerang_')),
  ];
  for (const { level, advice } of findings) {
    if (level !== 'ok') expect(advice).toMatch(/^\S.{20,}[.!]$/s);
  }
  return Object.fromEntries(
    findings.filter(({ level }) => level !== 'ok').map(({ check, level }) => [check, level]),
  );
}

it('of a server on which all is well nothing is said but ok', () => {
  expect(levels({})).toEqual({});
});

const galera = { wsrep_on: 'ON' };
const ready = {
  wsrep_ready: 'ON',
  wsrep_cluster_status: 'Primary',
  wsrep_local_state_comment: 'Synced',
  wsrep_cluster_size: '3',
};

it.each<[string, Differences, Values]>([
  ['MariaDB 10.5', { global: { version: '10.5.29-MariaDB' } }, { server: 'warning' }],
  ['MariaDB 10.6', { global: { version: '10.6.1-MariaDB-log' } }, {}],
  ['MySQL 5.7', { global: { version: '5.7.44-log' } }, { server: 'warning' }],
  ['MySQL 8.0', { global: { version: '8.0.36' } }, {}],
  ['TiDB', { global: { version: '8.0.11-TiDB-v7.5.0' } }, { server: 'warning' }],
  ['no SKIP LOCKED', { rest: { skipLocked: false } }, { 'skip-locked': 'warning' }],
  ['group replication', { global: { group_replication_group_name: 'a' } }, { topology: 'note' }],
  ['Galera', { global: galera, status: ready }, { topology: 'note' }],
  [
    'Galera, not the primary part',
    { global: galera, status: { ...ready, wsrep_cluster_status: 'non-Primary' } },
    { topology: 'problem' },
  ],
  [
    'Galera, not in step',
    { global: galera, status: { ...ready, wsrep_ready: 'OFF' } },
    { topology: 'problem' },
  ],
  ['super_read_only', { global: { super_read_only: 'ON' } }, { 'read-only': 'problem' }],
  ['MariaDB 12 words', { global: { read_only: 'NO_LOCK' } }, { 'read-only': 'problem' }],
  ['no encryption', { own: { Ssl_cipher: '' } }, { tls: 'warning' }],
  ['latin1', { session: { character_set_database: 'latin1' } }, { charset: 'note' }],
  ['a latin1 session', { session: { character_set_client: 'latin1' } }, { charset: 'warning' }],
  [
    'SERIALIZABLE',
    { session: { transaction_isolation: 'SERIALIZABLE' } },
    { isolation: 'warning' },
  ],
  [
    'by the older name',
    { session: { transaction_isolation: '', tx_isolation: 'REPEATABLE-READ' } },
    { isolation: 'note' },
  ],
  [
    'READ COMMITTED with a log by STATEMENT',
    { global: { log_bin: 'ON' }, session: { binlog_format: 'STATEMENT' } },
    { isolation: 'warning' },
  ],
  ['the same without a log', { session: { binlog_format: 'STATEMENT' } }, {}],
  ['no tracking', { session: { session_track_state_change: '' } }, { 'session-tracking': 'note' }],
  [
    'no backslashes',
    { session: { sql_mode: 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES' } },
    { 'sql-mode': 'note' },
  ],
  ['a wrong clock', { rest: { clockAhead: -3_600_000 } }, {}],
  ['no KILL', { rest: { cutOff: 'closed' } }, { kill: 'warning' }],
  ['small packets', { session: { max_allowed_packet: '8388608' } }, { packet: 'note' }],
  [
    '9 of 10 in use',
    { global: { max_connections: '100' }, status: { Threads_connected: '90' } },
    { connections: 'warning' },
  ],
  ['an account with a limit', { rest: { accountLimit: 9 } }, { 'user-connections': 'problem' }],
])('%s', (_, differences, expected) => {
  expect(levels(differences)).toEqual(expected);
});

it('a fleet that fits tightly is a warning, one that does not fit a problem', () => {
  const of = (processes: number): Values => levels({}, { processes });
  expect([of(12), of(13), of(15), of(16)]).toEqual([
    {},
    { connections: 'warning' },
    { connections: 'warning' },
    { connections: 'problem' },
  ]);
});

it('what does not leave the machine needs no encryption', () => {
  expect(levels({ own: { Ssl_cipher: '' } }, { isLocal: true })).toEqual({});
});

it('a keepalive that is off, or above half of wait_timeout, is worth a note', () => {
  expect(levels({}, { keepaliveInterval: 0 })).toEqual({ 'wait-timeout': 'note' });
  expect(levels({ session: { wait_timeout: '120' } })).toEqual({ 'wait-timeout': 'note' });
  expect(levels({ session: { wait_timeout: '300' } })).toEqual({});
});
