import { KeyValueStore, type RetryingPooledDatabase } from '../../src/index';
import { onEachServer } from '../support/servers';
import { StoreBench } from '../support/store-bench';

/* On a server that is slow to commit, hundreds of changes of one row take their time. */
jest.setTimeout(180_000);
const PATIENCE = 170_000;

const POOLS = 3;
const LEVELS = ['REPEATABLE READ', 'READ COMMITTED'] as const;

const sum = (numbers: readonly number[]): number => numbers.reduce((one, next) => one + next, 0);
const times = <T>(count: number, make: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => make(at)));

onEachServer((bench) => {
  const stores = new StoreBench(bench);
  let names = 0;

  describe.each(LEVELS)('at %s', (level) => {
    let databases: RetryingPooledDatabase[];
    let some: KeyValueStore[];

    beforeEach(() => {
      const initSql = `SET SESSION TRANSACTION ISOLATION LEVEL ${level}`;
      databases = Array.from({ length: POOLS }, () =>
        bench.open({ initSql, connectionLimit: 8, acquireTimeout: PATIENCE }),
      );
      const namespace = `c${names++}`;
      some = databases.map((db) => new KeyValueStore(db, { namespace, sweepInterval: 0 }));
    });

    const store = (at: number): KeyValueStore => some[at % POOLS]!;

    it('180 members added at once to sets, sorted sets and hashes that are not there: none is lost', async () => {
      const added = await times(180, (at) => store(at).sadd('set', `member ${at}`));
      expect(sum(added)).toBe(180);
      expect(await store(0).scard('set')).toBe(180);
      expect(sum(await times(180, (at) => store(at).zadd('sorted', at, `member ${at}`)))).toBe(180);
      expect(await store(0).zcard('sorted')).toBe(180);
      expect(sum(await times(180, (at) => store(at).hset('hash', `field ${at}`, at)))).toBe(180);
      expect(await store(0).hlen('hash')).toBe(180);
    });

    it('the same member added by many is new for one of them', async () => {
      const added = await times(60, (at) => store(at).sadd('set', 'one', `own ${at}`, 'two'));
      expect(sum(added)).toBe(62);
      expect(sum(await times(60, (at) => store(at).zadd('sorted', at, 'one')))).toBe(1);
      expect(sum(await times(60, (at) => store(at).hset('hash', 'one', at)))).toBe(1);
    });

    it('2,400 increments of counters that are not there: none is lost, and no sum is given twice', async () => {
      const sums = await times(2400, (at) => store(at).incrBy(`counter ${at % 4}`));
      expect(new Set(sums).size).toBe(600);
      expect(await store(0).mget(['counter 0', 'counter 1', 'counter 2', 'counter 3'])).toEqual(
        Array.from({ length: 4 }, () => '600'),
      );
      const fields = await times(100, (at) => store(at).hincrBy('hash', `field ${at % 4}`));
      expect(new Set(fields).size).toBe(25);
      const floats = await times(40, (at) => store(at).incrByFloat('float', 0.25));
      expect(Math.max(...floats)).toBe(10);
      const scores = await times(40, (at) => store(at).zincrBy('sorted', 1, 'member'));
      expect(new Set(scores).size).toBe(40);
    });

    it('one of many gets a key that is not there', async () => {
      const set = await times(100, (at) => store(at).setNx('key', at));
      expect(set.filter(Boolean)).toHaveLength(1);
      const secrets = await times(50, (at) => store(at).getOrCreateSecret('secret'));
      expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(1);
      const olds = await times(50, (at) => store(at).getSet('swapped', at));
      // Each value but the last is handed to whoever came next.
      const last = await store(0).get('swapped');
      expect(new Set([...olds, last]).size).toBe(51);
      expect(await times(50, (at) => store(at).getDelete('swapped'))).toContain(last);
      expect(await store(0).exists('swapped')).toBe(0);
    });

    it('zpopMin by 16 clients hands out each member once', async () => {
      await store(0).zadd(
        'due',
        Array.from({ length: 100 }, (_, at) => [at, `job ${at}`] as const),
      );
      const taken = await times(16, async (at) => {
        const mine: string[] = [];
        for (;;) {
          const [popped] = await store(at).zpopMin('due');
          if (popped === undefined) return mine;
          mine.push(popped.member);
        }
      });
      expect(taken.flat()).toHaveLength(100);
      expect(new Set(taken.flat()).size).toBe(100);
      expect(await store(0).exists('due')).toBe(0);
    });

    it('members that come while the last one goes are not lost', async () => {
      const changes = await times(12, async (at) => {
        let net = 0;
        for (let round = 0; round < 25; round++) {
          net += await store(at).sadd('set', `member ${round % 3}`);
          net -= await store(at + 1).srem('set', `member ${(round + at) % 3}`);
        }
        return net;
      });
      expect(sum(changes)).toBe(await store(0).scard('set'));
      expect(await store(0).exists('set')).toBe(sum(changes) > 0 ? 1 : 0);
    });

    it('in transactions that write the same keys in the same order there is no deadlock', async () => {
      const added = await times(48, (at) =>
        databases[at % POOLS]!.atomic(async () => {
          const fresh = await store(at).sadd('set', `member ${at}`);
          await store(at).expire('set', 100_000);
          await store(at).zadd('sorted', at, `member ${at}`);
          await store(at).incrBy('counter');
          return fresh;
        }),
      );
      expect(sum(added)).toBe(48);
      expect(await store(0).scard('set')).toBe(48);
      expect(await store(0).get('counter')).toBe('48');
    });
  });

  it('tokens are given out no faster than the bucket refills', async () => {
    const store = stores.open();
    const bucket = { capacity: 20, refillPerSecond: 0.001 };
    const replies = await times(60, () => store.tokenBucket('bucket', bucket));
    expect(replies.filter(({ allowed }) => allowed)).toHaveLength(20);
    // Whatever becomes of its row's end, a bucket holds what it held.
    expect(await store.persist('bucket')).toBe(true);
    expect(await store.tokenBucket('bucket', bucket)).toMatchObject({ allowed: false });
    expect(await store.expire('bucket', 100_000)).toBe(true);
    expect(await store.tokenBucket('bucket', bucket)).toMatchObject({ allowed: false });
    expect(await store.ttl('bucket')).toBeGreaterThan(19_000_000);
    expect(Math.max(...replies.map(({ retryAfter }) => retryAfter))).toBeLessThanOrEqual(1_000_000);
  });
});
