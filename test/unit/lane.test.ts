import { TurnTimeoutError } from '../../src/errors';
import { Lane, type Block } from '../../src/scope/lane';
import { deferred } from '../support/deferred';
import { rejection, watched } from '../support/fixture';
import { ManualClock, settled } from '../support/manual-clock';

const block = (label?: string): Block => ({ label, adopt: () => {} });

function laneOf(patience = 1000): { lane: Lane; clock: ManualClock } {
  const clock = new ManualClock();
  return { lane: new Lane(clock, patience), clock };
}

describe('a lane', () => {
  it('runs statements one after the other, in the order they were given', async () => {
    const { lane } = laneOf();
    const gates = [deferred(), deferred(), deferred()];
    const begun: number[] = [];
    const all = gates.map((gate, i) =>
      lane.run(async () => {
        begun.push(i);
        await gate.promise;
      }),
    );
    await settled();
    expect(begun).toEqual([0]);
    gates[1]!.resolve();
    gates[0]!.resolve();
    await settled();
    expect(begun).toEqual([0, 1, 2]);
    gates[2]!.resolve();
    await Promise.all(all);
    expect(lane.free).toBe(true);
  });

  it('begins the first statement at once', () => {
    const { lane } = laneOf();
    let begun = false;
    void lane.run(async () => {
      begun = true;
    });
    expect([begun, lane.free]).toEqual([true, false]);
  });

  it('goes on after a statement that fails, whose error is its own', async () => {
    const { lane } = laneOf();
    const failure = new Error('mine');
    const first = rejection(lane.run(() => Promise.reject(failure)));
    const second = lane.run(async () => 2);
    expect([await first, await second]).toEqual([failure, 2]);
  });

  it('is kept by a block until it leaves', async () => {
    const { lane } = laneOf();
    const one = block('one');
    expect(lane.enter(one)).toBeUndefined();
    expect(lane.block).toBe(one);
    const statement = watched(lane.run(async () => 1));
    const second = watched(lane.enter(block('two'))!);
    await settled();
    expect([statement.state, second.state]).toEqual(['pending', 'pending']);
    lane.leave();
    await settled();
    expect([statement.state, second.state, lane.block?.label]).toEqual([
      'fulfilled',
      'fulfilled',
      'two',
    ]);
    lane.leave();
    expect(lane.free).toBe(true);
  });
});

describe('the wait behind a block', () => {
  it('ends after the patience, with an error that names the block and since when', async () => {
    const { lane, clock } = laneOf(1000);
    await lane.enter(block('transfer'));
    await clock.advance(200);
    const late = watched(lane.run(async () => 1));
    await clock.advance(999);
    expect(late.state).toBe('pending');
    await clock.advance(1);
    expect(late.reason).toBeInstanceOf(TurnTimeoutError);
    expect(late.reason.message).toMatch(/^Waited 1000 ms .* block 'transfer' has kept for 1200 ms/);
    expect([late.reason.retryable, clock.openTimers]).toEqual([true, 0]);
  });

  it('is bounded for a block as well, and for whoever stood in line before the block began', async () => {
    const { lane, clock } = laneOf(1000);
    const gate = deferred();
    const running = lane.run(() => gate.promise);
    void lane.enter(block());
    const statement = watched(lane.run(async () => 1));
    const nested = watched(lane.enter(block('other'))!);
    await clock.advance(5000);
    expect([statement.state, clock.openTimers]).toEqual(['pending', 0]);
    gate.resolve();
    await running;
    await clock.advance(1000);
    expect(statement.reason).toBeInstanceOf(TurnTimeoutError);
    expect(nested.reason).toBeInstanceOf(TurnTimeoutError);
    expect(statement.reason.message).toContain("block 'atomic'");
  });

  it('is not bounded behind a statement', async () => {
    const { lane, clock } = laneOf(1000);
    const gate = deferred();
    void lane.run(() => gate.promise);
    const waiting = watched(lane.run(async () => 1));
    await clock.advance(1_000_000);
    expect([waiting.state, clock.openTimers]).toEqual(['pending', 0]);
    gate.resolve();
    await waiting.promise;
  });

  it('is not bounded where the patience is 0', async () => {
    const { lane, clock } = laneOf(0);
    await lane.enter(block());
    const waiting = watched(lane.run(async () => 1));
    await clock.advance(1_000_000);
    expect([waiting.state, clock.openTimers]).toEqual(['pending', 0]);
    lane.leave();
    await waiting.promise;
  });

  it('leaves no timer once the turn has come', async () => {
    const { lane, clock } = laneOf();
    await lane.enter(block());
    const waiting = [lane.run(async () => 1), lane.run(async () => 2)];
    expect(clock.openTimers).toBe(2);
    lane.leave();
    await Promise.all(waiting);
    expect(clock.openTimers).toBe(0);
  });

  it('does not keep those behind it when one gives up', async () => {
    const { lane, clock } = laneOf(1000);
    await lane.enter(block());
    const first = watched(lane.run(async () => 1));
    await clock.advance(500);
    const second = watched(lane.run(async () => 2));
    await clock.advance(500);
    lane.leave();
    await settled();
    expect([first.state, second.state]).toEqual(['rejected', 'fulfilled']);
  });
});

describe('waiting for a lane', () => {
  it('quiet() waits for statements that run and wait, also for those that come meanwhile', async () => {
    const { lane } = laneOf();
    const gates = [deferred(), deferred()];
    void lane.run(() => gates[0]!.promise);
    const quiet = watched(lane.quiet());
    void lane.run(() => gates[1]!.promise);
    gates[0]!.resolve();
    await settled();
    expect(quiet.state).toBe('pending');
    gates[1]!.resolve();
    await settled();
    expect(quiet.state).toBe('fulfilled');
  });

  it('quiet() does not wait for a block', async () => {
    const { lane } = laneOf();
    await lane.enter(block());
    await lane.quiet();
  });

  it('quiet() ends when a block has the turn after the statements', async () => {
    const { lane } = laneOf();
    const gate = deferred();
    void lane.run(() => gate.promise);
    void lane.enter(block());
    const quiet = watched(lane.quiet());
    gate.resolve();
    await settled();
    expect([quiet.state, lane.block === undefined]).toEqual(['fulfilled', false]);
  });

  it('idle() waits for blocks too', async () => {
    const { lane } = laneOf();
    await lane.enter(block());
    const idle = watched(lane.idle());
    const statement = lane.run(async () => 1);
    await settled();
    expect(idle.state).toBe('pending');
    lane.leave();
    await statement;
    await settled();
    expect(idle.state).toBe('fulfilled');
  });

  it('idle() ends when the last one that waited has given up and the block is gone', async () => {
    const { lane, clock } = laneOf(1000);
    await lane.enter(block());
    const waiting = watched(lane.run(async () => 1));
    const idle = watched(lane.idle());
    await clock.advance(1000);
    expect([waiting.state, idle.state]).toEqual(['rejected', 'pending']);
    lane.leave();
    await settled();
    expect(idle.state).toBe('fulfilled');
  });

  it('rejectWaiting() rejects all that wait and leaves no timer; what has the lane keeps it', async () => {
    const { lane, clock } = laneOf();
    const holder = block();
    await lane.enter(holder);
    const reason = new Error('over');
    const waiting = [rejection(lane.run(async () => 1)), rejection(lane.enter(block())!)];
    lane.rejectWaiting(() => reason);
    expect(await Promise.all(waiting)).toEqual([reason, reason]);
    expect([lane.block, clock.openTimers]).toEqual([holder, 0]);
  });
});
