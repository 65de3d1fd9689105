import { LockLostError } from '../../src/errors';
import type { Claim } from '../../src/lock/lock-table';
import { FakeLocks, type TableAnswers } from '../support/fake-locks';

const forever = new Promise<never>(() => {});

/** A table that renews all it is asked to, and notes of what it was asked. */
function renewing(): { batches: string[][]; answers: TableAnswers } {
  const batches: string[][] = [];
  const renew = (claims: readonly Claim[]): Promise<number> => {
    batches.push(claims.map(({ name }) => String(name)));
    return Promise.resolve(claims.length);
  };
  return { batches, answers: { renew } };
}

it('leases taken about the same time are renewed by one statement, at a third of their time', async () => {
  const { batches, answers } = renewing();
  const locks = new FakeLocks(answers);
  const first = locks.lease('a', 30_000);
  await locks.clock.advance(2000);
  const second = locks.lease('b', 30_000);
  expect(locks.clock.openTimers).toBe(1);
  await locks.clock.advance(7999);
  expect(batches).toEqual([]);
  await locks.clock.advance(1);
  expect(batches).toEqual([['a', 'b']]);
  expect([first.expiresIn, second.expiresIn]).toEqual([29_800, 29_800]);
});

it('leases of another time to live, and more than 500, are renewed by statements of their own', async () => {
  const { batches, answers } = renewing();
  const locks = new FakeLocks(answers);
  for (let count = 0; count < 1100; count++) locks.lease(`n${count}`, 30_000);
  locks.lease('other', 31_000);
  await locks.clock.advance(10_400);
  expect(batches.map(({ length }) => length).sort((a, b) => a - b)).toEqual([1, 100, 500, 500]);
});

it('a renewal that is never answered: the signal fires at the lease’s own deadline, before the server’s', async () => {
  const locks = new FakeLocks({ renew: () => forever });
  const lease = locks.lease('a', 30_000);
  const { signal } = lease;
  await locks.clock.advance(29_799);
  expect(signal.aborted).toBe(false);
  await locks.clock.advance(1);
  expect(signal.reason).toBeInstanceOf(LockLostError);
  expect(locks.ends).toEqual([{ name: 'a', at: 29_800 }]);
});

it('a batch that fails is tried one by one; the one that fails again, a twentieth later', async () => {
  const asked: string[][] = [];
  const locks = new FakeLocks({
    renew: (claims) => {
      asked.push(claims.map(({ name }) => String(name)));
      const isLocked = claims.some(({ name }) => String(name) === 'b');
      return isLocked ? Promise.reject(new Error('locked')) : Promise.resolve(claims.length);
    },
  });
  const leases = ['a', 'b', 'c'].map((name) => locks.lease(name, 30_000));
  await locks.clock.advance(10_000);
  expect(asked).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c']]);
  expect(leases.map(({ expiresIn }) => expiresIn)).toEqual([29_800, 19_800, 29_800]);
  await locks.clock.advance(1500);
  expect(asked.slice(4)).toEqual([['b']]);
});

it('of a batch with one that was taken away, that one is lost and no other', async () => {
  const locks = new FakeLocks({
    renew: (claims) => Promise.resolve(claims.length - 1),
    holding: (claims) => Promise.resolve(new Set([claims[0]!.owner.toString('hex')])),
  });
  const [kept, taken] = [locks.lease('a', 30_000), locks.lease('b', 30_000)];
  await locks.clock.advance(10_000);
  expect([kept.expiresIn, taken.expiresIn]).toEqual([29_800, 0]);
  expect(locks.ends).toEqual([{ name: 'b', at: 10_000 }]);
});

it('counts from when a renewal was sent, not from its answer', async () => {
  let answer = (_count: number): void => {};
  const locks = new FakeLocks({ renew: () => new Promise((resolve) => (answer = resolve)) });
  const lease = locks.lease('a', 30_000);
  await locks.clock.advance(10_000);
  await locks.clock.advance(4000);
  answer(1);
  await locks.clock.advance(0);
  expect(lease.expiresIn).toBe(25_800);
});

it('a released lease is not renewed, and nothing is left behind once it would have been', async () => {
  const { batches, answers } = renewing();
  const locks = new FakeLocks(answers);
  await locks.lease('a', 30_000).release();
  await locks.clock.advance(30_000);
  expect([batches, locks.clock.openTimers, locks.ends]).toEqual([[], 0, []]);
});
