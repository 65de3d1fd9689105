import type { ErrorClass } from './error-class';

const LOST_CODES = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'];

const CANNOT_CONNECT = {
  name: 'cannot connect',
  connection: 'none',
  statement: 'safe',
  transaction: 'restart',
  commit: 'refused',
  says: 'No connection to the server could be opened, so nothing was sent to it.',
} as const;

const LOST_BEFORE_SEND = {
  name: 'lost before send',
  connection: 'discard',
  statement: 'safe',
  transaction: 'restart',
  commit: 'refused',
  says: 'The connection was lost before the statement was sent.',
} as const;

const READ_ONLY = {
  name: 'read-only after failover',
  elsewhere: true,
  connection: 'discard',
  statement: 'safe',
  transaction: 'restart',
  // Both flavours roll the transaction back before they answer so.
  commit: 'refused',
  says: 'The server takes no writes; most likely it is a replica since a failover.',
} as const;

const DEADLOCK = {
  name: 'deadlock',
  connection: 'keep',
  statement: 'safe',
  commit: 'refused',
} as const;

const CANCELLED = {
  name: 'cancelled',
  // To be kept only where it is confirmed that no KILL is still on its way.
  connection: 'discard',
  transaction: 'never',
  // What cuts a statement off may meet a COMMIT half-way.
  commit: 'unknown',
} as const;

const CANCELLED_BY_LIMIT = {
  ...CANCELLED,
  statement: 'never',
  says: 'The server cut the statement off because it reached its time limit.',
  advice:
    'Run neither the statement nor the transaction again as it is: it would most likely reach the ' +
    'limit again; make the statement faster or raise the limit.',
} as const;

const LOST_AFTER_SEND = {
  name: 'lost after send',
  connection: 'discard',
  statement: 'ifIdempotent',
  transaction: 'restart',
  commit: 'unknown',
  says: 'The connection was lost after the statement was sent, and the answer did not come.',
} as const;

/** An answer that fits no other class: running it again would not mend it. */
export const CALLERS_FAULT: ErrorClass = {
  name: 'rejected by the server',
  // A few of the most frequent; the rest needs no number to end here.
  errno: [1062, 1451, 1452, 1064, 1146, 1366],
  connection: 'keep',
  statement: 'never',
  transaction: 'never',
  commit: 'refused',
  says: 'The server refused the statement, which had no effect.',
  advice:
    'Run neither the statement nor the transaction again as it is, since the answer would be the ' +
    'same: correct the statement, its values, or what they meet in the tables.',
};

/**
 * The classes, most specific first; the first that fits counts. Numbers are those of the MySQL and
 * MariaDB error references; where one number means two things, `flavour` or `text` tells them apart.
 */
