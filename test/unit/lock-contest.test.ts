import { StatementTimeoutError } from '../../src/errors';
import { Contest } from '../../src/lock/contest';
import { fakeTable, holderRow, type TableAnswers } from '../support/fake-locks';
import { rejection } from '../support/fixture';
import { ManualClock } from '../support/manual-clock';

const NAME = Buffer.from('a');
const NOTE = Buffer.alloc(0);
const cutOff = (outcome: 'notExecuted' | 'unknown'): Error =>
  new StatementTimeoutError('too long', outcome);

function contest(answers: TableAnswers): { clock: ManualClock; once: () => Promise<unknown> } {
  const clock = new ManualClock();
  const made = new Contest(fakeTable(answers), clock, 50);
  return { clock, once: () => made.once(NAME, 1000, NOTE) };
}

it('what the table says is taken: a token is a yes, 0 a no', async () => {
  const yes = contest({ acquire: () => Promise.resolve(5) });
  expect(await yes.once()).toMatchObject({ claim: { token: 5 }, sentAt: 0 });
  const no = contest({ acquire: () => Promise.resolve(0) });
  expect(await no.once()).toBeUndefined();
  expect([yes.clock.openTimers, no.clock.openTimers]).toEqual([0, 0]);
});

it('each attempt is made under another owner', async () => {
  const owners = new Set<string>();
  const { once } = contest({
    acquire: (_name, owner) => {
      owners.add(owner.toString('hex'));
      return Promise.resolve(0);
    },
  });
  for (let count = 0; count < 1000; count++) await once();
  expect(owners.size).toBe(1000);
});

it('a lost answer is settled by who has the row: a yes is no error', async () => {
  let mine: Buffer = Buffer.alloc(0);
  const { once } = contest({
    acquire: (_name, owner) => {
      mine = owner;
      return Promise.reject(Object.assign(new Error('reset'), { code: 'ECONNRESET', fatal: true }));
    },
    holder: () => Promise.resolve(holderRow(mine)),
  });
  expect(await once()).toMatchObject({ claim: { token: 9 } });
});

it('a lost answer, and somebody else has the row: the error stays, and the claim is withdrawn', async () => {
  const withdrawn: string[] = [];
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET', fatal: true });
  const { once } = contest({
    acquire: () => Promise.reject(reset),
    holder: () => Promise.resolve(holderRow(Buffer.alloc(16))),
    withdraw: ({ name }) => {
      withdrawn.push(String(name));
      return Promise.resolve();
    },
  });
  expect(await rejection(once())).toBe(reset);
  expect(withdrawn).toEqual(['a']);
});

it('an attempt on a locked row is called off as soon as the row is seen to be held', async () => {
  const { clock, once } = contest({
    acquire: (_name, _owner, _ttl, _note, limit) =>
      new Promise((_resolve, reject) => {
        limit?.onHit(() => reject(cutOff('notExecuted')));
      }),
    remaining: () => Promise.resolve(400),
    holder: () => Promise.resolve(holderRow(Buffer.alloc(16))),
  });
  const asked = once();
  await clock.advance(30);
  expect(await asked).toBeUndefined();
  expect(clock.openTimers).toBe(0);
});

it('where not even the row can be read, an attempt that was cut off is an error, not a no', async () => {
  const withdrawn: string[] = [];
  const { clock, once } = contest({
    acquire: (_name, _owner, _ttl, _note, limit) =>
      new Promise((_resolve, reject) => {
        limit?.onHit(() => reject(cutOff('unknown')));
      }),
    remaining: () => Promise.reject(new Error('dead')),
    holder: () => Promise.reject(new Error('dead')),
    withdraw: ({ name }) => {
      withdrawn.push(String(name));
      return Promise.resolve();
    },
  });
  const asked = rejection(once());
  await clock.advance(600);
  expect(await asked).toBeInstanceOf(StatementTimeoutError);
  expect(withdrawn).toEqual(['a']);
});

it('an attempt that succeeds while the row is looked at leaves nothing behind', async () => {
  let acquired = (_token: number): void => {};
  let seen = (_ms: number): void => {};
  const { clock, once } = contest({
    acquire: (_name, _owner, _ttl, _note, limit) => {
      limit?.onHit(() => {});
      return new Promise((resolve) => (acquired = resolve));
    },
    remaining: () => new Promise((resolve) => (seen = resolve)),
  });
  const asked = once();
  await clock.advance(30);
  acquired(5);
  expect(await asked).toMatchObject({ claim: { token: 5 } });
  seen(0);
  await clock.advance(0);
  expect(clock.openTimers).toBe(0);
});

it('the pause ends no later than the holder’s time, and no later than one and a half polls', async () => {
  const paused = async (remaining: number): Promise<number[]> => {
    const table = fakeTable({ remaining: () => Promise.resolve(remaining) });
    const made = new Contest(table, new ManualClock(), 50);
    return Promise.all(Array.from({ length: 200 }, () => made.pause(NAME)));
  };
  expect(Math.max(...(await paused(10)))).toBe(10);
  const long = await paused(10_000);
  expect(Math.min(...long)).toBeGreaterThanOrEqual(25);
  expect(Math.max(...long)).toBeLessThanOrEqual(75);
  expect(Math.max(...(await paused(0)))).toBeLessThanOrEqual(5);
});

describe('an attempt that still waits for a connection', () => {
  /** Not on the wire: nobody listens to the limit. */
  function waiting(patience?: number): {
    clock: ManualClock;
    calledOff: () => boolean;
    end: () => void;
  } {
    const clock = new ManualClock();
    let limit: { readonly hit: boolean } | undefined;
    let answer: (token: number) => void = () => {};
    const table = fakeTable({
      remaining: () => Promise.resolve(500),
      acquire: (_name, _owner, _ttl, _note, given) => {
        limit = given;
        return new Promise((resolve) => (answer = resolve));
      },
    });
    const made = new Contest(table, clock, 50);
    const once = made.once(NAME, 1000, NOTE, patience);
    once.catch(() => {});
    return { clock, calledOff: () => limit?.hit === true, end: () => answer(0) };
  }

  it('is not called off for a row that it has not met, however long that takes', async () => {
    const { clock, calledOff, end } = waiting();
    await clock.advance(60_000);
    expect(calledOff()).toBe(false);
    end();
    await clock.advance(0);
    expect(clock.openTimers).toBe(0);
  });

  it('is called off once its caller’s patience is over', async () => {
    const { clock, calledOff } = waiting(700);
    await clock.advance(690);
    expect(calledOff()).toBe(false);
    await clock.advance(40);
    expect(calledOff()).toBe(true);
  });
});
