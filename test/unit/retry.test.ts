import { PoolExhaustedError } from '../../src/errors';
import { RetryPolicy } from '../../src/retry/policy';
import type { ErrorClass } from '../../src/driver/error-class';
import { retryAfter, type Repetition } from '../../src/retry/retry';
import { breaks, codeError, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { ManualClock } from '../support/manual-clock';
import { RecordingLogger } from '../support/recording-logger';

afterEach(endAll);
afterEach(() => jest.restoreAllMocks());

const clock = new ManualClock();
const logger = new RecordingLogger();
const policyOf = (attempts: number, minDelay = 50, maxDelay = 1000): RetryPolicy => {
  const options = { attempts, minDelay, maxDelay, budget: 0, assumeReadsIdempotent: false };
  return new RetryPolicy(options, 10_000, clock, logger);
};
const SAFE: ErrorClass = {
  name: 'safe',
  connection: 'keep',
  statement: 'safe',
  transaction: 'restart',
  commit: 'refused',
  says: '',
};
type Classing = Pick<Repetition<unknown>, 'classOf'>;
const always: Classing = { classOf: () => SAFE };

/** As callers use it: one attempt of their own, then what retrying makes of its failure. */
function retrying<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  classing: Classing,
): Promise<T> {
  return attempt().catch((error: unknown) =>
    retryAfter(error, policy, { what: 'statement', attempt, ...classing }),
  );
}

/** Fails so many times, each time with another error, then succeeds. */
function failing(times: number): { attempt: () => Promise<string>; made: () => number } {
  let made = 0;
  const attempt = async (): Promise<string> => {
    made++;
    if (made <= times) throw Object.assign(new Error(`failure ${made}`), { errno: made });
    return 'done';
  };
  return { attempt, made: () => made };
}

describe('retrying', () => {
  it('runs once where it succeeds', async () => {
    const { attempt, made } = failing(0);
    expect([await retrying(attempt, policyOf(3), always), made()]).toEqual(['done', 1]);
  });

  it.each([2, 3, 5])('runs %d times at most, and rejects with the last error', async (attempts) => {
    const { attempt, made } = failing(Infinity);
    const outcome = watched(retrying(attempt, policyOf(attempts), always));
    await clock.advance(60_000);
    expect(made()).toBe(attempts);
    expect(outcome.reason).toMatchObject({ message: `failure ${attempts}`, attempts });
  });

  it('runs once where attempts is 1, and the error bears no attempts', async () => {
    const { attempt, made } = failing(Infinity);
    const error = await rejection(retrying(attempt, policyOf(1), always));
    expect([made(), 'attempts' in error]).toEqual([1, false]);
  });

  it('succeeds at the last attempt', async () => {
    const { attempt } = failing(2);
    const outcome = retrying(attempt, policyOf(3), always);
    await clock.advance(60_000);
    expect(await outcome).toBe('done');
  });

  it('asks once for each failed attempt, and stops at the first no', async () => {
    const { attempt, made } = failing(Infinity);
    const asked: number[] = [];
    const hooks: Classing = {
      classOf: (error) => {
        asked.push((error as { errno: number }).errno);
        return asked.length < 3 ? SAFE : undefined;
      },
    };
    const policy = policyOf(10);
    const outcome = watched(retrying(attempt, policy, hooks));
    await clock.advance(60_000);
    expect([asked, policy.repeats, made()]).toEqual([[1, 2, 3], 2, 3]);
    expect(outcome.reason).toMatchObject({ message: 'failure 3', attempts: 3 });
  });

  it('hands over the very error, be it of another realm or no error at all', async () => {
    for (const reason of ['text', { errno: 5 }, new TypeError('mine')]) {
      const outcome = watched(retrying(() => Promise.reject(reason), policyOf(2), always));
      await clock.advance(1000);
      expect(outcome.reason).toBe(reason);
    }
  });

  it('waits between attempts at most minDelay, doubled each time, at most maxDelay', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    const { attempt } = failing(Infinity);
    const begun: number[] = [];
    const outcome = watched(
      retrying(
        () => {
          begun.push(clock.now());
          return attempt();
        },
        policyOf(6, 50, 300),
        always,
      ),
    );
    await clock.advance(60_000);
    expect(begun.slice(1).map((at, i) => at - begun[i]!)).toEqual([50, 100, 200, 300, 300]);
    expect(outcome.state).toBe('rejected');
  });

  it.each([
    [0, 0],
    [0.5, 25],
    [0.999, 49.95],
  ])('waits a random part of that: %d of 50 ms is %d', async (random, delay) => {
    jest.spyOn(Math, 'random').mockReturnValue(random);
    const outcome = watched(retrying(failing(1).attempt, policyOf(2), always));
    await clock.advance(0);
    if (delay > 0) expect(clock.dueIn.map((due) => Math.round(due * 100) / 100)).toEqual([delay]);
    await clock.advance(delay);
    expect(outcome.state).toBe('fulfilled');
  });
});

