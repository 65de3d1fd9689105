import { createLogger, errorFields, silentLogger } from '../../src/logger';
import { deferred } from '../support/deferred';
import { breaks, codeError, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection } from '../support/fixture';

afterEach(endAll);
afterEach(() => jest.restoreAllMocks());

const SECRET = 's3cr3t';

describe('logging', () => {
  it('is silent by default', () => {
    const write = jest.spyOn(process.stdout, 'write');
    const logger = createLogger('silent');
    for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level]({}, 'text');
    expect(logger).toBe(silentLogger);
    expect(write).not.toHaveBeenCalled();
  });

  it('writes from its level upwards', () => {
    expect(createLogger('warn')).toMatchObject({ level: 'warn' });
  });

  it('never carries a value, whatever goes wrong', async () => {
    const db = new FakeDatabase({ slowStatement: 1, slowAcquire: 1, acquireTimeout: 500 });
    const gate = deferred();
    db.driver.once(/SLOW/, { until: gate.promise });
    const slow = db.query(`SELECT '${SECRET}', SLOW`);
    await db.clock.advance(100);
    gate.resolve();
    await slow;
    db.driver.on(/REFUSED/, { error: serverError(1062, `Duplicate entry '${SECRET}'`) });
    await rejection(db.query(`REFUSED '${SECRET}'`));
    await rejection(db.atomic((tx) => tx.query(`REFUSED '${SECRET}'`)));
    db.driver.once(/LOST/, breaks(codeError('ECONNRESET', { sql: SECRET })));
    await rejection(db.query(`LOST '${SECRET}'`));
    db.driver.everyConnect = () => Promise.reject(new Error(`no way for ${SECRET}`));
    const none = rejection(db.pool.acquire());
    await db.clock.advance(500);
    await none;
    const messages = db.logger.lines.map(({ message }) => message);
    expect(messages).toEqual(
      expect.arrayContaining([
        'slow statement',
        'connection lost',
        'connect failed',
        'no connection within the deadline',
        'slow acquire',
      ]),
    );
    expect(JSON.stringify(db.logger.lines)).not.toContain(SECRET);
  });

  it('tells of slow statements by their normalised text and the pool’s numbers', async () => {
    const db = new FakeDatabase({ slowStatement: 100 });
    const gate = deferred();
    db.driver.on(/t WHERE/, { until: gate.promise });
    const statement = db.query("SELECT * FROM t WHERE a = 'x' AND b IN (1, 2)");
    await db.clock.advance(150);
    gate.resolve();
    await statement;
    await db.query('SELECT 2');
    expect(db.logger.of(/^slow statement$/)).toEqual([
      {
        level: 'warn',
        message: 'slow statement',
        fields: {
          total: 1,
          active: 1,
          idle: 0,
          waiting: 0,
          elapsed: 150,
          sql: 'SELECT * FROM t WHERE a = ? AND b IN (?, …)',
        },
      },
    ]);
  });

  it.each([
    [100, 1],
    [101, 0],
    [0, 0],
  ])('tells with slowAcquire %d of an acquire that took 100 ms: %d times', async (limit, times) => {
    const db = new FakeDatabase({ connectionLimit: 1, slowAcquire: limit });
    const [lease] = await db.take(1);
    const waiting = db.pool.acquire();
    await db.clock.advance(100);
    await lease!.giveBack();
    await waiting;
    expect(db.logger.of(/^slow acquire$/)).toHaveLength(times);
  });

  it('tells nothing of slow statements where slowStatement is 0', async () => {
    const db = new FakeDatabase({ slowStatement: 0 });
    const gate = deferred();
    db.driver.on(/SLOW/, { until: gate.promise });
    const statement = db.query('SLOW');
    await db.clock.advance(100_000);
    gate.resolve();
    await statement;
    expect(db.logger.of(/^slow statement$/)).toEqual([]);
  });
});

it.each([
  [serverError(1062, SECRET), { errorType: 'Error', errorCode: 'ER_1062', errorNumber: 1062 }],
  [codeError('EPIPE'), { errorType: 'Error', errorCode: 'EPIPE' }],
  [new TypeError(SECRET), { errorType: 'TypeError' }],
  [Object.assign(new Error('x'), { code: 5, errno: SECRET }), { errorType: 'Error' }],
  [SECRET, { errorType: 'string' }],
  [undefined, { errorType: 'undefined' }],
])('errorFields(%p) are type, code and number alone', (error, fields) => {
  expect(errorFields(error)).toEqual(fields);
});
