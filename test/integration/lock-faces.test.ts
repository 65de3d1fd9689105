import {
  DistributedLock,
  DistributedLocks,
  InvalidArgumentError,
  LeaderElection,
  SessionLock,
  withLock,
  type DistributedLocksOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { LockBench } from '../support/lock-bench';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  const lockBench = new LockBench(bench);
  const others = (options?: DistributedLocksOptions): DistributedLocks => lockBench.others(options);
  let db: RetryingPooledDatabase;
  let locks: DistributedLocks;

  beforeEach(() => {
    db = bench.open();
    locks = lockBench.keep(new DistributedLocks(db, { pollInterval: 20 }));
  });

  it('names are bytes: a, A, a-space, emoji and NUL are different locks', async () => {
    const names = ['a', 'A', 'a ', ' a', 'á', 'a\u0301', '😀', '\0', 'a\0', 'x'.repeat(255)];
    const made = await Promise.all(names.map((name) => locks.acquire(name)));
    expect(locks.stats().held).toBe(names.length);
    const seen: string[] = [];
    for await (const { name, host, pid } of others().list()) {
      seen.push(name);
      expect([typeof host, pid]).toEqual(['string', process.pid]);
    }
    expect(seen.sort()).toEqual([...names].sort());
    await Promise.all(made.map((lease) => lease.release()));
  });

  it.each([[''], ['x'.repeat(256)], ['é'.repeat(128)], ['\ud800'], [5], [null]])(
    'a bad name (%#) is refused before anything is sent',
    async (name) => {
      const error = await failure(locks.acquire(name as string));
      expect(error).toBeInstanceOf(InvalidArgumentError);
    },
  );

  it.each([[0], [-1], [NaN], [Infinity], [2 ** 31], ['5']])(
    'a ttl of %p is refused',
    async (ttl) => {
      expect(await failure(locks.acquire('a', { ttl: ttl as number }))).toBeInstanceOf(
        InvalidArgumentError,
      );
      const lease = await locks.acquire('a');
      expect(await failure(lease.extend(ttl as number))).toBeInstanceOf(InvalidArgumentError);
      await lease.release();
    },
  );

  it('meta is what others see; too much of it is refused', async () => {
    const lease = await locks.acquire('a', { meta: { note: 'nightly' } });
    expect(await others().holder('a')).toMatchObject({
      token: lease.token,
      meta: { note: 'nightly' },
    });
    expect(await failure(locks.acquire('b', { meta: 'x'.repeat(400) }))).toBeInstanceOf(
      InvalidArgumentError,
    );
    await lease.release();
    expect(await others().holder('a')).toBeUndefined();
  });

  it('DistributedLock: acquire, release, spinAcquire of one name', async () => {
    const mine = new DistributedLock(locks, 'a');
    const theirs = new DistributedLock(others(), 'a', { wait: 20_000 });
    expect(await mine.acquire()).toBe(true);
    expect(await mine.acquire()).toBe(false);
    expect(await theirs.acquire()).toBe(false);
    const spinning = theirs.spinAcquire();
    expect(await mine.release()).toBe(true);
    expect(await spinning).toBe(true);
    expect(await mine.spinAcquire({ wait: 50 })).toBe(false);
    expect([await theirs.release(), await theirs.release()]).toEqual([true, false]);
  });

  it('@withLock runs the method while the lock is held', async () => {
    class Jobs {
      running = 0;
      most = 0;

      constructor(readonly locks: DistributedLocks) {}

      @withLock((id: number) => `job:${id}`)
      async run(_id: number): Promise<void> {
        this.most = Math.max(this.most, ++this.running);
        await db.query('DO SLEEP(0.01)');
        this.running--;
      }
    }
    const jobs = new Jobs(locks);
    await Promise.all([jobs.run(1), jobs.run(1), jobs.run(1)]);
    expect(jobs.most).toBe(1);
  });

  it('LeaderElection: one leader; another after it resigned, or lost its lock', async () => {
    const events: string[] = [];
    const elections = [locks, others(), others()].map((from, at) => {
      const election = new LeaderElection(from, 'lead', { ttl: 6000 });
      election.on('elected', () => events.push(`elected ${at}`));
      election.on('lost', () => events.push(`lost ${at}`));
      return election;
    });
    const leaders = (): LeaderElection[] => elections.filter(({ isLeader }) => isLeader);
    for (const election of elections) election.campaign();
    await until('one leads', () => leaders().length === 1);
    const [first] = leaders();
    await first!.resign();
    await until('another leads', () => leaders().length === 1);
    const [second] = leaders();
    expect(second).not.toBe(first);
    const heard = events.length;
    await others().forceRelease('lead');
    await until('the loss is noticed', () =>
      events.slice(heard).includes(`lost ${elections.indexOf(second!)}`),
    );
    await until('somebody leads again', () => leaders().length === 1);
    await Promise.all(elections.map((election) => election.resign()));
    expect(leaders()).toEqual([]);
    expect(await locks.isLocked('lead')).toBe(false);
  });

  it('SessionLock: held by a session, gone with it', async () => {
    // A name of its own: session locks belong to the whole server.
    const name = bench.schema;
    const lock = new SessionLock(db, name);
    const lease = await lock.acquire();
    expect(lease).not.toBeNull();
    expect(await new SessionLock(bench.open(), name).acquire()).toBeNull();
    await lease?.release();
    const again = await new SessionLock(bench.open(), name).acquire({ wait: 20_000 });
    expect(again).not.toBeNull();
    await again?.release();
  });

  it('close() gives back what is held and ends the waiting', async () => {
    await locks.acquire('a');
    const waiting = failure(locks.acquire('a'));
    await until('it waits', () => locks.stats().waiting === 1);
    await locks.close();
    expect(await waiting).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(await others().isLocked('a')).toBe(false);
    expect(await failure(locks.acquire('a'))).toMatchObject({ code: 'ERR_POOL_CLOSED' });
  });
});