export const ERROR_CLASSES: readonly ErrorClass[] = [
  {
    name: 'refused for good',
    errno: [1045, 1044, 1049, 1698, 1524, 1251, 1130, 1129],
    connection: 'none',
    statement: 'never',
    transaction: 'never',
    commit: 'refused',
    says: 'The server refuses this user, this host or this database.',
    advice:
      'Run neither the statement nor the transaction again before that is set right: check user, ' +
      'password, database name, the rights of the account, and whether the host is blocked.',
  },
  {
    name: 'server full',
    errno: [1040, 1203, 1226, 1135, 1041],
    connection: 'none',
    statement: 'safe',
    transaction: 'restart',
    commit: 'refused',
    says: 'The server has no room for a further connection or call, of this account or at all.',
  },
  {
    name: 'idle too long',
    errno: [4031],
    flavour: 'mysql',
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
    // The server had stopped reading before.
    commit: 'refused',
    says: 'The server had closed the connection for inactivity before the statement reached it.',
  },
  {
    ...CANNOT_CONNECT,
    code: ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  },
  {
    ...CANNOT_CONNECT,
    code: [...LOST_CODES, 'ENOENT', 'EACCES', 'EADDRNOTAVAIL'],
    syscall: 'connect',
  },
  { ...LOST_BEFORE_SEND, code: LOST_CODES, sent: false },
  { ...LOST_BEFORE_SEND, text: /in closed state/ },
  {
    name: 'shutting down',
    errno: [1053, 1077, 1079, 3032, 3168],
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
    commit: 'unknown',
    says: 'The server is shutting down or offline, or an administrator ended the session.',
  },
  { ...READ_ONLY, errno: [1290], text: /read-only/ },
  { ...READ_ONLY, errno: [1836, 1874] },
  { ...READ_ONLY, errno: [1792], pristine: true },
  {
    name: 'cluster node not ready',
    errno: [1047],
    text: /WSREP/,
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
    commit: 'refused',
    says: 'This node of the cluster takes no work at the moment.',
  },
  {
    ...DEADLOCK,
    errno: [1213, 1614],
    transaction: 'gone',
    says: 'The statement was in a deadlock with another session, and the server ended it at its expense.',
  },
  {
    ...DEADLOCK,
    // Of user-level locks: the statement failed, and nothing is rolled back.
    errno: [3058],
    transaction: 'restart',
    says: 'Waiting for a user-level lock would have been a deadlock with another session.',
  },
  {
    name: 'lock wait',
    errno: [1205],
    connection: 'keep',
    statement: 'safe',
    // Usually open; gone under innodb_rollback_on_timeout, and at COMMIT.
    transaction: 'restart',
    commit: 'refused',
    says: 'Another session held a lock for longer than the statement may wait.',
  },
  {
    name: 'snapshot conflict',
    errno: [1020],
    flavour: 'mariadb',
    connection: 'keep',
    statement: 'safe',
    transaction: 'gone',
    commit: 'refused',
    says: 'Another transaction changed a row after this one had taken its snapshot.',
  },
  {
    name: 'certification',
    errno: [3101],
    connection: 'keep',
    statement: 'never',
    transaction: 'gone',
    commit: 'refused',
    says: 'The cluster rolled the transaction back, because it conflicts with one of another node.',
  },
  {
    name: 'commit failed half-way',
    errno: [1180],
    connection: 'discard',
    statement: 'never',
    transaction: 'never',
    commit: 'unknown',
    says: 'The server failed during a commit: the changes may be committed or not.',
    advice:
      'Run neither the statement nor the transaction again before you have looked for the effects ' +
      'in the tables.',
  },
  {
    name: 'stale plan',
    errno: [1243, 1615],
    connection: 'keep',
    statement: 'safe',
    transaction: 'open',
    commit: 'refused',
    says: 'The server no longer knows the prepared statement, or could not prepare it anew.',
  },
  {
    name: 'too many prepared statements',
    errno: [1461],
    connection: 'keep',
    statement: 'safe',
    transaction: 'open',
    commit: 'refused',
    says: 'The server prepares no more statements until others are given up.',
  },
  {
    name: 'other transient',
    errno: [1412],
    connection: 'keep',
    statement: 'safe',
    transaction: 'restart',
    commit: 'refused',
    says: 'A table was altered after the transaction had taken its snapshot.',
  },
  {
    name: 'other transient',
    errno: [1206, 1613],
    connection: 'keep',
    statement: 'never',
    transaction: 'restart',
    commit: 'refused',
    says: 'The server could not keep the locks of the transaction, or could not keep them for longer.',
  },
  {
    ...CANCELLED,
    errno: [1317],
    // MySQL's orderly shutdown says this too.
    statement: 'ifIdempotent',
    says: 'The statement was cut off on the server, by a KILL or by a shutdown.',
  },
  { ...CANCELLED_BY_LIMIT, errno: [3024], flavour: 'mysql' },
  { ...CANCELLED_BY_LIMIT, errno: [1969], flavour: 'mariadb' },
  { ...LOST_AFTER_SEND, errno: [1927, 3169, 1152, 1158, 1159, 1160, 1161, 1184] },
  {
    ...LOST_AFTER_SEND,
    code: [...LOST_CODES, 'PROTOCOL_ERROR', 'PROTOCOL_UNEXPECTED_PACKET'],
  },
  {
    name: 'packet too large',
    errno: [1153],
    connection: 'discard',
    statement: 'never',
    transaction: 'never',
    commit: 'refused',
    says: 'The statement, with its values, is larger than the server takes.',
    advice:
      'Run neither the statement nor the transaction again as it is: make it smaller, or raise ' +
      'max_allowed_packet on the server.',
  },
  CALLERS_FAULT,
];

/** An error that nobody answered and no row knows. */
export const NOT_RECOGNISED: ErrorClass = {
  name: 'not recognised',
  connection: 'none',
  statement: 'never',
  transaction: 'never',
  commit: 'unknown',
  says: 'This is none of the errors that the server, the driver or this library is known to raise.',
  advice:
    'Run neither the statement nor the transaction again before you know what happened: whether ' +
    'they had an effect cannot be told from this error.',
};

/** What is not even an error. */
export const NO_ERROR: ErrorClass = {
  ...NOT_RECOGNISED,
  name: 'not an error of a database',
  says: 'This is not an error of a database, nor an error at all.',
};
