import { connect } from 'node:net';
import { explain } from '../../src/driver/explain';
import type { Circumstances } from '../../src/driver/classify';
import { ERROR_CLASSES, NO_ERROR, NOT_RECOGNISED } from '../../src/driver/error-table';
import type { Explanation } from '../../src/driver/explanation';
import { codeError, serverError } from '../support/fake-driver';

type Essence = [
  name: string,
  connection: Explanation['connection'],
  statement: Explanation['statement'],
  transaction: Explanation['transaction'],
];

function essenceOf(error: unknown, circumstances?: Circumstances): Essence {
  const { name, connection, statement, transaction } = explain(error, circumstances);
  return [name, connection, statement, transaction];
}

const CONNECT = { errno: -110, syscall: 'connect' };
const CLOSED = new Error("Can't add new command when connection is in closed state");
const MYSQL = { flavour: 'mysql' } as const;
const MARIADB = { flavour: 'mariadb' } as const;
const UNSENT = { sent: false } as const;

const CANNOT: Essence = ['cannot connect', 'none', 'safe', 'restart'];
const FULL: Essence = ['server full', 'none', 'safe', 'restart'];
const REFUSED: Essence = ['refused for good', 'none', 'never', 'never'];
const BEFORE: Essence = ['lost before send', 'lost', 'safe', 'restart'];
const AFTER: Essence = ['lost after send', 'lost', 'ifIdempotent', 'restart'];
const HALF_WAY: Essence = ['commit failed half-way', 'lost', 'never', 'never'];
const SHUTTING: Essence = ['shutting down', 'lost', 'safe', 'restart'];
const READ_ONLY: Essence = ['read-only after failover', 'lost', 'safe', 'restart'];
const NOT_READY: Essence = ['cluster node not ready', 'lost', 'safe', 'restart'];
const DEADLOCK: Essence = ['deadlock', 'kept', 'safe', 'restart'];
const LOCK_WAIT: Essence = ['lock wait', 'kept', 'safe', 'restart'];
const SNAPSHOT: Essence = ['snapshot conflict', 'kept', 'safe', 'restart'];
const CERTIFICATION: Essence = ['certification', 'kept', 'never', 'restart'];
const STALE: Essence = ['stale plan', 'kept', 'safe', 'restart'];
const PREPARED: Essence = ['too many prepared statements', 'kept', 'safe', 'restart'];
const TRANSIENT: Essence = ['other transient', 'kept', 'never', 'restart'];
const CANCELLED: Essence = ['cancelled', 'lost', 'never', 'never'];
const REJECTED: Essence = ['rejected by the server', 'kept', 'never', 'never'];
const TOO_LARGE: Essence = ['packet too large', 'lost', 'never', 'never'];

function answers(...numbers: number[]): Error[] {
  return numbers.map((errno) => serverError(errno));
}

function codes(...list: string[]): Error[] {
  return list.map((code) => codeError(code));
}

/* Functions of tables take `...[ ]`: Jest gives one that names more than its row has a `done` to call. */

