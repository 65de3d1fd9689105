import { randomBytes } from 'node:crypto';
import {
  DistributedLocks,
  LeaderElection,
  LockLostError,
  SessionLock,
  type DistributedLocksOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { forgetIdle } from '../../src/lock/lock-sweeper';
import { LockTable } from '../../src/lock/lock-table';
import { startProxy } from '../support/fault-proxy';
import { LockBench } from '../support/lock-bench';
import { longForm } from '../support/long-form';
import { withRival } from '../support/rival';
import { elapsed } from '../support/running';
import { onEachServer } from '../support/servers';
import { deferred, failure, until } from '../support/until';

/** Names in one test; the long form of locks has more time. */
const MANY = longForm('BOOMERANG_LOCK_NAMES', 10_000);

onEachServer((bench) => {
  const lockBench = new LockBench(bench);
  const others = (options?: DistributedLocksOptions): DistributedLocks => lockBench.others(options);
  const table = `${bench.schema}.boomerang_locks`;
  let db: RetryingPooledDatabase;
  let locks: DistributedLocks;

  beforeEach(() => {
    db = bench.open();
    locks = lockBench.keep(new DistributedLocks(db, { pollInterval: 20 }));
  });

  /** The server takes the lock for ended; its holder, as one that was paused, does not know. */
  const expire = (name: string): Promise<unknown> =>
    bench.sql(`UPDATE ${table} SET expires_at = UTC_TIMESTAMP(6) WHERE name = ?`, [name]);

  it('the same caller’s constant value never lets two in: of fifty at once with one meta, one has it', async () => {
    const options = { meta: 'my-host' };
    const from = [locks, others(), others()];
    const tries = Array.from({ length: 51 }, (_, at) => from[at % 3]!.tryAcquire('a', options));
    const got = (await Promise.all(tries)).filter((lease) => lease !== null);
    expect(got).toHaveLength(1);
    await got[0]!.release();
  });

  it('a holder that tries to take its lock again opens no window for others', async () => {
    const lease = await locks.acquire('a');
    const rivals = [others(), others()];
    let over = false;
    const rivalry = rivals.map(async (rival) => {
      let tries = 0;
      for (; !over; tries++) expect(await rival.tryAcquire('a')).toBeNull();
      return tries;
    });
    for (let count = 0; count < 100; count++) {
      expect(await locks.tryAcquire('a')).toBeNull();
      await lease.extend();
    }
    over = true;
    for (const tries of await Promise.all(rivalry)) expect(tries).toBeGreaterThan(5);
    expect(lease.signal.aborted).toBe(false);
    await lease.release();
  }, 120_000);

  it('released twice, after its end, and while somebody else has it: frees nobody else’s', async () => {
    const lease = await locks.acquire('a');
    await expire('a');
    const other = others();
    const theirs = await other.acquire('a');
    await lease.release();
    await lease.release();
    expect((await other.holder('a'))?.token).toBe(theirs.token);
    await theirs.release();
    await theirs.release();
    expect(await other.isLocked('a')).toBe(false);
    expect(await failure(theirs.extend())).toBeInstanceOf(LockLostError);
  });

  it(`${MANY} random names: each is a lock of its own`, async () => {
    // Hundreds of statements at once wait for few connections.
    db = bench.open({ acquireTimeout: 60_000 });
    locks = lockBench.keep(new DistributedLocks(db, { ttl: 120_000 }));
    const alphabet = [
      'a',
      'A',
      'á',
      'a\u0301',
      ' ',
      '\0',
      '😀',
      'ß',
      'ss',
      'İ',
      'i',
      '%',
      '_',
      '\\',
    ];
    const names = new Set<string>();
    while (names.size < MANY) {
      const letters = [...randomBytes(1 + Math.floor(Math.random() * 24))];
      names.add(letters.map((byte) => alphabet[byte % alphabet.length]).join(''));
    }
    // Straight into the table, by the statement that takes locks: the lease of each would only cost time.
    const values = [...names].map((name) => [Buffer.from(name), randomBytes(16)]);
    for (let at = 0; at < values.length; at += 1000) {
      await bench.sql(
        `INSERT INTO ${table} (name, owner, token, acquired_at, expires_at) VALUES ` +
          values
            .slice(at, at + 1000)
            .map(() => '(?, ?, 1, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL 1 HOUR)')
            .join(),
        values.slice(at, at + 1000).flat(),
      );
    }
    const seen = new Set<string>();
    for await (const { name } of locks.list()) seen.add(name);
    expect(seen).toEqual(names);
    // And one by one: what differs by case, accent or padding from a name that is taken is free.
    const some = [...names].slice(0, 200);
    expect(await Promise.all(some.map((name) => locks.tryAcquire(name)))).toEqual(
      some.map(() => null),
    );
    const near = new Set(some.flatMap((name) => [`${name} `, name.toUpperCase(), `${name}\0`]));
    const fresh = [...near].filter((name) => !names.has(name));
    const got = await Promise.all(fresh.map((name) => locks.tryAcquire(name)));
    expect(got.filter((lease) => lease === null)).toEqual([]);
    await locks.close();
  }, 120_000);

  it('a name that was swept meanwhile is free: tryAcquire() gets it', async () => {
    const first = await locks.acquire('a');
    await first.release();
    await bench.sql(`DELETE FROM ${table}`);
    const second = await locks.tryAcquire('a');
    expect(second?.token).toBeGreaterThan(first.token);
    await second?.release();
  });

  it('after a deadlock in the transaction that asserted it the lease ends in time, however long the block goes on', async () => {
    const lease = await locks.acquire('a', { ttl: 5000 });
    await withRival(bench, [2, 3, 4], async (rival) => {
      // The server ends the one who has less to lose.
      const more = Array.from({ length: 20 }, (_, at) => 10 + at);
      await bench.sql(`INSERT INTO ${bench.schema}.notes (id) VALUES (${more.join('), (')})`);
      await rival.lock(...more);
      const block = db.atomic(async (tx) => {
        await lease.assertHeld();
        expect(await failure(rival.collide(tx))).toMatchObject({ errno: 1213 });
        // Nothing keeps others out any more; the holder is cut off from the server, too.
        await expire('a');
        const theirs = await others().acquire('a', { wait: 15_000 });
        await until('it learns of that', () => lease.signal.aborted);
        await theirs.release();
        return 'all of it';
      });
      // It cannot commit any more, but nothing above has failed it.
      expect(await failure(block)).toMatchObject({ name: 'TransactionDoomedError' });
    });
  });

  it('on a dead network acquire() and release() come to an end', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const cut = bench.open({ host, port, acquireTimeout: 2000 });
    const mine = new DistributedLocks(cut);
    const held = await mine.acquire('held', { ttl: 1500 });
    proxy.blackHole();
    const took = await Promise.all([
      elapsed(() => failure(mine.acquire('a', { wait: 100 }))),
      elapsed(() => failure(mine.tryAcquire('b'))),
      elapsed(() => held.release().catch(() => {})),
    ]);
    expect(Math.max(...took)).toBeLessThan(15_000);
    await cut.end({ deadline: 0 });
    await proxy.close();
  });

  it('a renewal that arrives late shortens nothing that was extended meanwhile', async () => {
    const lease = await locks.acquire('a', { ttl: 5000 });
    await lease.extend(60_000);
    // As the renewal of before would be, held back by the network.
    await lease.extend(5000);
    expect((await others().holder('a'))?.expiresIn).toBeGreaterThan(40_000);
    expect(lease.expiresIn).toBeLessThan(5001);
    await lease.release();
  });

  it('a lock that is won while close() is under way is given back, and the caller told', async () => {
    await (await locks.acquire('a')).release();
    const blocker = await bench.open().getConnection();
    await blocker.beginTransaction();
    await blocker.query(`SELECT * FROM ${table} WHERE name = 'a' FOR UPDATE`);
    const waiting = failure(locks.acquire('a'));
    await until('it waits for the row', () => db.stats().active === 1);
    const closing = locks.close();
    await blocker.rollback();
    expect(await waiting).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    await closing;
    expect(await others().isLocked('a')).toBe(false);
    await blocker.release();
  });

  it('sweeping waits for no row that a transaction asserts, and holds up nobody', async () => {
    // Nobody else sweeps.
    const quiet = lockBench.keep(new DistributedLocks(db, { idleAfter: 0 }));
    const lease = await quiet.acquire('held');
    await bench.sql(
      `INSERT INTO ${table} (name, token, acquired_at, expires_at) VALUES ` +
        "('a', 1, '2020-01-01', '2020-01-01'), ('z', 1, '2020-01-01', '2020-01-01')",
    );
    const forget = forgetIdle(new LockTable(db, 'boomerang_', false), 1000);
    await db.atomic(async () => {
      await lease.assertHeld();
      expect(await forget()).toEqual({ removed: 2, more: false });
    });
    expect(await bench.sql(`SELECT CAST(name AS CHAR) AS name FROM ${table}`)).toEqual([
      { name: 'held' },
    ]);
    await lease.release();
  });

  it('autoInstall makes the table again that was dropped, also where the first try failed', async () => {
    const auto = others({ prefix: 'again_', autoInstall: true });
    await (await auto.acquire('a')).release();
    await bench.sql(`DROP TABLE ${bench.schema}.again_locks`);
    await (await auto.acquire('b')).release();
    await bench.sql(`DROP TABLE ${bench.schema}.again_locks`);
    await bench.sql(`UPDATE ${bench.schema}.again_schema SET version = 99`);
    expect(await failure(auto.acquire('a'))).toMatchObject({ name: 'SchemaError' });
    await bench.sql(`UPDATE ${bench.schema}.again_schema SET version = 1`);
    await (await auto.acquire('a')).release();
  });

  it('an election over locks that were closed ends, and warns nobody', async () => {
    const warned: string[] = [];
    const logger = {
      debug() {},
      info() {},
      error() {},
      warn: (...all: unknown[]) => warned.push(String(all)),
    };
    // How long anything took is not what this is about.
    const untimed = { slowStatement: 0, slowAcquire: 0 };
    const quiet = new DistributedLocks(bench.open({ logger: logger, ...untimed }));
    const election = new LeaderElection(quiet, 'lead');
    const elected = deferred();
    election.on('elected', () => elected.resolve());
    election.campaign();
    await elected.promise;
    const lost = new Promise<void>((resolve) => election.once('lost', () => resolve()));
    await quiet.close();
    await election.resign();
    await lost;
    expect([election.isLeader, warned]).toEqual([false, []]);
  });

  it('SessionLock: the signal fires when its session is killed, and another has it', async () => {
    // A name of its own: session locks belong to the whole server.
    const name = bench.schema;
    const lease = await new SessionLock(db, name).acquire();
    const lost = new Promise((resolve) => lease?.signal.addEventListener('abort', resolve));
    let sessions: number[] = [];
    await until('those of other tests are gone', async () => {
      sessions = await bench.sessions();
      return sessions.length === 1;
    });
    await bench.sql(`KILL ${sessions[0]}`);
    await lost;
    expect(lease?.signal.reason).toBeInstanceOf(LockLostError);
    const next = await new SessionLock(bench.open(), name).acquire({ wait: Infinity });
    expect(next).not.toBeNull();
    await next?.release();
    await lease?.release();
  });
});
