import { getEventListeners } from 'node:events';
import {
  InvalidArgumentError,
  StatementAbortedError,
  StatementTimeoutError,
  TransactionTimeoutError,
} from '../../src/errors';
import { Limit, checkBounds, raced, type Bounds, type LimitSubject } from '../../src/limit';
import { deferred } from '../support/deferred';
import { never } from '../support/fake-driver';
import { rejection, watched } from '../support/fixture';
import { ManualClock, settled } from '../support/manual-clock';

/** A clock whose timers are late: the program is busy. */
class LateClock extends ManualClock {
  busyFor = 0;

  override now(): number {
    return super.now() + this.busyFor;
  }
}

const STATEMENT: LimitSubject = { kind: 'statement' };

let clock: LateClock;
let aborter: AbortController;
beforeEach(() => {
  clock = new LateClock();
  aborter = new AbortController();
});

function limit(bounds: Bounds, subject = STATEMENT, outer?: Limit): Limit {
  return new Limit(clock, subject, bounds, outer);
}

/** What is left of a limit: timers, listeners on the signal. */
function leftovers(): [number, number] {
  return [clock.openTimers, getEventListeners(aborter.signal, 'abort').length];
}

describe('a limit', () => {
  it('is hit at its time, tells each listener once, and leaves nothing behind', async () => {
    const { signal } = aborter;
    const one = limit({ timeout: 100, signal });
    let heard = 0;
    one.onHit(() => heard++);
    one.onHit(() => heard++)();
    await clock.advance(99);
    expect([one.hit, heard, ...leftovers()]).toEqual([false, 0, 1, 1]);
    await clock.advance(1);
    expect([one.hit, heard, ...leftovers()]).toEqual([true, 1, 0, 0]);
    aborter.abort();
    expect([heard, one.error('unknown')]).toEqual([1, expect.any(StatementTimeoutError)]);
  });

  it('is hit by its signal, whose reason is the cause', async () => {
    const reason = new Error('the browser is gone');
    const one = limit({ timeout: 100, signal: aborter.signal });
    aborter.abort(reason);
    expect([one.hit, ...leftovers()]).toEqual([true, 0, 0]);
    const error = one.error('unknown');
    expect(error).toBeInstanceOf(StatementAbortedError);
    expect(error).toMatchObject({ cause: reason, outcome: 'unknown' });
    await clock.advance(100);
    expect(one.error('unknown')).toBeInstanceOf(StatementAbortedError);
  });

  it('whose signal was aborted before is hit from the beginning', () => {
    const one = limit({ timeout: 100, signal: AbortSignal.abort() });
    expect([one.hit, clock.openTimers]).toEqual([true, 0]);
    expect(one.error('notExecuted')).toBeInstanceOf(StatementAbortedError);
  });

  it('that is over is not hit any more, and leaves nothing behind', async () => {
    const one = limit({ timeout: 100, signal: aborter.signal });
    let heard = 0;
    one.onHit(() => heard++);
    one.end();
    expect(leftovers()).toEqual([0, 0]);
    aborter.abort();
    await clock.advance(200);
    expect([one.hit, heard]).toEqual([false, 0]);
  });

  it('is hit when its time has passed, also where the program was too busy for the timer', () => {
    const one = limit({ timeout: 100 });
    let heard = 0;
    one.onHit(() => heard++);
    clock.busyFor = 99;
    expect([one.hit, heard]).toEqual([false, 0]);
    clock.busyFor = 100;
    expect([one.hit, heard, clock.openTimers]).toEqual([true, 1, 0]);
    expect(one.error('unknown')).toBeInstanceOf(StatementTimeoutError);
  });

  it('has a signal that is aborted with it, made before or after', async () => {
    const one = limit({ timeout: 100 });
    const early = one.signal;
    expect(early.aborted).toBe(false);
    await clock.advance(100);
    expect(early.aborted).toBe(true);
    expect(early.reason).toBeInstanceOf(StatementTimeoutError);
    const late = limit({ signal: AbortSignal.abort() });
    expect(late.signal.aborted).toBe(true);
  });

  it('says whose time passed, by label, and what became of the statement', async () => {
    const one = limit({ timeout: 100 }, { kind: 'statement', label: 'report' });
    await clock.advance(100);
    const cause = new Error('killed');
    expect(one.error('executed', cause)).toMatchObject({
      message: expect.stringContaining("100 ms of this statement 'report'") as string,
      outcome: 'executed',
      cause,
    });
  });

  it('bounds that are none are refused', () => {
    for (const timeout of [-1, NaN, Infinity, '5' as never]) {
      expect(() => checkBounds({ timeout })).toThrow(InvalidArgumentError);
    }
    expect(() => checkBounds({ signal: {} as AbortSignal })).toThrow(InvalidArgumentError);
    checkBounds({ timeout: 0, signal: aborter.signal });
  });
});

