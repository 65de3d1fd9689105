import { connect } from 'node:net';
import { classify, wasAnswered, type Circumstances } from '../../src/driver/classify';
import type { ErrorClass } from '../../src/driver/error-class';
import { ERROR_CLASSES, NOT_RECOGNISED } from '../../src/driver/error-table';
import { codeError, serverError } from '../support/fake-driver';

type Fate = [
  name: string,
  connection: ErrorClass['connection'],
  statement: ErrorClass['statement'],
  transaction: ErrorClass['transaction'],
  commit: ErrorClass['commit'],
];

function fateOf(error: unknown, circumstances?: Circumstances): Fate {
  const { name, connection, statement, transaction, commit } = classify(error, circumstances);
  return [name, connection, statement, transaction, commit];
}

const REFUSED: Fate = ['refused for good', 'none', 'never', 'never', 'refused'];
const FULL: Fate = ['server full', 'none', 'safe', 'restart', 'refused'];
const CANNOT_CONNECT: Fate = ['cannot connect', 'none', 'safe', 'restart', 'refused'];
const BEFORE_SEND: Fate = ['lost before send', 'discard', 'safe', 'restart', 'refused'];
const AFTER_SEND: Fate = ['lost after send', 'discard', 'ifIdempotent', 'restart', 'unknown'];
const SHUTTING_DOWN: Fate = ['shutting down', 'discard', 'safe', 'restart', 'unknown'];
const READ_ONLY: Fate = ['read-only after failover', 'discard', 'safe', 'restart', 'refused'];
const NOT_READY: Fate = ['cluster node not ready', 'discard', 'safe', 'restart', 'refused'];
const DEADLOCK: Fate = ['deadlock', 'keep', 'safe', 'gone', 'refused'];
const USER_DEADLOCK: Fate = ['deadlock', 'keep', 'safe', 'restart', 'refused'];
const LOCK_WAIT: Fate = ['lock wait', 'keep', 'safe', 'restart', 'refused'];
const SNAPSHOT: Fate = ['snapshot conflict', 'keep', 'safe', 'gone', 'refused'];
const CERTIFICATION: Fate = ['certification', 'keep', 'never', 'gone', 'refused'];
const HALF_WAY: Fate = ['commit failed half-way', 'discard', 'never', 'never', 'unknown'];
const STALE: Fate = ['stale plan', 'keep', 'safe', 'open', 'refused'];
const PREPARED: Fate = ['too many prepared statements', 'keep', 'safe', 'open', 'refused'];
const ALTERED: Fate = ['other transient', 'keep', 'safe', 'restart', 'refused'];
const TRANSIENT: Fate = ['other transient', 'keep', 'never', 'restart', 'refused'];
const KILLED: Fate = ['cancelled', 'discard', 'ifIdempotent', 'never', 'unknown'];
const CANCELLED: Fate = ['cancelled', 'discard', 'never', 'never', 'unknown'];
const IDLE: Fate = ['idle too long', 'discard', 'safe', 'restart', 'refused'];
const TOO_LARGE: Fate = ['packet too large', 'discard', 'never', 'never', 'refused'];
const CALLER: Fate = ['rejected by the server', 'keep', 'never', 'never', 'refused'];
const UNKNOWN: Fate = ['not recognised', 'none', 'never', 'never', 'unknown'];
const NONE: Fate = ['not an error of a database', 'none', 'never', 'never', 'unknown'];

const byNumber: [Fate, number[]][] = [
  [REFUSED, [1045, 1044, 1049, 1698, 1524, 1251, 1130, 1129]],
  [FULL, [1040, 1203, 1226, 1135, 1041]],
  [AFTER_SEND, [1927, 3169, 1152, 1158, 1159, 1160, 1161, 1184]],
  [SHUTTING_DOWN, [1053, 1077, 1079, 3032, 3168]],
  [READ_ONLY, [1836, 1874, 1792]],
  [DEADLOCK, [1213, 1614]],
  [USER_DEADLOCK, [3058]],
  [LOCK_WAIT, [1205]],
  [CERTIFICATION, [3101]],
  [HALF_WAY, [1180]],
  [STALE, [1243, 1615]],
  [PREPARED, [1461]],
  [ALTERED, [1412]],
  [TRANSIENT, [1206, 1613]],
  [KILLED, [1317]],
  [TOO_LARGE, [1153]],
  [CALLER, [1062, 1451, 1452, 1064, 1146, 1366, 1]],
];

