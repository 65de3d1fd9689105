import { RetryBudget } from '../../src/retry/budget';
import { serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';
import { ManualClock } from '../support/manual-clock';

afterEach(endAll);

/** Every statement fails for `seconds`, at so many calls a second; how many reached the server. */
async function brownOut(
  db: FakeDatabase,
  seconds: number,
  perSecond: number,
): Promise<{ calls: number; sent: number }> {
  db.driver.on(/UPDATE/, { error: serverError(1213) });
  const calls = [];
  for (let n = 0; n < seconds * perSecond; n++) {
    calls.push(watched(db.query('UPDATE')));
    await db.clock.advance(1000 / perSecond);
  }
  await db.clock.advance(10_000);
  expect(calls.every(({ state }) => state === 'rejected')).toBe(true);
  return { calls: calls.length, sent: db.driver.work.length };
}

const retry = { attempts: 3, minDelay: 1, maxDelay: 1 };

describe('a brown-out, in which every call fails', () => {
  it('is amplified by a tenth of the calls and ten a second, beside the hundred that were saved', async () => {
    const db = new FakeDatabase({ retry });
    const { calls, sent } = await brownOut(db, 10, 100);
    // 100 saved, 100 of the calls, 100 of the seconds.
    expect(calls).toBe(1000);
    expect(sent - calls).toBeGreaterThanOrEqual(290);
    expect(sent - calls).toBeLessThanOrEqual(305);
    expect(db.host.policy.repeats).toBe(sent - calls);
  });

  it('that lasts is amplified by no more than that, with nothing left of what was saved', async () => {
    const db = new FakeDatabase({ retry });
    await brownOut(db, 10, 100);
    const before = db.driver.work.length;
    const { calls, sent } = await brownOut(db, 10, 100);
    // The quiet time between the two has earned a hundred again.
    expect(sent - before - calls).toBeLessThanOrEqual(305);
    const share = new FakeDatabase({ retry: { ...retry, budget: 0.5 } });
    const wide = await brownOut(share, 10, 100);
    expect(wide.sent - wide.calls).toBeGreaterThanOrEqual(690);
    expect(wide.sent - wide.calls).toBeLessThanOrEqual(705);
  });

  it('is amplified threefold where budget is 0', async () => {
    const db = new FakeDatabase({ retry: { ...retry, budget: 0 } });
    expect(await brownOut(db, 5, 100)).toEqual({ calls: 500, sent: 1500 });
  });

  it('of few calls is not held back: ten retries a second are always allowed', async () => {
    const db = new FakeDatabase({ retry });
    expect(await brownOut(db, 60, 5)).toEqual({ calls: 300, sent: 900 });
  });

  it('a call that the budget refuses rejects with its own error, once made', async () => {
    const db = new FakeDatabase({ retry });
    await brownOut(db, 2, 1000);
    db.driver.on(/INSERT/, () => ({ error: serverError(1205) }));
    db.driver.sent.length = 0;
    // Ten seconds have earned a hundred; these use them up.
    const calls = Array.from({ length: 200 }, () => watched(db.query('INSERT')));
    await db.clock.advance(5);
    const once = calls.filter(({ reason }) => reason?.attempts === undefined);
    expect(once.length).toBeGreaterThan(50);
    for (const { reason } of once) expect(reason.errno).toBe(1205);
  });
});

describe('transactions', () => {
  it('that are run again use the same budget', async () => {
    const db = new FakeDatabase({ retry });
    db.driver.on(/UPDATE/, () => ({ error: serverError(1213) }));
    let runs = 0;
    for (let n = 0; n < 200; n++) {
      const call = watched(
        db.atomic(
          (tx) => {
            runs++;
            return tx.query('UPDATE');
          },
          { retries: 9 },
        ),
      );
      await db.clock.advance(10);
      expect(call.state).toBe('rejected');
    }
    // A hundred saved, twenty of 2 s, and a tenth of what was begun.
    expect(runs - 200).toBeGreaterThanOrEqual(130);
    expect(runs - 200).toBeLessThanOrEqual(160);
  });
});

describe('the budget', () => {
  const spendAll = (budget: RetryBudget): number => {
    let spent = 0;
    while (spent < 1000 && budget.spend()) spent++;
    return spent;
  };

  it('saves a hundred at most, however long it is quiet and however many calls there were', async () => {
    const clock = new ManualClock();
    const budget = new RetryBudget(clock, 0.1);
    expect(spendAll(budget)).toBe(100);
    await clock.advance(3_600_000);
    for (let n = 0; n < 100_000; n++) budget.noteCall();
    expect(spendAll(budget)).toBe(100);
  });

  it('grows by ten a second and by its share of the calls, in fractions too', async () => {
    const clock = new ManualClock();
    const budget = new RetryBudget(clock, 0.25);
    spendAll(budget);
    await clock.advance(250);
    for (let n = 0; n < 6; n++) budget.noteCall();
    // 2.5 of the time, 1.5 of the calls.
    expect(spendAll(budget)).toBe(4);
    await clock.advance(60);
    expect(budget.spend()).toBe(false);
    await clock.advance(40);
    expect(budget.spend()).toBe(true);
  });

  it('0 is none', () => {
    expect(spendAll(new RetryBudget(new ManualClock(), 0))).toBe(1000);
  });
});
