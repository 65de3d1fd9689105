import { LockLostError, NoTransactionError } from '../../src/errors';
import { LockLease } from '../../src/lock/lock-lease';
import { FakeLocks, claimOf } from '../support/fake-locks';
import { rejection } from '../support/fixture';

/** A lease that no timer looks after, as in a process that was stopped. */
function untended(ttl: number): { lease: LockLease; locks: FakeLocks } {
  const locks = new FakeLocks({});
  const lease = new LockLease(locks, 'a', claimOf('a'), ttl, locks.clock.now());
  return { lease, locks };
}

it.each([
  [30_000, 29_800],
  [1000, 900],
  [5, 4.5],
])('of %d ms the holder counts on %d', (ttl, expected) => {
  expect(untended(ttl).lease.expiresIn).toBe(expected);
});

it('after a stop beyond its end every access finds it lost at the first look, before any timer', async () => {
  const looks: ((lease: LockLease) => unknown)[] = [
    ({ signal }) => expect(signal.aborted).toBe(true),
    ({ expiresIn }) => expect(expiresIn).toBe(0),
    async (lease) => expect(await rejection(lease.assertHeld())).toBeInstanceOf(LockLostError),
    async (lease) => expect(await rejection(lease.extend())).toBeInstanceOf(LockLostError),
    (lease) => expect(() => lease.fence('x')).toThrow(LockLostError),
  ];
  for (const look of looks) {
    const { lease, locks } = untended(1000);
    const { signal } = lease;
    await locks.clock.advance(1000);
    await look(lease);
    expect(signal.reason).toBeInstanceOf(LockLostError);
    expect(locks.ends).toHaveLength(1);
  }
});

it('a signal that is asked for after the loss is aborted already, for the same reason', async () => {
  const { lease, locks } = untended(1000);
  await locks.clock.advance(1000);
  expect(lease.look()).toBe(false);
  expect(lease.signal.reason).toBe(await rejection(lease.extend()));
});

it('release() after the loss asks the server nothing, and a second call resolves', async () => {
  const { lease, locks } = untended(1000);
  await locks.clock.advance(1000);
  locks.release = () => Promise.reject(new Error('was asked'));
  await lease.release();
  await lease.release();
  expect(await rejection(lease.extend())).toBeInstanceOf(LockLostError);
});

it('a failed release rejects every call of it, and the lease is over', async () => {
  const { lease, locks } = untended(1000);
  locks.release = () => Promise.reject(new Error('no network'));
  const first = lease.release();
  expect(await rejection(first)).toMatchObject({ message: 'no network' });
  expect(lease.release()).toBe(first);
  expect(lease.expiresIn).toBe(0);
});

it('assertHeld() outside a transaction is refused, and changes nothing', async () => {
  const { lease } = untended(1000);
  expect(await rejection(lease.assertHeld())).toBeInstanceOf(NoTransactionError);
  expect([lease.isAsserted, lease.expiresIn]).toEqual([false, 900]);
});

it('fence(): a statement that matched no row is a loss, one that did is none', () => {
  const { lease } = untended(1000);
  const { check } = lease.fence('fence');
  check({ affectedRows: 1 });
  expect(() => check({ affectedRows: 0 })).toThrow(LockLostError);
});
