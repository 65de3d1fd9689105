import type { Message, MessageQueue, RetryingPooledDatabase } from '../../src/index';
import { QueueBench, bodies, drain, numbers, openTransaction } from '../support/queue-bench';
import { plain } from '../support/plain-queue';
import { onEachServer } from '../support/servers';
import { deferred, until } from '../support/until';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let db: RetryingPooledDatabase;
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ db, queue } = await queues.begin({ maxAttempts: 2 }));
  });

  it('messages of one key come one after the other, the next when the one before is acknowledged', async () => {
    await queue.produceMany('jobs', [1, 2], { key: 'a' });
    await queue.produceMany('jobs', [3, 4], { key: 'A' });
    await queue.produce('jobs', 5);
    const first = await queue.consume('jobs', 'g', { batch: 10, wait: 10_000 });
    const rest = await queues.other().consume('jobs', 'g', { batch: 10, wait: 10_000 });
    const got = [...first, ...rest];
    expect(bodies(got).sort()).toEqual([1, 3, 5]);
    expect(await queue.consume('jobs', 'g', { batch: 10 })).toEqual([]);
    await got.find(({ body }) => body === 1)!.ack();
    const next = await queue.consume('jobs', 'g', { batch: 10, wait: 10_000 });
    expect(next.map(({ body, key }) => [body, key])).toEqual([[2, 'a']]);
  });

  it('one that is given back keeps its place; one that is dead makes way, and takes its place again', async () => {
    await queue.produceMany('jobs', [1, 2, 3], { key: 'a' });
    for (let attempt = 1; attempt <= 2; attempt++) {
      const [one] = await queue.consume('jobs', 'g', { batch: 5, wait: 10_000 });
      expect(one).toMatchObject({ body: 1, attempt });
      await one!.nack({ delay: 20 });
    }
    const [two] = await queue.consume('jobs', 'g', { batch: 5, wait: 10_000 });
    expect(two!.body).toBe(2);
    expect(await queue.redrive('jobs', 'g')).toBe(1);
    await two!.ack();
    expect(bodies(await drain(queue, 'jobs', 'g', 300))).toEqual([1, 3]);
  });

  it('one whose consumer died the last time it might makes way', async () => {
    await queue.produceMany('jobs', [1, 2], { key: 'a' });
    const seen: unknown[] = [];
    await until('the second has its turn', async () => {
      const some = await queue.consume('jobs', 'g', { visibilityTimeout: 700, wait: 100 });
      seen.push(...bodies(some));
      return seen.includes(2);
    });
    expect(seen).toEqual([1, 1, 2]);
  });

  it('a delayed one keeps back those that were produced after it with its key, and no others', async () => {
    await queue.produce('jobs', 1, { key: 'a', delay: 4000 });
    await queue.produce('jobs', 2, { key: 'a' });
    await queue.produce('jobs', 3, { key: 'b' });
    for (const body of [3, 1, 2]) {
      const some = await queue.consume('jobs', 'g', { batch: 5, wait: 15_000 });
      expect(bodies(some)).toEqual([body]);
      await some[0]!.ack();
    }
  });

  it('one that commits late waits for the one of its key that is out', async () => {
    const late = await openTransaction(db, () => queue.produce('jobs', 'early id', { key: 'a' }));
    await queue.produce('jobs', 'late id', { key: 'a' });
    const [out] = await queue.consume('jobs', 'g', { wait: 10_000 });
    expect(out!.body).toBe('late id');
    await late.commit();
    expect(await queue.consume('jobs', 'g', { wait: 200 })).toEqual([]);
    await out!.ack();
    expect(bodies(await drain(queue, 'jobs', 'g', 300))).toEqual(['early id']);
  });

  it('a transaction that acknowledges and stays open keeps back its key only', async () => {
    await queue.produceMany('jobs', [1, 2], { key: 'a' });
    await queue.produceMany('jobs', [3, 4], { key: 'b' });
    const out = await queue.consume('jobs', 'g', { batch: 5, wait: 10_000 });
    expect(bodies(out)).toEqual([1, 3]);
    await db.atomic(async () => {
      await out[0]!.ack();
      const other = queues.open(bench.open({ timeout: 15_000 }));
      await out[1]!.extend().catch(() => {});
      await db.withoutScope(() => out[1]!.ack());
      await other.produce('jobs', 5, { key: 'a' });
      expect(bodies(await other.consume('jobs', 'g', { batch: 5, wait: 10_000 }))).toEqual([4]);
      expect(await other.consume('jobs', 'g', { batch: 5, wait: 100 })).toEqual([]);
    });
    const [two] = await queue.consume('jobs', 'g', { batch: 5, wait: 10_000 });
    expect(two!.body).toBe(2);
  });

  it('however much comes for a key that a transaction has locked, other keys do not wait for it', async () => {
    await queue.produce('jobs', 'out', { key: 'a' });
    const [out] = await queue.consume('jobs', 'g', { wait: 10_000 });
    const open = await openTransaction(db, () => out!.ack());
    const other = queues.other();
    // More than are looked at at a time.
    await other.produceMany('jobs', numbers(1100), { key: 'a' });
    await other.produce('jobs', 'of b', { key: 'b' });
    expect(bodies(await other.consume('jobs', 'g', { wait: 10_000 }))).toEqual(['of b']);
    await open.commit();
    expect(bodies(await other.consume('jobs', 'g', { wait: 10_000 }))).toEqual([0]);
  });

  it.each(['with', 'without'] as const)(
    'the order of each key holds with 16 workers in four processes’ worth of pools, %s SKIP LOCKED',
    async (how) => {
      const keys = ['a', 'b', 'c', 'd', 'e'];
      const each = 40;
      const seen = new Map<string, number[]>(keys.map((key) => [key, []]));
      const inside = new Map<string, number>();
      let met = 0;
      let count = 0;
      const all = deferred();
      const handler = async (message: Message<number>): Promise<void> => {
        const key = message.key ?? '';
        met += inside.get(key) ?? 0;
        inside.set(key, (inside.get(key) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        seen.get(key)?.push(message.body);
        inside.set(key, (inside.get(key) ?? 0) - 1);
        if (++count === keys.length * each) all.resolve();
      };
      const pools = [queue, queues.other(), queues.other(), queues.other()];
      if (how === 'without') pools.forEach(plain);
      for (let at = 0; at < 16; at++) {
        pools[at % 4]!.worker<number>('jobs', 'g', handler, { concurrency: 2 });
      }
      // One producer for each key, so that there is an order; all at the same time.
      await Promise.all(
        keys.map(async (key, at) => {
          for (let n = 0; n < each; n += 4) {
            await pools[at % 4]!.produceMany('jobs', [n, n + 1, n + 2, n + 3], { key });
          }
        }),
      );
      await all.promise;
      for (const seenOfOne of seen.values()) {
        expect(seenOfOne).toEqual(numbers(each));
      }
      expect(met).toBe(0);
      // What was used is taken away again.
      await until('nothing is left', async () => {
        const [row] = await bench.sql(
          `SELECT (SELECT COUNT(*) FROM ${queues.table('queue_lanes')}) + ` +
            `(SELECT COUNT(*) FROM ${queues.table('queue_waiting')}) AS n`,
        );
        return Number(row?.['n']) === 0;
      });
    },
    120_000,
  );
});
