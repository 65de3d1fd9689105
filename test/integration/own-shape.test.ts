import {
  Cache,
  DistributedLocks,
  KeyValueStore,
  MessageQueue,
  install,
  type DatabaseOptions,
} from '../../src/index';
import { onEachServer } from '../support/servers';

/** Whatever form a program gives its rows, the library reads its own. */
const FORMS: readonly DatabaseOptions[] = [
  { rowsAsArray: true },
  { nestTables: true },
  { nestTables: '_' },
  { typeCast: () => 'something else', namedPlaceholders: true },
  { typeCast: false },
  { dateStrings: true, decimalNumbers: true },
  { supportBigNumbers: true, bigNumberStrings: true },
];

onEachServer((bench) => {
  it.each(FORMS.map((form) => [Object.keys(form).join(), form] as const))(
    'locks, store, cache and queue work where rows have another form: %s',
    async (_, form) => {
      const db = bench.open(form);
      await install(db);
      const locks = new DistributedLocks(db);
      const lease = await locks.acquire('a');
      expect(await locks.tryAcquire('b').then((other) => other?.release())).toBeUndefined();
      expect((await locks.holder('a'))?.token).toBe(lease.token);
      await db.atomic(() => lease.assertHeld());
      await lease.release();
      await locks.close();

      const store = new KeyValueStore(db);
      await store.set('key', { a: 1 }, { ttl: 60_000 });
      expect(await store.get('key')).toEqual({ a: 1 });
      expect(await store.ttl('key')).toBeGreaterThan(0);
      expect(await store.incrBy('count', 2n ** 62n)).toBe(2n ** 62n);
      expect(
        await store.zadd('ranks', [
          [2, 'b'],
          [1, 'a'],
        ]),
      ).toBe(2);
      expect(await store.zrange('ranks', 0, -1)).toEqual(['a', 'b']);
      expect(await store.hset('hash', { f: 1 })).toBe(1);
      expect(await store.hgetAll('hash')).toEqual(new Map([['f', 1]]));
      await store.delete('key', 'count', 'ranks', 'hash');
      await store.close();

      const cache = new Cache(db);
      await cache.set('key', [1], { tags: ['tag'] });
      expect(await cache.getMany(['key', 'none'])).toStrictEqual([[1], undefined]);
      expect(await cache.getOrSet('key', () => Promise.reject(new Error('made anew')))).toEqual([
        1,
      ]);
      await cache.invalidateTag('tag');
      expect(await cache.get('key')).toBeUndefined();
      await cache.close();

      const queue = new MessageQueue(db);
      await queue.createGroup('stream', 'group');
      await queue.produceMany('stream', [1, 2]);
      await queue.produce('stream', 3, { key: 'k', dedupeKey: JSON.stringify(form) });
      const bodies: unknown[] = [];
      while (bodies.length < 3) {
        const messages = await queue.consume('stream', 'group', { batch: 10, wait: 1000 });
        bodies.push(...messages.map(({ body }) => body));
        await Promise.all(messages.map((message) => message.ack()));
      }
      expect(bodies.sort()).toEqual([1, 2, 3]);
      expect(await queue.info('stream', 'group')).toMatchObject({ lag: 0, pending: 0 });
      await queue.close();
    },
  );
});