describe('a statement outside of transactions', () => {
  const deadlock = serverError(1213);

  it('is repeated after an error that had no effect, and logged as such without its text', async () => {
    const db = new FakeDatabase();
    db.driver.once(/UPDATE/, { error: deadlock });
    const outcome = watched(db.query("UPDATE t SET a = 'secret'"));
    await db.clock.advance(1000);
    expect(outcome.state).toBe('fulfilled');
    expect(db.driver.work).toHaveLength(2);
    const [line] = db.logger.of(/^statement repeated$/);
    expect(line).toEqual({
      level: 'warn',
      message: 'statement repeated',
      fields: {
        class: 'deadlock',
        attempt: 1,
        errorType: 'Error',
        errorCode: 'ER_1213',
        errorNumber: 1213,
      },
    });
  });

  it('rejects with the driver’s own error, which bears the number of attempts', async () => {
    const db = new FakeDatabase({ retry: { attempts: 4 } });
    db.driver.on(/UPDATE/, { error: deadlock });
    const outcome = watched(db.query('UPDATE'));
    await db.clock.advance(10_000);
    expect(outcome.reason).toBe(deadlock);
    expect([outcome.reason.attempts, db.driver.work]).toEqual([4, Array(4).fill('1 UPDATE')]);
  });

  it.each([
    ['a duplicate key', serverError(1062)],
    ['a syntax error', serverError(1064)],
    ['a cancelled statement', serverError(1317)],
    ["the caller's own TypeError", new TypeError('mine')],
  ])('is run once after %s', async (_what, error) => {
    const db = new FakeDatabase();
    db.driver.on(/UPDATE/, { error });
    const outcome = watched(db.query('UPDATE'));
    await db.clock.advance(10_000);
    expect([outcome.reason, db.driver.work]).toEqual([error, ['1 UPDATE']]);
    expect('attempts' in error).toBe(false);
  });

  it('is run once after a connection that was lost when it was sent', async () => {
    const db = new FakeDatabase();
    db.driver.on(/INSERT/, breaks());
    const outcome = watched(db.query('INSERT'));
    await db.clock.advance(10_000);
    expect(outcome.reason.code).toBe('ECONNRESET');
    expect([db.driver.work, db.numbers]).toEqual([['1 INSERT'], [0, 0, 0, 0]]);
  });

  it('is repeated on another connection where the caller declared it idempotent', async () => {
    const db = new FakeDatabase();
    db.driver.once(/INSERT/, breaks());
    const outcome = watched(db.query({ sql: 'INSERT', idempotent: true }));
    await db.clock.advance(10_000);
    expect([outcome.state, db.driver.work]).toEqual(['fulfilled', ['1 INSERT', '2 INSERT']]);
  });

  it('is repeated where it was certainly never sent', async () => {
    const db = new FakeDatabase();
    db.driver.once(/INSERT/, { ...breaks(), unsent: true });
    const outcome = watched(db.query('INSERT'));
    await db.clock.advance(10_000);
    expect([outcome.state, db.driver.work]).toEqual(['fulfilled', ['2 INSERT']]);
  });

  it('is repeated on a connection that was idle and is dead', async () => {
    const db = new FakeDatabase();
    await db.fill(1);
    // Dead, and nobody was told.
    db.driver.latest.destroy(codeError('ECONNRESET'));
    const outcome = watched(db.query('INSERT'));
    await db.clock.advance(10_000);
    expect([outcome.state, db.driver.work]).toEqual(['fulfilled', ['2 INSERT']]);
  });

  it('is not repeated for want of a connection: that waited long enough', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 100 });
    await db.take(1);
    const outcome = watched(db.query('INSERT'));
    await db.clock.advance(100);
    expect(outcome.reason).toBeInstanceOf(PoolExhaustedError);
    expect('attempts' in outcome.reason).toBe(false);
  });

  it.each([
    ['an answer of the server', serverError(1062), [1, 0, 1, 0]],
    ['a cancelled statement', serverError(1317), [0, 0, 0, 0]],
    ['an error of the protocol', codeError('PROTOCOL_ERROR'), [0, 0, 0, 0]],
    ['shutdown', serverError(1053), [0, 0, 0, 0]],
  ])('leaves after %s the connection as it has to', async (_what, error, numbers) => {
    const db = new FakeDatabase({ retry: { attempts: 1 } });
    db.driver.on(/UPDATE/, { error });
    expect(await rejection(db.query('UPDATE'))).toBe(error);
    expect(db.numbers).toEqual(numbers);
  });
});