/** The rows of the design's table, in its order: every number and code it names. */
const TABLE: [row: string, Essence, Error[], Circumstances?][] = [
  [
    'cannot connect',
    CANNOT,
    [
      ...codes('ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'),
      codeError('ETIMEDOUT', CONNECT),
      new AggregateError([codeError('ECONNREFUSED', CONNECT), codeError('ENETUNREACH', CONNECT)]),
    ],
  ],
  ['cannot connect: reset in the handshake', BEFORE, codes('ECONNRESET'), UNSENT],
  ['server full', FULL, answers(1040, 1203, 1226, 1135, 1041)],
  ['refused for good', REFUSED, answers(1045, 1044, 1049, 1698, 1524, 1251, 1130, 1129)],
  ['lost before send: closed state', BEFORE, [CLOSED]],
  ['lost before send', BEFORE, codes('EPIPE', 'ECONNRESET'), UNSENT],
  ['lost before send: 4031', ['idle too long', 'lost', 'safe', 'restart'], answers(4031), MYSQL],
  ['the trigger that 4031 misses on MariaDB', REJECTED, answers(4031), MARIADB],
  [
    'lost after send',
    AFTER,
    [
      ...codes('PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'),
      ...codes('PROTOCOL_ERROR', 'PROTOCOL_UNEXPECTED_PACKET'),
      ...answers(1927, 3169, 1152, 1158, 1159, 1160, 1161, 1184),
    ],
  ],
  ['commit in doubt', HALF_WAY, answers(1180)],
  ['shutting down, offline', SHUTTING, answers(1053, 1077, 1079, 3032, 3168)],
  ['read-only after failover', READ_ONLY, [serverError(1290, 'with the --read-only option')]],
  ['1290 for another reason', REJECTED, answers(1290)],
  ['read-only after failover', READ_ONLY, answers(1836, 1874)],
  ['1792 not by us', READ_ONLY, answers(1792), { pristine: true }],
  ['1792 by the caller', REJECTED, answers(1792), { pristine: false }],
  ['Galera not ready', NOT_READY, [serverError(1047, 'WSREP has not yet prepared node')]],
  ['1047 for another reason', REJECTED, answers(1047)],
  ['deadlock', DEADLOCK, answers(1213, 1614, 3058)],
  ['lock wait', LOCK_WAIT, answers(1205)],
  ['snapshot conflict', SNAPSHOT, answers(1020), MARIADB],
  ['1020 on MySQL', REJECTED, answers(1020), MYSQL],
  ['certification', CERTIFICATION, answers(3101)],
  ['stale plan', STALE, answers(1243, 1615)],
  ['too many prepared', PREPARED, answers(1461)],
  ['other transient: 1412', ['other transient', 'kept', 'safe', 'restart'], answers(1412)],
  ['other transient', TRANSIENT, answers(1206, 1613)],
  ['cancelled: 1317', ['cancelled', 'lost', 'ifIdempotent', 'never'], answers(1317)],
  ['cancelled on MySQL', CANCELLED, answers(3024), MYSQL],
  ['3024 on MariaDB', REJECTED, answers(3024), MARIADB],
  ['cancelled on MariaDB', CANCELLED, answers(1969), MARIADB],
  ['1969 on MySQL', REJECTED, answers(1969), MYSQL],
  ["the caller's fault", REJECTED, answers(1062, 1451, 1452, 1064, 1146, 1366)],
  ["the caller's fault: 1153", TOO_LARGE, answers(1153)],
];

