import type { Flavour } from './connection';

/** What becomes of the connection on which an error arrived. */
export type ConnectionFate = 'none' | 'keep' | 'discard';
/** Whether an autocommit statement may be run again. */
export type StatementRetry = 'safe' | 'ifIdempotent' | 'never';
/** Whether a transaction may be run again from its outermost level. `gone`: the server has already rolled it back. */
export type TransactionRetry = 'restart' | 'gone' | 'never';

/** One class of errors: how it is recognised and what may be done. */
export interface ErrorClass {
  readonly name: string;
  /** Server errors are positive, libuv's negative. Looked at first. */
  readonly errno?: readonly number[];
  /** Looked at second, for errors without a telling errno. */
  readonly code?: readonly string[];
  /** Alone: for errors without errno and code. Beside errno: must match too. */
  readonly text?: RegExp;
  /** Only on this flavour; the numbers mean something else on the other. */
  readonly flavour?: Flavour;
  /** Only where the statement was (or was not) given to the network. */
  readonly sent?: boolean;
  /** Only where the session was as the pool made it: `SET … READ ONLY` by the user is no failover. */
  readonly pristine?: boolean;
  /** It is the server that is of no use: others may take its place, and connections as old lead to it. */
  readonly elsewhere?: boolean;
  readonly connection: ConnectionFate;
  readonly statement: StatementRetry;
  readonly transaction: TransactionRetry;
}

const LOST_CODES = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'];

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
  },
  {
    name: 'server full',
    errno: [1040, 1203, 1226, 1135, 1041],
    connection: 'none',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'idle too long',
    errno: [4031],
    flavour: 'mysql',
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'lost before send',
    code: LOST_CODES,
    sent: false,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'lost before send',
    text: /in closed state/,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'cannot connect',
    code: ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT'],
    connection: 'none',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'shutting down',
    errno: [1053, 1077, 1079, 3032, 3168],
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'read-only after failover',
    errno: [1290],
    text: /read-only/,
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'read-only after failover',
    errno: [1836, 1874],
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'read-only after failover',
    errno: [1792],
    pristine: true,
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'cluster node not ready',
    errno: [1047],
    text: /WSREP/,
    elsewhere: true,
    connection: 'discard',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'deadlock',
    errno: [1213, 1614, 3058],
    connection: 'keep',
    statement: 'safe',
    transaction: 'gone',
  },
  {
    name: 'lock wait',
    errno: [1205],
    connection: 'keep',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'snapshot conflict',
    errno: [1020],
    flavour: 'mariadb',
    connection: 'keep',
    statement: 'safe',
    transaction: 'gone',
  },
  {
    name: 'certification',
    errno: [3101],
    connection: 'keep',
    statement: 'never',
    transaction: 'gone',
  },
  {
    name: 'stale plan',
    errno: [1243, 1615, 1412],
    connection: 'keep',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'too many prepared statements',
    errno: [1461],
    connection: 'keep',
    statement: 'safe',
    transaction: 'restart',
  },
  {
    name: 'other transient',
    errno: [1206, 1613],
    connection: 'keep',
    statement: 'never',
    transaction: 'restart',
  },
  {
    name: 'cancelled',
    errno: [1317],
    connection: 'discard',
    // MySQL's orderly shutdown says this too.
    statement: 'ifIdempotent',
    transaction: 'never',
  },
  {
    name: 'cancelled',
    errno: [3024],
    flavour: 'mysql',
    connection: 'discard',
    statement: 'never',
    transaction: 'never',
  },
  {
    name: 'cancelled',
    errno: [1969],
    flavour: 'mariadb',
    connection: 'discard',
    statement: 'never',
    transaction: 'never',
  },
  {
    name: 'lost after send',
    errno: [1927, 3169, 1152, 1158, 1159, 1160, 1161, 1184],
    connection: 'discard',
    statement: 'ifIdempotent',
    transaction: 'restart',
  },
  {
    name: 'lost after send',
    code: [...LOST_CODES, 'PROTOCOL_ERROR', 'PROTOCOL_UNEXPECTED_PACKET'],
    connection: 'discard',
    statement: 'ifIdempotent',
    transaction: 'restart',
  },
];

/** What fits no class: the caller's fault, or nothing that running again would mend. */
export const CALLERS_FAULT: ErrorClass = {
  name: 'rejected by the server',
  connection: 'keep',
  statement: 'never',
  transaction: 'never',
};

/** Answers to COMMIT after which it may or may not have happened. */
export const COMMIT_UNDECIDED: readonly number[] = [
  1180, 1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 3168, 3169,
];
