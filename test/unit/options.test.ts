import { DRIVER_RULES } from '../../src/driver-options';
import { ConfigurationError } from '../../src/errors';
import { resolveOptions, type DatabaseOptions } from '../../src/options';
import { silentLogger } from '../../src/logger';

/** The error of options that are refused. */
function refusal(options: unknown): ConfigurationError {
  try {
    resolveOptions(options as DatabaseOptions);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('the options were taken');
}

const WRONG_NUMBERS = [-1, NaN, Infinity, -Infinity, '5', '', null, true, [], {}, 5n, () => 5];
const WHOLE = [...WRONG_NUMBERS, 1.5, 2 ** 53];
const FLAGS = [0, 1, 'true', 'yes', null, [], {}];
const TEXTS = [0, 1, true, null, [], {}, Buffer.from('x')];
const RECORDS = [0, true, null, [], () => {}];

/** Every option with what it must refuse. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  connectionLimit: [...WHOLE, 0],
  minIdle: WHOLE,
  maxIdle: WHOLE,
  idleTimeout: WRONG_NUMBERS,
  acquireTimeout: WRONG_NUMBERS,
  connectTimeout: WRONG_NUMBERS,
  queueLimit: WHOLE,
  waitForConnections: FLAGS,
  resetOnRelease: [true, false, 'sometimes', '', null, 1],
  initSql: [1, null, {}, ['SELECT 1', 2], [null]],
  maxLifetime: WRONG_NUMBERS,
  keepaliveInterval: WRONG_NUMBERS,
  validateAfter: WRONG_NUMBERS,
  leakDetectionThreshold: WRONG_NUMBERS,
  selfDeadlock: [true, 'hope', '', null, 1],
  slowStatement: WRONG_NUMBERS,
  slowAcquire: WRONG_NUMBERS,
  logLevel: ['loud', 'INFO', 1, null, true],
  logger: [null, 1, 'pino', {}, { info: () => {} }, { ...silentLogger, warn: 'x' }],
  retry: [...RECORDS, 'x'],
  host: TEXTS,
  port: [...WHOLE, 0, 65_536],
  user: TEXTS,
  password: TEXTS,
  password1: TEXTS,
  password2: TEXTS,
  password3: TEXTS,
  passwordSha1: TEXTS,
  database: TEXTS,
  socketPath: TEXTS,
  localAddress: TEXTS,
  charset: TEXTS,
  timezone: [0, null, 'UTC', 'Europe/Berlin', '+2', '02:00'],
  ssl: [0, true, null, []],
  compress: FLAGS,
  connectAttributes: [...RECORDS, 'x'],
  decimalNumbers: FLAGS,
  dateStrings: [0, 'DATE', null, {}, [1]],
  supportBigNumbers: FLAGS,
  bigNumberStrings: FLAGS,
  stringifyObjects: FLAGS,
  jsonStrings: FLAGS,
  typeCast: [0, 'x', null, {}],
  rowsAsArray: FLAGS,
  nestTables: [0, null, {}, []],
  disableEval: FLAGS,
  insecureAuth: FLAGS,
  enableCleartextPlugin: FLAGS,
  authPlugins: [...RECORDS, 'x'],
  infileStreamFactory: [0, 'x', null, {}, true],
  enableKeepAlive: FLAGS,
  keepAliveInitialDelay: WRONG_NUMBERS,
  flags: ['-LOCAL_FILES', 1, null, {}, [1]],
  maxPreparedStatements: [...WHOLE, 0],
  trace: FLAGS,
};

const wrongPairs = Object.entries(WRONG).flatMap(([name, values]) =>
  values.map((value): [string, unknown] => [name, value]),
);

describe('options of a wrong type or value', () => {
  it.each(wrongPairs)('%s: %p is refused by its name', (name, value) => {
    const error = refusal({ [name]: value });
    expect(error.option).toBe(name);
    expect(error.message).toMatch(new RegExp(`^Option '${name}': must `));
  });

  it('covers every option there is', () => {
    const { pool, log } = resolveOptions({});
    const known = [
      ...Object.keys(DRIVER_RULES),
      ...Object.keys(pool),
      ...Object.keys(log),
      'retry',
    ];
    expect(Object.keys(WRONG).sort()).toEqual(known.sort());
  });

  it.each(
    ['attempts', 'minDelay', 'maxDelay'].flatMap((name) =>
      [-1, NaN, '5', null].map((value): [string, unknown] => [name, value]),
    ),
  )('retry.%s: %p is refused by its name', (name, value) => {
    expect(refusal({ retry: { [name]: value } }).option).toBe(`retry.${name}`);
  });

  it.each([null, 0, true, [], () => {}])('no options at all: %p', (options) => {
    expect(refusal(options).option).toBe('options');
  });

  it.each([0, {}, null])('uri: %p', (uri) => {
    expect(refusal({ uri }).option).toBe('uri');
  });
});

describe('options that do not fit each other', () => {
  it.each([
    [{ connectionLimit: 2, maxIdle: 3 }, 'maxIdle', /connectionLimit \(2\), got 3/],
    [{ connectionLimit: 2, minIdle: 3 }, 'minIdle', /maxIdle \(2\), got 3/],
    [{ minIdle: 2, maxIdle: 1 }, 'minIdle', /maxIdle \(1\), got 2/],
    [{ retry: { minDelay: 2, maxDelay: 1 } }, 'retry.minDelay', /maxDelay \(1\), got 2/],
  ])('%p names %s and both numbers', (options, name, text) => {
    const error = refusal(options);
    expect(error.option).toBe(name);
    expect(error.message).toMatch(text);
  });
});

describe('options that are never silently ignored', () => {
  it.each([
    'conectionLimit',
    'acquiretimeout',
    '__proto__x',
    'toString',
    'constructor',
    'attempts',
  ])('an unknown one: %s', (name) => {
    const error = refusal(JSON.parse(`{ "${name}": 1 }`));
    expect([error.option, error.message]).toEqual([
      name,
      `Option '${name}': is not an option of this library`,
    ]);
  });

  it('an unknown one of retry', () => {
    expect(refusal({ retry: { retries: 3 } }).option).toBe('retry.retries');
  });

  it.each([
    ['multipleStatements', true, /transaction guard/],
    ['flags', ['-FOUND_ROWS'], /-FOUND_ROWS is refused/],
    ['flags', ['-found_rows'], /-found_rows is refused/],
    ['flags', ['-SESSION_TRACK'], /refused/],
    ['flags', ['-TRANSACTIONS'], /refused/],
    ['flags', ['LOCAL_FILES', '+MULTI_STATEMENTS'], /refused/],
    ['resetOnRelease', true, /"dirty", "always", "never"/],
    ['resetOnRelease', false, /"dirty", "always", "never"/],
    ['stream', () => {}, /owns its sockets/],
    ['debug', true, /prints packets/],
  ])('%s: %p is refused with the reason', (name, value, reason) => {
    const error = refusal({ [name]: value });
    expect(error.option).toBe(name);
    expect(error.message).toMatch(reason);
  });

  it('takes multipleStatements: false, and undefined for any option', () => {
    expect(() => resolveOptions({ multipleStatements: false } as DatabaseOptions)).not.toThrow();
    const given = { maxLifetime: undefined, connectionLimit: undefined } as unknown;
    expect(resolveOptions(given as DatabaseOptions).pool.connectionLimit).toBe(10);
  });
});

describe('defaults', () => {
  it('are those that are documented', () => {
    const { pool, retry, statement, log, driver } = resolveOptions({});
    expect(pool).toEqual({
      connectionLimit: 10,
      minIdle: 0,
      maxIdle: 10,
      idleTimeout: 60_000,
      acquireTimeout: 10_000,
      connectTimeout: 10_000,
      queueLimit: 0,
      waitForConnections: true,
      resetOnRelease: 'dirty',
      initSql: [],
      maxLifetime: 1_800_000,
      keepaliveInterval: 120_000,
      validateAfter: 500,
      leakDetectionThreshold: 0,
      selfDeadlock: 'wait',
    });
    expect(retry).toEqual({
      attempts: 3,
      minDelay: 50,
      maxDelay: 1000,
      budget: 0.1,
      assumeReadsIdempotent: false,
    });
    expect(statement).toEqual({ timeout: 0, namedPlaceholders: false });
    expect(log).toEqual({
      logger: undefined,
      logLevel: 'silent',
      slowStatement: 1000,
      slowAcquire: 1000,
    });
    expect(driver).toEqual({ maxPreparedStatements: 250, trace: false });
  });

  it('maxIdle is connectionLimit where it is not given', () => {
    expect(resolveOptions({ connectionLimit: 3 }).pool.maxIdle).toBe(3);
  });

  it.each([[0], [0.5], [123_456_789]])('takes %d ms: there is no hidden floor', (ms) => {
    const { pool } = resolveOptions({ acquireTimeout: ms, idleTimeout: ms, connectTimeout: ms });
    expect([pool.acquireTimeout, pool.idleTimeout, pool.connectTimeout]).toEqual([ms, ms, ms]);
  });
});

describe('resolved options', () => {
  it('are frozen on every level', () => {
    const resolved = resolveOptions({ initSql: 'SELECT 1' });
    const parts = [resolved, resolved.pool, resolved.retry, resolved.log, resolved.driver];
    expect(parts.every(Object.isFrozen)).toBe(true);
    expect(Object.isFrozen(resolved.pool.initSql)).toBe(true);
  });

  it('do not change with the object they were made of', () => {
    const given = { connectionLimit: 5, initSql: ['SELECT 1'], retry: { attempts: 2 } };
    const resolved = resolveOptions(given);
    given.connectionLimit = 6;
    given.initSql.push('SELECT 2');
    given.retry.attempts = 9;
    expect(resolved.pool.connectionLimit).toBe(5);
    expect(resolved.pool.initSql).toEqual(['SELECT 1']);
    expect(resolved.retry.attempts).toBe(2);
  });
});
