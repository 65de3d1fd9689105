import { systemClock } from '../../src/clock';
import { serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';

afterEach(endAll);
afterEach(() => jest.restoreAllMocks());

const options = { retry: { minDelay: 1, maxDelay: 1 } };

describe('a transaction that is run again', () => {
  const failing = (db: FakeDatabase, make: () => Error): void =>
    db.driver.on(/UPDATE/, () => ({ error: make() }));

  it('has one time limit for all its attempts and the pauses between them', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    const db = new FakeDatabase({ retry: { minDelay: 1000, maxDelay: 1000 } });
    // The time of limits is the system's; here it is the manual clock's too.
    jest.spyOn(systemClock, 'now').mockImplementation(() => db.clock.now());
    jest
      .spyOn(systemClock, 'setDeadline')
      .mockImplementation((callback, delay) => db.clock.setDeadline(callback, delay));
    failing(db, () => serverError(1213));
    let runs = 0;
    const outcome = watched(
      db.atomic(
        (tx) => {
          runs++;
          return tx.query('UPDATE');
        },
        { retries: 9, timeout: 40 },
      ),
    );
    await db.clock.advance(39);
    expect([outcome.state, runs]).toEqual(['pending', 1]);
    await db.clock.advance(1);
    expect(outcome.reason).toMatchObject({
      code: 'ERR_TRANSACTION_TIMEOUT',
      cause: { errno: 1213 },
    });
    expect(runs).toBe(1);
  });

  it('is not begun again once its signal is aborted', async () => {
    const db = new FakeDatabase({ retry: { minDelay: 1000, maxDelay: 1000 } });
    failing(db, () => serverError(1213));
    const controller = new AbortController();
    const outcome = watched(
      db.atomic((tx) => tx.query('UPDATE'), { retries: 3, signal: controller.signal }),
    );
    await db.clock.advance(0);
    expect(outcome.state).toBe('pending');
    controller.abort(new Error('no more'));
    await db.clock.advance(0);
    expect(outcome.reason).toMatchObject({ code: 'ERR_STATEMENT_ABORTED' });
    expect(db.driver.work).toEqual(['1 BEGIN', '1 UPDATE', '1 ROLLBACK']);
  });

  it.each([
    [
      '1213',
      () => serverError(1213),
      ['1 BEGIN', '1 UPDATE', '1 ROLLBACK', '1 BEGIN', '1 UPDATE', '1 COMMIT'],
    ],
    [
      '1206',
      () => serverError(1206),
      ['1 BEGIN', '1 UPDATE', '1 ROLLBACK', '1 BEGIN', '1 UPDATE', '1 COMMIT'],
    ],
    [
      '1412',
      () => serverError(1412),
      ['1 BEGIN', '1 UPDATE', '1 ROLLBACK', '1 BEGIN', '1 UPDATE', '1 COMMIT'],
    ],
  ])('after %s on the same connection, which was rolled back', async (_, make, work) => {
    const db = new FakeDatabase(options);
    db.driver.once(/UPDATE/, () => ({ error: make() }));
    const outcome = watched(db.atomic((tx) => tx.query('UPDATE'), { retries: 1 }));
    await db.clock.advance(10);
    expect([outcome.state, db.driver.work]).toEqual(['fulfilled', work]);
  });

  it('after a COMMIT that the server refused for a conflict', async () => {
    const db = new FakeDatabase(options);
    db.driver.once(/COMMIT/, () => ({ error: serverError(1213) }));
    const outcome = watched(db.atomic((tx) => tx.query('UPDATE'), { retries: 1 }));
    await db.clock.advance(10);
    expect(outcome.state).toBe('fulfilled');
    expect(db.driver.work.filter((line) => line.endsWith('COMMIT'))).toHaveLength(2);
  });
});