describe('an answer of the server, by its number', () => {
  it.each(byNumber.flatMap(([fate, list]) => list.map((errno): [number, Fate] => [errno, fate])))(
    '%d is %p',
    (errno, fate) => {
      for (const flavour of ['mariadb', 'mysql'] as const) {
        expect(fateOf(serverError(errno), { flavour })).toEqual(fate);
      }
    },
  );

  it.each<[number, Fate, Fate]>([
    [4031, IDLE, CALLER],
    [1020, CALLER, SNAPSHOT],
    [3024, CANCELLED, CALLER],
    [1969, CALLER, CANCELLED],
  ])('%d is %p on MySQL and %p on MariaDB', (errno, mysql, mariadb) => {
    expect(fateOf(serverError(errno), { flavour: 'mysql' })).toEqual(mysql);
    expect(fateOf(serverError(errno), { flavour: 'mariadb' })).toEqual(mariadb);
  });

  it.each<[number, string, Fate]>([
    [1290, 'running with the --read-only option', READ_ONLY],
    [1290, 'running with the --super-read-only option', READ_ONLY],
    [1290, 'running with the --secure-file-priv option', CALLER],
    [1047, 'WSREP has not yet prepared node', NOT_READY],
    [1047, 'Unknown command', CALLER],
  ])('%d with the text %p is %p', (errno, text, fate) => {
    expect(fateOf(serverError(errno, text))).toEqual(fate);
  });

  it("1792 is the caller's own doing where the session was changed", () => {
    expect(fateOf(serverError(1792), { pristine: false })).toEqual(CALLER);
  });

  it('has each number in one row only, but where flavour or text tell them apart', () => {
    const plain = ERROR_CLASSES.filter(
      ({ flavour, text }) => flavour === undefined && text === undefined,
    );
    const numbers = plain.flatMap(({ errno = [] }) => errno);
    expect(numbers).toHaveLength(new Set(numbers).size);
  });

  it('is told by its code where the text says something else', () => {
    const error = codeError('ECONNREFUSED');
    error.message = 'in closed state';
    expect(fateOf(error)).toEqual(CANNOT_CONNECT);
  });
});

describe('an error of the network, by its code', () => {
  it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])(
    '%s: no connection was there',
    (code) => {
      expect(fateOf(codeError(code, { errno: -111 }))).toEqual(CANNOT_CONNECT);
    },
  );

  it.each(['ETIMEDOUT', 'ECONNRESET', 'ENOENT', 'EACCES'])(
    '%s while connecting: no connection was there',
    (code) => {
      expect(fateOf(codeError(code, { errno: -1, syscall: 'connect' }))).toEqual(CANNOT_CONNECT);
    },
  );

  it.each(['ENOENT', 'EACCES'])('%s of a file says nothing of a connection', (code) => {
    expect(fateOf(codeError(code, { errno: -2, syscall: 'open' }))).toEqual(UNKNOWN);
  });

  it('is lost after send where a read timed out', () => {
    expect(fateOf(codeError('ETIMEDOUT', { errno: -110, syscall: 'read' }))).toEqual(AFTER_SEND);
  });

  it.each(['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])(
    '%s: depends on whether the statement was sent, and unknown counts as sent',
    (code) => {
      expect(fateOf(codeError(code), { sent: false })).toEqual(BEFORE_SEND);
      expect(fateOf(codeError(code), { sent: true })).toEqual(AFTER_SEND);
      expect(fateOf(codeError(code))).toEqual(AFTER_SEND);
    },
  );

  it.each(['PROTOCOL_ERROR', 'PROTOCOL_UNEXPECTED_PACKET'])(
    '%s: the connection is lost',
    (code) => {
      expect(fateOf(codeError(code), { sent: false })).toEqual(AFTER_SEND);
    },
  );

  it('is recognised by its text where it bears nothing else', () => {
    const error = new Error("Can't add new command when connection is in closed state");
    expect(fateOf(Object.assign(error, { fatal: true }))).toEqual(BEFORE_SEND);
  });

  it.each([new Error('something'), new TypeError('x'), codeError('ERR_OTHER')])(
    '%p is not recognised and never repeated; a COMMIT lost by it is in doubt',
    (error) => {
      expect(fateOf(error)).toEqual(UNKNOWN);
    },
  );

  it.each(['text', undefined, null, 5, {}])('%p is no error', (error) => {
    expect(fateOf(error)).toEqual(NONE);
  });
});

