import { RetryBudget } from '../../src/retry/budget';
import { ManualClock } from '../support/manual-clock';

const SAVED = 100;

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** How many retries in a row are granted, of so many asked for. */
function granted(budget: RetryBudget, asked = 1000): number {
  return Array.from({ length: asked }, () => budget.spend()).filter(Boolean).length;
}

function calls(budget: RetryBudget, count: number): void {
  for (let call = 0; call < count; call++) budget.noteCall();
}

describe('the retry budget', () => {
  it('has something saved at first, and no more', () => {
    expect(granted(new RetryBudget(clock, 0.1))).toBe(SAVED);
  });

  it('is filled by calls, in proportion', () => {
    const budget = new RetryBudget(clock, 0.1);
    granted(budget);
    calls(budget, 500);
    expect(granted(budget)).toBe(50);
    expect(granted(budget)).toBe(0);
  });

  it('a half earned retry is kept, not granted', () => {
    const budget = new RetryBudget(clock, 0.5);
    granted(budget);
    calls(budget, 1);
    expect(granted(budget, 1)).toBe(0);
    calls(budget, 1);
    expect(granted(budget)).toBe(1);
  });

  it('is filled by time as well, so that a quiet program may always repeat', async () => {
    const budget = new RetryBudget(clock, 0.1);
    granted(budget);
    await clock.advance(99);
    expect(budget.spend()).toBe(false);
    await clock.advance(1);
    expect(budget.spend()).toBe(true);
    expect(budget.spend()).toBe(false);
    await clock.advance(2000);
    expect(granted(budget)).toBe(20);
  });

  it('saves up no more than it had at first, however long it rests', async () => {
    const budget = new RetryBudget(clock, 0.1);
    calls(budget, 1_000_000);
    await clock.advance(3_600_000);
    expect(granted(budget)).toBe(SAVED);
  });

  it('a share of 0 is no bound', () => {
    expect(granted(new RetryBudget(clock, 0), 5000)).toBe(5000);
  });
});
