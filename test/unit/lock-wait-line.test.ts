import { WaitLine } from '../../src/lock/wait-line';
import { rejection, watched } from '../support/fixture';
import { ManualClock, settled } from '../support/manual-clock';

function made(): { line: WaitLine; clock: ManualClock } {
  const clock = new ManualClock();
  return { line: new WaitLine(clock), clock };
}

it('one contends, the others follow in the order they came; names are independent', async () => {
  const { line, clock } = made();
  const order: number[] = [];
  for (const at of [0, 1, 2]) void line.enter('a', 1000, undefined).then(() => order.push(at));
  expect(await line.enter('b', 1000, undefined)).toBe(true);
  expect([line.names, line.size]).toEqual([2, 4]);
  for (const expected of [[0], [0, 1], [0, 1, 2]]) {
    await settled();
    expect(order).toEqual(expected);
    line.leave('a');
  }
  line.leave('b');
  expect([line.names, line.size, clock.openTimers]).toEqual([0, 0, 0]);
});

it('who has waited too long, or was called off, is passed over, and leaves no timer', async () => {
  const { line, clock } = made();
  await line.enter('a', 1000, undefined);
  const aborter = new AbortController();
  const late = line.enter('a', 50, undefined);
  const called = rejection(line.enter('a', 1000, aborter.signal));
  const patient = watched(line.enter('a', 1000, undefined));
  await clock.advance(50);
  expect(await late).toBe(false);
  aborter.abort(new Error('mine'));
  expect(await called).toMatchObject({ message: 'mine' });
  expect(patient.state).toBe('pending');
  line.leave('a');
  expect(await patient.promise).toBe(true);
  line.leave('a');
  expect([line.names, clock.openTimers]).toEqual([0, 0]);
});

it('the contender sleeps until it is told, its time is up or it is called off', async () => {
  const { line, clock } = made();
  const told = line.sleep('a', 1000, undefined);
  line.tell('b');
  line.tell('a');
  expect(await told).toBe('told');
  const overslept = line.sleep('a', 1000, undefined);
  await clock.advance(1000);
  expect(await overslept).toBe('overslept');
  const aborter = new AbortController();
  const called = rejection(line.sleep('a', 1000, aborter.signal));
  aborter.abort(new Error('mine'));
  expect(await called).toMatchObject({ message: 'mine' });
  expect(await rejection(line.sleep('a', 1000, aborter.signal))).toMatchObject({ message: 'mine' });
  // Nobody sleeps: telling is for nobody.
  line.tell('a');
  expect(clock.openTimers).toBe(0);
});
