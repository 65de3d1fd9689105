import {
  DistributedLocks,
  LockLostError,
  NoTransactionError,
  TransactionOpenError,
  sql,
  type DistributedLocksOptions,
  type LockLease,
  type ResultHeader,
  type RetryingPooledDatabase,
} from '../../src/index';
import { LockBench } from '../support/lock-bench';
import { elapsed } from '../support/running';
import { onEachServer } from '../support/servers';
import { deferred, failure, until } from '../support/until';

onEachServer((bench) => {
  const lockBench = new LockBench(bench);
  const others = (options?: DistributedLocksOptions): DistributedLocks => lockBench.others(options);
  let db: RetryingPooledDatabase;
  let locks: DistributedLocks;

  beforeEach(() => {
    db = bench.open();
    locks = lockBench.keep(new DistributedLocks(db, { pollInterval: 20 }));
  });

  /** Whether each of these has been renewed since. */
  const renewalsOf = (leases: readonly LockLease[]): (() => boolean) => {
    const ends = leases.map(({ deadline }) => deadline);
    return () => leases.every(({ deadline }, at) => deadline > ends[at]!);
  };

  it('inside a transaction acquiring, extending and releasing are refused, outside assertHeld()', async () => {
    const lease = await locks.acquire('a');
    expect(await failure(lease.assertHeld())).toBeInstanceOf(NoTransactionError);
    await db.atomic(async () => {
      expect(await failure(locks.acquire('b'))).toBeInstanceOf(TransactionOpenError);
      expect(await failure(locks.tryAcquire('b'))).toBeInstanceOf(TransactionOpenError);
      expect(await failure(lease.extend())).toBeInstanceOf(TransactionOpenError);
      expect(await failure(lease.release())).toBeInstanceOf(TransactionOpenError);
      await lease.assertHeld();
    });
    await lease.release();
    await lease.release();
  });

  it('assertHeld() keeps a stale holder from committing', async () => {
    const lease = await locks.acquire('a');
    const other = others();
    await other.forceRelease('a');
    const theirs = await other.acquire('a');
    const stale = db.atomic(async () => {
      await db.query('INSERT INTO notes VALUES (1, NULL)');
      await lease.assertHeld();
    });
    expect(await failure(stale)).toBeInstanceOf(LockLostError);
    expect(await bench.sql(`SELECT * FROM ${bench.schema}.notes`)).toEqual([]);
    await theirs.release();
  });

  it('while one lease is asserted, a hundred others are renewed, and tryAcquire() on it answers at once', async () => {
    const rest = await Promise.all(
      Array.from({ length: 100 }, (_, at) => locks.acquire(`n${at}`, { ttl: 6000 })),
    );
    const other = others();
    const asserted = await locks.acquire('a', { ttl: 3000 });
    const took: number[] = [];
    await db.atomic(async () => {
      await asserted.assertHeld();
      const end = performance.now() + 3500;
      const isRenewed = renewalsOf(rest);
      while (performance.now() < end || !isRenewed()) {
        took.push(await elapsed(async () => expect(await other.tryAcquire('a')).toBeNull()));
        for (const lease of [...rest, asserted]) expect(lease.signal.aborted).toBe(false);
      }
    });
    // Whoever waits for the row waits until the server's own limit, 2 s.
    expect(took.sort((a, b) => a - b)[Math.floor(took.length / 2)]).toBeLessThan(1200);
    await until('it is renewed again', () => asserted.expiresIn > 100);
    expect(await other.tryAcquire('a')).toBeNull();
  }, 60_000);

  it('nor do the renewals of few others wait for the row that is asserted: no walk through a small table', async () => {
    for (const few of [1, 2, 3]) {
      const options = { ttl: 4500 };
      const asserted = await locks.acquire('m', options);
      const names = ['a', 'z', 'n'].slice(0, few);
      const rest = await Promise.all(names.map((name) => locks.acquire(name, options)));
      await db.atomic(async () => {
        await asserted.assertHeld();
        // Each is renewed twice while the row in their middle is locked.
        await until('all are renewed', renewalsOf(rest));
        await until('all are renewed again', renewalsOf(rest));
        for (const lease of rest) expect(lease.signal.aborted).toBe(false);
      });
      for (const lease of [...rest, asserted]) await lease.release();
    }
  }, 90_000);

  it('losing the connection of the transaction that asserted it fires the signal at once', async () => {
    const lease = await locks.acquire('a');
    const inside = deferred();
    const block = db.atomic(async () => {
      const id = await db.queryValue<number>('SELECT CONNECTION_ID()');
      await lease.assertHeld();
      const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
      await bench.sql(`KILL ${id}`);
      await lost;
      inside.resolve();
    });
    await inside.promise;
    await failure(block);
    expect(lease.expiresIn).toBe(0);
  });

  it('fence(): a stale holder’s write matches no row', async () => {
    await db.query(
      'CREATE TABLE jobs (id INT PRIMARY KEY, state INT, fence BIGINT NOT NULL DEFAULT 0)',
    );
    await db.query('INSERT INTO jobs (id, state) VALUES (1, 0)');
    const write = async (
      lease: Awaited<ReturnType<DistributedLocks['acquire']>>,
      state: number,
    ) => {
      const { assignment, condition, check } = lease.fence('fence');
      const [header] = await db.execute<ResultHeader>(
        sql`UPDATE jobs SET state = ${state}, ${assignment} WHERE id = ${1} AND ${condition}`,
      );
      check(header);
    };
    const stale = await locks.acquire('a');
    await write(stale, 1);
    const other = others();
    await other.forceRelease('a');
    const theirs = await other.acquire('a');
    await write(theirs, 2);
    expect(await failure(write(stale, 3))).toBeInstanceOf(LockLostError);
    expect(await db.queryValue('SELECT state FROM jobs')).toBe(2);
    await theirs.release();
    await db.query('DROP TABLE jobs');
  });
});