describe('each row of the table', () => {
  const rows = [...ERROR_CLASSES, NOT_RECOGNISED];

  it.each(rows)('$name says one sentence', ({ says }) => {
    expect(says).toMatch(/^[A-Z][^.]+\.$/);
  });

  it.each(rows.filter(({ statement, transaction }) => statement === transaction))(
    '$name bears its own advice where nothing may be run again',
    ({ advice }) => {
      expect(advice).toMatch(/^[A-Z][^.]+\.$/);
    },
  );
});

describe('an error that wraps others', () => {
  it('is what its cause is, however deep', () => {
    const inner = new Error('a', { cause: codeError('ECONNREFUSED') });
    expect(fateOf(new Error('b', { cause: inner }))).toEqual(CANNOT_CONNECT);
  });

  it('is what itself is, where that is known', () => {
    const error = Object.assign(serverError(1213), { cause: codeError('ECONNREFUSED') });
    expect(fateOf(error)).toEqual(DEADLOCK);
  });

  it('is the first of its errors that is known', () => {
    const error = new AggregateError([
      new Error('x'),
      codeError('ECONNREFUSED'),
      serverError(1045),
    ]);
    expect(fateOf(error)).toEqual(CANNOT_CONNECT);
  });

  it('is told by its parts before itself: Node copies the code of the first, not its syscall', () => {
    const parts = [codeError('ETIMEDOUT', { syscall: 'connect' }), codeError('ENETUNREACH')];
    const error = Object.assign(new AggregateError(parts), { code: 'ETIMEDOUT' });
    expect(fateOf(error)).toEqual(CANNOT_CONNECT);
  });

  it('is a refusal where an answer is inside, whatever its number', () => {
    expect(fateOf(new Error('a', { cause: serverError(1) }))).toEqual(CALLER);
  });

  it('may wrap itself', () => {
    const error: Error & { cause?: unknown } = new Error('a');
    error.cause = error;
    expect(fateOf(error)).toEqual(UNKNOWN);
  });

  it("is recognised also where it is of Node's own realm, as under Jest", async () => {
    // Node's core makes its errors outside of Jest's context: `instanceof Error` is false there.
    const error = await new Promise<unknown>((resolve) =>
      connect('/does/not/exist').once('error', resolve),
    );
    expect(error instanceof Error).toBe(false);
    expect(fateOf(error)).toEqual(CANNOT_CONNECT);
  });
});

it.each<[string, unknown, boolean]>([
  ['an answer of the server', serverError(1062), true],
  ['a libuv error', codeError('ECONNRESET', { errno: -104 }), false],
  ['a number without a state', Object.assign(new Error('x'), { errno: 1040 }), false],
  ['a lost connection', codeError('PROTOCOL_CONNECTION_LOST'), false],
  ['nothing at all', new Error('x'), false],
])('wasAnswered: %s', (_case, error, answered) => {
  expect(wasAnswered(error)).toBe(answered);
});