describe('an error of the server, the driver or the network', () => {
  it.each(
    TABLE.flatMap(([row, essence, list, circumstances]) =>
      list.map((error) => [row, error, essence, circumstances] as const),
    ),
  )('%s: %p', (_row, error, essence, circumstances) => {
    expect(essenceOf(error, circumstances)).toEqual(essence);
  });

  it.each(TABLE)('%s: no part of the message is repeated', (...[, , list, circumstances]) => {
    for (const error of list) {
      const secret = Object.assign(new Error(`${error.message} 's3cret'`), error);
      const wrapped = new Error("s3cret 'too'", { cause: secret });
      for (const one of [secret, wrapped, new AggregateError([secret], 's3cret')]) {
        expect(JSON.stringify(explain(one, circumstances))).not.toContain('s3cret');
        expect(explain(one, circumstances).toString()).not.toContain('s3cret');
      }
    }
  });

  it.each<[string, RegExp, Error, Circumstances?]>([
    [
      'a deadlock',
      /outside a transaction may be run again; a transaction is rolled back, and may/,
      serverError(1213),
    ],
    [
      'a lock wait',
      /may be run again; a transaction may be run again as a whole, from the outermost/,
      serverError(1205),
    ],
    [
      'a lost answer',
      /may have been carried out.*only if twice is the same.*provided that its COMMIT was not sent\.$/,
      codeError('ECONNRESET'),
    ],
    [
      'a statement never sent',
      /^A statement outside a transaction may be run again; .*outermost atomic\(\)\.$/,
      codeError('EPIPE'),
      UNSENT,
    ],
    [
      'a KILL',
      /only if twice is the same as once; a transaction must not simply be run again\.$/,
      serverError(1317),
    ],
    [
      'a stale plan',
      /may be run again; inside a transaction it may be run again as well/,
      serverError(1615),
    ],
    [
      'a lock table that is full',
      /must not simply be run again; a transaction may be run again as a whole/,
      serverError(1206),
    ],
    ['a shutdown', /provided that its COMMIT was not sent/, serverError(1053)],
    [
      'a duplicate',
      /neither the statement nor the transaction again as it is.*correct the statement/,
      serverError(1062),
    ],
    [
      'a wrong password',
      /neither the statement nor the transaction.*check user, password/,
      serverError(1045),
    ],
    ['a commit that failed half-way', /looked for the effects/, serverError(1180)],
    ['a limit', /make the statement faster or raise the limit/, serverError(3024), MYSQL],
    ['a large packet', /max_allowed_packet/, serverError(1153)],
  ])('%s: what to do', (...[, advice, error, circumstances]) => {
    expect(explain(error, circumstances).advice).toMatch(advice);
  });

  it('is found in what wraps it', () => {
    const cause = new AggregateError([new Error('x'), serverError(1205)]);
    expect(essenceOf(new Error('b', { cause }))).toEqual(LOCK_WAIT);
  });
});

describe('anything', () => {
  it.each([undefined, null, 'text', 5, {}, Symbol('x'), () => 1, { code: 'ECONNRESET' }])(
    '%p is no error, and nothing is thrown',
    (value) => {
      expect(essenceOf(value)).toEqual(['not an error of a database', 'none', 'never', 'never']);
    },
  );

  it.each([new Error('x'), new TypeError('x'), codeError('ERR_INVALID_ARG_TYPE')])(
    '%p is not recognised, and nothing is promised',
    (error) => {
      expect(essenceOf(error)).toEqual(['not recognised', 'none', 'never', 'never']);
    },
  );

  it("is understood also where it is of Node's own realm, as under Jest", async () => {
    const error = await new Promise<unknown>((resolve) =>
      connect('/does/not/exist').once('error', resolve),
    );
    expect(error instanceof Error).toBe(false);
    expect(essenceOf(error)).toEqual(CANNOT);
  });
});

describe('an explanation', () => {
  it('is one text for a log', () => {
    const found = explain(serverError(1205));
    expect(String(found)).toBe(`lock wait: ${found.says} ${found.advice}`);
  });

  it('is plain data beside that, and cannot be changed', () => {
    const found = explain(serverError(1205));
    expect(Object.keys(found)).toEqual([
      'name',
      'says',
      'connection',
      'statement',
      'transaction',
      'advice',
    ]);
    expect(Object.isFrozen(found)).toBe(true);
  });

  it('never promises by an advice what the facts deny', () => {
    for (const row of [...ERROR_CLASSES, NOT_RECOGNISED, NO_ERROR]) {
      const { errno = [], code = [], text, name } = row;
      const [number] = errno;
      const message = text?.source ?? '';
      const error =
        number === undefined
          ? Object.assign(new Error(message), code.length > 0 ? { code: code[0] } : {})
          : serverError(number, message);
      const found = explain(row === NO_ERROR ? undefined : error, row);
      if (row.syscall === undefined) expect(found.name).toBe(name);
      const promised = /transaction (is rolled back, and )?may be run again/.test(found.advice);
      const inside = found.advice.includes('inside a transaction it may');
      expect([name, promised || inside]).toEqual([name, found.transaction === 'restart']);
      const statement = found.advice.startsWith('A statement outside a transaction may');
      expect([name, statement]).toEqual([name, found.statement !== 'never']);
    }
  });
});
