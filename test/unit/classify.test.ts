import { classify, wasAnswered, type Circumstances } from '../../src/driver/classify';
import type { ErrorClass } from '../../src/driver/error-table';
import { codeError, serverError } from '../support/fake-driver';

type Fate = [
  name: string,
  connection: ErrorClass['connection'],
  statement: ErrorClass['statement'],
  transaction: ErrorClass['transaction'],
];

function fateOf(error: unknown, circumstances?: Circumstances): Fate {
  const { name, connection, statement, transaction } = classify(error, circumstances);
  return [name, connection, statement, transaction];
}

const REFUSED: Fate = ['refused for good', 'none', 'never', 'never'];
const FULL: Fate = ['server full', 'none', 'safe', 'restart'];
const CANNOT_CONNECT: Fate = ['cannot connect', 'none', 'safe', 'restart'];
const BEFORE_SEND: Fate = ['lost before send', 'discard', 'safe', 'restart'];
const AFTER_SEND: Fate = ['lost after send', 'discard', 'ifIdempotent', 'restart'];
const SHUTTING_DOWN: Fate = ['shutting down', 'discard', 'safe', 'restart'];
const READ_ONLY: Fate = ['read-only after failover', 'discard', 'safe', 'restart'];
const NOT_READY: Fate = ['cluster node not ready', 'discard', 'safe', 'restart'];
const DEADLOCK: Fate = ['deadlock', 'keep', 'safe', 'gone'];
const LOCK_WAIT: Fate = ['lock wait', 'keep', 'safe', 'restart'];
const SNAPSHOT: Fate = ['snapshot conflict', 'keep', 'safe', 'gone'];
const CERTIFICATION: Fate = ['certification', 'keep', 'never', 'gone'];
const STALE: Fate = ['stale plan', 'keep', 'safe', 'restart'];
const PREPARED: Fate = ['too many prepared statements', 'keep', 'safe', 'restart'];
const TRANSIENT: Fate = ['other transient', 'keep', 'never', 'restart'];
const CANCELLED: Fate = ['cancelled', 'discard', 'never', 'never'];
const IDLE: Fate = ['idle too long', 'discard', 'safe', 'restart'];
const CALLER: Fate = ['rejected by the server', 'keep', 'never', 'never'];

const byNumber: [Fate, number[]][] = [
  [REFUSED, [1045, 1044, 1049, 1698, 1524, 1251, 1130, 1129]],
  [FULL, [1040, 1203, 1226, 1135, 1041]],
  [AFTER_SEND, [1927, 3169, 1152, 1158, 1159, 1160, 1161, 1184]],
  [SHUTTING_DOWN, [1053, 1077, 1079, 3032, 3168]],
  [READ_ONLY, [1836, 1874, 1792]],
  [DEADLOCK, [1213, 1614, 3058]],
  [LOCK_WAIT, [1205]],
  [CERTIFICATION, [3101]],
  [STALE, [1243, 1615, 1412]],
  [PREPARED, [1461]],
  [TRANSIENT, [1206, 1613]],
  [['cancelled', 'discard', 'ifIdempotent', 'never'], [1317]],
  [CALLER, [1062, 1451, 1452, 1064, 1146, 1366, 1153, 1]],
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

  it.each([new Error('something'), new TypeError('x'), 'text', undefined, null, 5, {}])(
    '%p is never repeated',
    (error) => {
      expect(fateOf(error)).toEqual(CALLER);
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

  it('may wrap itself', () => {
    const error: Error & { cause?: unknown } = new Error('a');
    error.cause = error;
    expect(fateOf(error)).toEqual(CALLER);
  });

  it("is recognised also where it is of Node's own realm, as under Jest", () => {
    // Node's core makes its errors outside of Jest's context: `instanceof Error` is false there.
    const error = ((): unknown => {
      try {
        process.chdir('/does/not/exist');
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
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
