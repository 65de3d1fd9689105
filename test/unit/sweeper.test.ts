import { silentLogger } from '../../src/logger';
import { Sweeper, type SweptBatch } from '../../src/schema/sweeper';
import { deferred } from '../support/deferred';
import { ManualClock } from '../support/manual-clock';

describe('a sweeper', () => {
  afterEach(() => jest.restoreAllMocks());

  function make(batches: (() => Promise<SweptBatch>)[], every = 1000) {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const clock = new ManualClock();
    let begun = 0;
    const sweeper = new Sweeper({
      clock,
      logger: silentLogger,
      what: 'old rows',
      every,
      batch: () => (batches[begun++] ?? (() => Promise.resolve({ removed: 0, more: false })))(),
    });
    return { clock, sweeper, begun: () => begun };
  }

  const some = (removed: number, more: boolean) => () => Promise.resolve({ removed, more });

  it('goes on batch by batch until nothing is due, and counts', async () => {
    const { clock, sweeper, begun } = make([some(5, true), some(5, true), some(2, false)]);
    const swept = sweeper.sweep();
    await clock.advance(0);
    expect(await swept).toBe(12);
    expect(begun()).toBe(3);
    expect(sweeper.stats).toEqual({ swept: 12, sweeping: false });
  });

  it('is one at a time: who asks meanwhile gets the same outcome', async () => {
    const gate = deferred();
    const { sweeper, begun } = make([() => gate.promise.then(() => ({ removed: 1, more: false }))]);
    const both = [sweeper.sweep(), sweeper.sweep()];
    expect(sweeper.stats.sweeping).toBe(true);
    gate.resolve();
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(begun()).toBe(1);
  });

  it('rests as long as a batch took', async () => {
    const { clock, sweeper, begun } = make([
      () => new Promise((done) => clock.setTimer(() => done({ removed: 1, more: true }), 70)),
      some(0, false),
    ]);
    const swept = sweeper.sweep();
    await clock.advance(70);
    await clock.advance(69);
    expect(begun()).toBe(1);
    await clock.advance(1);
    expect(await swept).toBe(1);
  });

  it('rides on writes no more often than every so many ms, and an error of it is only logged', async () => {
    const { clock, sweeper, begun } = make([() => Promise.reject(new Error('away'))]);
    sweeper.ride();
    expect(begun()).toBe(0);
    await clock.advance(500);
    sweeper.ride();
    sweeper.ride();
    expect(begun()).toBe(1);
    await clock.advance(999);
    sweeper.ride();
    expect(begun()).toBe(1);
    await clock.advance(1);
    sweeper.ride();
    expect(begun()).toBe(2);
  });

  it('rejects for who asked for it', async () => {
    const { sweeper } = make([() => Promise.reject(new Error('away'))]);
    await expect(sweeper.sweep()).rejects.toThrow('away');
    expect(sweeper.stats.sweeping).toBe(false);
  });

  it('begins no further batch once it is stopped, also in its rest', async () => {
    const { clock, sweeper, begun } = make([
      () => new Promise((done) => clock.setTimer(() => done({ removed: 1, more: true }), 70)),
      some(1, false),
    ]);
    const swept = sweeper.sweep();
    await clock.advance(70);
    await sweeper.stop();
    expect(await swept).toBe(1);
    await clock.advance(10_000);
    sweeper.ride();
    expect(begun()).toBe(1);
    expect(clock.openTimers).toBe(0);
  });

  it('never begins by itself where `every` is 0', async () => {
    const { clock, sweeper, begun } = make([], 0);
    await clock.advance(1e9);
    sweeper.ride();
    expect(begun()).toBe(0);
  });
});
