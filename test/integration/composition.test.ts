import { randomUUID } from 'node:crypto';
import {
  Cache,
  DistributedLocks,
  KeyValueStore,
  MessageQueue,
  install,
  type RetryingPooledDatabase,
} from '../../src/index';
import { notesIn, onEachServer } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let locks: DistributedLocks;
  let cache: Cache;
  let store: KeyValueStore;
  let queue: MessageQueue;
  /** Another for each test. */
  let name: string;

  beforeEach(async () => {
    name = randomUUID();
    db = bench.open();
    await install(db);
    locks = new DistributedLocks(db);
    cache = new Cache(db, { namespace: name });
    store = new KeyValueStore(db, { namespace: name });
    queue = new MessageQueue(db);
    await queue.createGroup(orders(), 'billing');
    await queue.createGroup(mails(), 'sender');
  });

  const orders = (): string => `orders ${name}`;
  const mails = (): string => `mails ${name}`;

  /** Of everything there is, what others see. */
  async function seen() {
    const billing = await queue.info(orders(), 'billing');
    const sender = await queue.info(mails(), 'sender');
    return {
      rows: await notesIn(bench),
      cached: await cache.get('order'),
      counted: await store.get('paid'),
      claimed: billing.pending,
      waiting: billing.lag,
      mails: sender.lag,
    };
  }

  /** An order that is paid: a row, a counter, a cache, a message dealt with, another sent, under a lock. */
  async function pay(fail: boolean): Promise<void> {
    await cache.set('order', 'open');
    await queue.produce(orders(), { id: 1 });
    const [message] = await queue.consume(orders(), 'billing', { wait: 10_000 });
    if (message === undefined) throw new Error('no message');
    const before = await seen();
    await locks.using('order:1', { wait: 10_000 }, async (lease) => {
      const paid = db.atomic(async () => {
        await lease.assertHeld();
        await db.execute('INSERT INTO notes VALUES (1, ?)', ['paid']);
        await store.incrBy('paid');
        await cache.delete('order');
        await queue.produce(mails(), { to: 'customer' });
        await message.ack();
        // From outside none of it is to be seen yet.
        expect(await db.withoutScope(seen)).toEqual(before);
        if (fail) throw new Error('the bank said no');
      });
      if (!fail) return paid;
      expect((await failure(paid)).message).toBe('the bank said no');
      expect(await seen()).toEqual(before);
      // Nothing was settled: it is this consumer's still.
      await message.ack();
    });
  }

  it('row, counter, cache, message in, message out and lock are committed as one', async () => {
    await pay(false);
    const all = { rows: [1], cached: undefined, counted: '1', claimed: 0, waiting: 0, mails: 1 };
    expect(await seen()).toEqual(all);
    expect(await locks.isLocked('order:1')).toBe(false);
  });

  it('and rolled back as one', async () => {
    await pay(true);
    const none = { rows: [], cached: 'open', counted: undefined, mails: 0 };
    expect(await seen()).toEqual({ ...none, claimed: 0, waiting: 0 });
  });

  it('a lock that was lost keeps all of it from being committed', async () => {
    const lease = await locks.acquire('order:1');
    const others = new DistributedLocks(bench.open());
    await others.forceRelease('order:1');
    const theirs = await others.acquire('order:1');
    const late = db.atomic(async () => {
      await db.execute('INSERT INTO notes VALUES (2, ?)', ['late']);
      await queue.produce(mails(), { to: 'customer' });
      await lease.assertHeld();
    });
    expect(await failure(late)).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(await seen()).toMatchObject({ rows: [], mails: 0 });
    await theirs.release();
    await others.close();
  });
});
