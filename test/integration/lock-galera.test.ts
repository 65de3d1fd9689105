import { createConnection } from 'mysql2/promise';
import { provideGalera, ServerUnavailableError, type GaleraCluster } from '../../scripts/server';
import {
  CommitInDoubtError,
  DistributedLocks,
  LockLostError,
  RetryingPooledDatabase,
  SessionLock,
  UnsafeTopologyError,
  install,
  type LockLease,
} from '../../src/index';
import { longForm } from '../support/long-form';
import { failure, until } from '../support/until';

const GALERA = longForm('BOOMERANG_LOCK_GALERA', { seconds: 0 });
const START_MS = 120_000;

/** Starting a cluster takes longer than all that is proved on it: `npm run test:long lockGalera`. */
const describeLong = GALERA.seconds > 0 ? describe : describe.skip;
if (GALERA.seconds <= 0) {
  process.stdout.write('skipped: locks on a Galera cluster are for npm run test:long lockGalera\n');
}

describeLong('locks on two nodes of a Galera cluster', () => {
  let cluster: GaleraCluster | undefined;
  let nodes: RetryingPooledDatabase[] = [];
  let locks: DistributedLocks[] = [];

  beforeAll(async () => {
    try {
      cluster = await provideGalera({ nodes: 2 });
    } catch (error) {
      if (!(error instanceof ServerUnavailableError)) throw error;
      process.stdout.write(`skipped: no locks on a Galera cluster: ${error.message}\n`);
      return;
    }
    nodes = cluster.nodes.map(({ url }) => new RetryingPooledDatabase({ uri: url }));
    await install(nodes[0]!);
    await nodes[0]!.query('CREATE TABLE counter (id INT PRIMARY KEY, n INT NOT NULL)');
    await nodes[0]!.query('INSERT INTO counter VALUES (1, 0), (2, 0)');
    locks = nodes.map((db) => new DistributedLocks(db, { pollInterval: 20 }));
  }, START_MS);

  afterAll(async () => {
    await Promise.all(locks.map((each) => each.close()));
    await Promise.all(nodes.map((db) => db.end()));
    await cluster?.stop();
  }, START_MS);

  /** A test on the cluster. Without one, which was said above, there is nothing to be tested. */
  function onCluster(name: string, work: () => Promise<void>): void {
    it(name, async () => (cluster === undefined ? undefined : work()), 120_000);
  }

  const count = async (db: RetryingPooledDatabase, id: number): Promise<number> => {
    const [rows] = await db.query('SELECT n FROM counter WHERE id = ?', [id]);
    return Number(rows[0]?.['n']);
  };

  onCluster('SessionLock is refused, since both nodes would give it away', async () => {
    for (const db of nodes) {
      expect(await failure(new SessionLock(db, 'a').acquire())).toBeInstanceOf(UnsafeTopologyError);
    }
    // That is so: GET_LOCK itself gives the name to both.
    const raw = await Promise.all(cluster!.nodes.map(({ url }) => createConnection(url)));
    const got = await Promise.all(
      raw.map(async (each) => (await each.query("SELECT GET_LOCK('a', 0) AS got"))[0]),
    );
    expect(got).toEqual([[{ got: 1 }], [{ got: 1 }]]);
    await Promise.all(raw.map((each) => each.end()));
  });

  onCluster('of two nodes that are asked at once, one gives the lock: never both', async () => {
    let [both, none] = [0, 0];
    for (let round = 0; round < 200; round++) {
      const leases = await Promise.all(locks.map((each) => each.tryAcquire(`round ${round}`)));
      const got = leases.filter((lease) => lease !== null);
      if (got.length === 2) both++;
      if (got.length === 0) none++;
      await Promise.all(got.map((lease) => lease.release()));
    }
    process.stdout.write(`of 200 rounds: both ${both}, neither ${none}\n`);
    expect(both).toBe(0);
    // Neither is right where each has met the other's claim; both failing for long would be a stall.
    expect(none).toBeLessThan(100);
  });

  onCluster('counters written under assertHeld() from both nodes lose nothing', async () => {
    const end = performance.now() + GALERA.seconds * 1000;
    const tokens: bigint[] = [];
    const failures: string[] = [];
    let [done, doubtful] = [0, 0];
    const contender = async (from: number, id: number): Promise<void> => {
      const db = nodes[from]!;
      const counted = async (lease: LockLease): Promise<void> => {
        await lease.assertHeld();
        const n = await count(db, id);
        await db.execute('UPDATE counter SET n = ? WHERE id = ?', [n + 1, id]);
      };
      while (performance.now() < end) {
        try {
          await locks[from]!.using(`counter ${id}`, { wait: 5000 }, async (lease) => {
            await db.atomic(() => counted(lease), { retries: 5 });
            done++;
            if (id === 1) tokens.push(lease.token);
          });
        } catch (error) {
          if (error instanceof CommitInDoubtError) doubtful++;
          failures.push((error as Error).name);
        }
      }
    };
    await Promise.all([0, 1, 0, 1].flatMap((from) => [contender(from, 1), contender(from, 2)]));
    const repeated = nodes.map((db) => JSON.stringify(db.stats().retries)).join(', ');
    process.stdout.write(
      `${done} counts from two nodes; repeated ${repeated}; failed: ${failures.join(', ') || 'none'}\n`,
    );
    expect(done).toBeGreaterThan(50);
    // Reads on any node have all that was committed on the other only after a while.
    await until('all is there', async () => {
      const sums = await Promise.all(
        nodes.map(async (db) => (await count(db, 1)) + (await count(db, 2))),
      );
      // What is in doubt may be there or not; it was said.
      return sums.every((sum) => sum >= done && sum <= done + doubtful);
    });
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => Number(a - b)));
  });

  onCluster(
    'a COMMIT that loses against the other node is 1213, and `retries` counts again',
    async () => {
      let [attempts, done] = [0, 0];
      const before = await count(nodes[0]!, 2);
      const end = performance.now() + 5000;
      // Nobody has a lock: only the commit decides.
      const contender = async (db: RetryingPooledDatabase): Promise<void> => {
        while (performance.now() < end) {
          await db.atomic(
            async () => {
              attempts++;
              await db.execute('UPDATE counter SET n = n + 1 WHERE id = 2');
            },
            { retries: 50 },
          );
          done++;
        }
      };
      await Promise.all(nodes.map(contender));
      process.stdout.write(`${done} counts without a lock took ${attempts} attempts\n`);
      expect(attempts).toBeGreaterThan(done);
      await until('all is there', async () => {
        const counts = await Promise.all(nodes.map((db) => count(db, 2)));
        return counts.every((n) => n === before + done);
      });
    },
  );

  onCluster(
    'a stale writer that has asserted on one node cannot commit what the next holder on the other has overtaken',
    async () => {
      const [here, there] = [nodes[0]!, nodes[1]!];
      let refused = 0;
      for (let round = 0; round < 20; round++) {
        const name = `stale ${round}`;
        const lease = await locks[0]!.acquire(name);
        const begun = await count(here, 1);
        const stale = here.atomic(async () => {
          await lease.assertHeld();
          // The other node knows nothing of that row's lock, and gives the name away.
          await until('it is there', () => locks[1]!.isLocked(name));
          await locks[1]!.forceRelease(name);
          const theirs = await locks[1]!.acquire(name);
          await there.execute('UPDATE counter SET n = n + 1 WHERE id = 1');
          await theirs.release();
          await here.execute('UPDATE counter SET n = ? WHERE id = 1', [begun - 1000]);
        });
        const error = await failure(stale);
        if (error instanceof LockLostError || [1213, 1047, 1180].includes(Number(error['errno'])))
          refused++;
        else if (error.name !== 'TransactionDoomedError') throw error;
        else refused++;
        await until('it is written', async () => (await count(here, 1)) === begun + 1);
      }
      expect(refused).toBe(20);
    },
  );
});