describe('a limit inside another', () => {
  const scope = (bounds: Bounds): Limit => limit(bounds, { kind: 'scope', label: 'around' });

  it('that bounds nothing is the other itself', () => {
    const outer = scope({ timeout: 100 });
    expect(Limit.within(outer, clock, STATEMENT, {})).toBe(outer);
    expect(Limit.within(outer, clock, STATEMENT, { timeout: 0 })).toBe(outer);
    expect(Limit.within(undefined, clock, STATEMENT, {})).toBeUndefined();
    outer.end();
  });

  it('is hit with the other, whose error it gives', async () => {
    const outer = scope({ timeout: 100 });
    const inner = limit({ timeout: 200 }, STATEMENT, outer);
    expect(inner.deadline).toBe(100);
    let heard = 0;
    inner.onHit(() => heard++);
    await clock.advance(100);
    expect([inner.hit, heard, clock.openTimers]).toEqual([true, 1, 0]);
    expect(inner.error('unknown').message).toContain("100 ms of this scope 'around'");
  });

  it('is hit before the other without it', async () => {
    const outer = scope({ timeout: 200 });
    const inner = limit({ timeout: 100 }, STATEMENT, outer);
    await clock.advance(100);
    expect([inner.hit, outer.hit]).toEqual([true, false]);
    expect(inner.error('unknown').message).toContain('100 ms of this statement');
    // The first hit counts, whatever follows.
    await clock.advance(100);
    expect([outer.hit, clock.openTimers]).toEqual([true, 0]);
    expect(inner.error('unknown').message).toContain('100 ms of this statement');
  });

  it('of one that was hit is hit from the beginning', async () => {
    const outer = scope({ timeout: 100 });
    await clock.advance(100);
    const inner = limit({ timeout: 500 }, STATEMENT, outer);
    expect([inner.hit, clock.openTimers]).toEqual([true, 0]);
    expect(inner.error('notExecuted').message).toContain("scope 'around'");
  });

  it('an abort of the other is told as such', () => {
    const outer = scope({ signal: aborter.signal });
    const inner = limit({ timeout: 100 }, STATEMENT, outer);
    aborter.abort();
    expect(inner.error('unknown')).toBeInstanceOf(StatementAbortedError);
    expect(inner.error('unknown').message).toContain("signal of this scope 'around'");
    expect(leftovers()).toEqual([0, 0]);
  });

  it('while the program is busy, the other’s time counts as well', () => {
    const outer = scope({ timeout: 100 });
    const inner = limit({ timeout: 500 }, STATEMENT, outer);
    clock.busyFor = 150;
    expect([inner.hit, clock.openTimers]).toEqual([true, 0]);
    expect(inner.error('unknown').message).toContain("100 ms of this scope 'around'");
  });

  it('while the program is busy, of two times that passed the other’s counts: all of it is over', () => {
    const outer = limit({ timeout: 500 }, { kind: 'transaction' });
    const inner = limit({ timeout: 100 }, STATEMENT, outer);
    clock.busyFor = 600;
    expect([inner.hit, outer.hit]).toEqual([true, true]);
    expect(inner.error('unknown')).toBeInstanceOf(TransactionTimeoutError);
    expect(clock.openTimers).toBe(0);
  });

  it('that ends leaves the other as it was', async () => {
    const outer = scope({ timeout: 100 });
    let heard = 0;
    outer.onHit(() => heard++);
    limit({ timeout: 50 }, STATEMENT, outer).end();
    expect(clock.openTimers).toBe(1);
    await clock.advance(100);
    expect(heard).toBe(1);
  });
});

describe('raced()', () => {
  const whole = (): Limit => limit({ timeout: 100, signal: aborter.signal }, { kind: 'scope' });

  it('gives what the work gives, where that comes first, and listens no longer', async () => {
    const one = whole();
    const onHit = jest.spyOn(one, 'onHit');
    expect(await raced(one, Promise.resolve('done'))).toBe('done');
    expect(await rejection(raced(one, Promise.reject(new Error('own'))))).toMatchObject({
      message: 'own',
    });
    expect(onHit).toHaveBeenCalledTimes(2);
    one.end();
    expect(leftovers()).toEqual([0, 0]);
    expect(await raced(undefined, Promise.resolve('free'))).toBe('free');
  });

  it('rejects when the limit is hit, though the work never ends', async () => {
    const race = watched(raced(whole(), never));
    await clock.advance(99);
    expect(race.state).toBe('pending');
    await clock.advance(1);
    await settled();
    expect(race.reason).toBeInstanceOf(StatementTimeoutError);
  });

  it('waits for what was stopped, also inside limits of its own', async () => {
    const one = whole();
    const inner = limit({ timeout: 500 }, STATEMENT, one);
    const stopped = deferred();
    inner.onHit(() => inner.stopping(stopped.promise));
    const race = watched(raced(one, never));
    await clock.advance(100);
    await settled();
    expect(race.state).toBe('pending');
    stopped.resolve();
    await settled();
    await settled();
    expect(race.state).toBe('rejected');
  });

  it('what was stopped rejects first, and tells more', async () => {
    const one = whole();
    const stopped = deferred();
    const work = stopped.promise.then(() => {
      throw one.error('executed');
    });
    one.onHit(() => one.stopping(stopped.promise));
    const race = rejection(raced(one, work));
    await clock.advance(100);
    stopped.resolve();
    expect(await race).toMatchObject({ outcome: 'executed' });
  });

  it('over a limit that is hit already rejects', async () => {
    const one = whole();
    aborter.abort();
    expect(await rejection(raced(one, never))).toBeInstanceOf(StatementAbortedError);
  });
});
