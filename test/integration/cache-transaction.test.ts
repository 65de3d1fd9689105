import { Cache, type RetryingPooledDatabase } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { deferred } from '../support/deferred';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';
import { running } from '../support/running';

const LEVELS = ['READ COMMITTED', 'REPEATABLE READ'] as const;

onEachServer((bench) => {
  const caches = new CacheBench(bench);
  let db: RetryingPooledDatabase;
  let cache: Cache;
  let other: Cache;

  beforeEach(async () => {
    db = bench.open();
    cache = caches.keep(new Cache(db, { l1: true }));
    other = caches.other();
    await bench.sql(`REPLACE INTO ${bench.schema}.notes VALUES (1, 'old')`);
  });

  const note = async () => (await db.queryValue<string>('SELECT text FROM notes WHERE id = 1'))!;
  const failed = new Error('rolled back');

  it('what a transaction writes, deletes and invalidates is seen in it at once, by others after COMMIT', async () => {
    await cache.setMany([
      { key: 'deleted', value: 1 },
      { key: 'tagged', value: 2, tags: ['t'] },
      { key: 'both', value: 3 },
    ]);
    const keys = ['deleted', 'tagged', 'both', 'set', 'made'];
    // Into this process's memory as well.
    await cache.getMany(keys);
    const before = [1, 2, 3, undefined, undefined];
    const after = [undefined, undefined, 33, 4, 5];
    await db.atomic(async () => {
      expect(await cache.delete('deleted')).toBe(true);
      await cache.invalidateTag('t');
      await cache.setMany([{ key: 'set', value: 4 }]);
      await cache.set('both', 33);
      expect(await cache.getOrSet('made', () => 5)).toBe(5);
      expect(await cache.getMany(keys)).toEqual(after);
      expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual(after);
      expect(await db.withoutScope(() => cache.getMany(keys))).toEqual(before);
      expect(await other.getMany(keys)).toEqual(before);
    });
    expect(await cache.getMany(keys)).toEqual(after);
    expect(await other.getMany(keys)).toEqual(after);
  });

  it('what a transaction has set without tags is in nobody’s way who clears the namespace', async () => {
    await other.set('there', 1);
    await db.atomic(async () => {
      await cache.set('new', 2);
      await cache.setMany([{ key: 'newer', value: 3 }]);
      // Would wait until COMMIT for a row of the namespace.
      await other.clear();
    });
    expect(await other.getMany(['there', 'new', 'newer'])).toStrictEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('a rollback, also to a savepoint, leaves cache and memory as they were', async () => {
    await cache.setMany([
      { key: 'a', value: 1, tags: ['t'] },
      { key: 'b', value: 2 },
    ]);
    const keys = ['a', 'b', 'c', 'd'];
    await cache.getMany(keys);
    const changes = async () => {
      await cache.delete('b');
      await cache.set('c', 3);
      await cache.getOrSet('d', () => 4);
      await cache.invalidateTag('t');
      throw failed;
    };
    expect(await failure(db.atomic(changes))).toBe(failed);
    await db.atomic(() => db.atomic(changes).catch(() => {}));
    for (const one of [cache, other]) {
      expect(await one.getMany(keys)).toStrictEqual([1, 2, undefined, undefined]);
    }
    await db.atomic(async () => cache.clear());
    for (const one of [cache, other])
      expect(await one.getMany(keys)).toStrictEqual([undefined, undefined, undefined, undefined]);
  });

  describe.each(LEVELS)('at %s', (level) => {
    const initSql = `SET SESSION TRANSACTION ISOLATION LEVEL ${level}`;
    const change = {
      'delete()': () => cache.delete('note'),
      'invalidateTag()': () => cache.invalidateTag('notes'),
      'clear()': () => cache.clear(),
    };
    const ways = Object.entries(change);

    beforeEach(() => {
      db = bench.open({ initSql });
      cache = caches.keep(new Cache(db));
      other = caches.other({}, { initSql });
    });

    it.each(ways)(
      'who has read the old data before %s is committed stores nothing of it',
      async (_, invalidate) => {
        const [begun, goOn] = [deferred(), deferred()];
        const read = other.getOrSet(
          'note',
          async () => {
            const text = await note();
            begun.resolve();
            await goOn.promise;
            return text;
          },
          { tags: ['notes'] },
        );
        await begun.promise;
        await db.atomic(async () => {
          await db.execute("UPDATE notes SET text = 'new' WHERE id = 1");
          await invalidate();
        });
        goOn.resolve();
        expect(await read).toBe('old');
        expect(await cache.getOrSet('note', note)).toBe('new');
      },
    );

    it.each(ways)(
      'who fills while %s is not committed yet stores nothing old, though there was no entry',
      async (_, invalidate) => {
        let read: Promise<string> | undefined;
        await db.atomic(async () => {
          await db.execute("UPDATE notes SET text = 'new' WHERE id = 1");
          await invalidate();
          read = db.withoutScope(() =>
            other.getOrSet(
              'note',
              () =>
                bench
                  .sql(`SELECT text FROM ${bench.schema}.notes WHERE id = 1`)
                  .then((rows) => String(rows[0]!['text'])),
              { tags: ['notes'] },
            ),
          );
          let isRead = false;
          void read.catch(() => {}).then(() => (isRead = true));
          // It reads what was there before COMMIT, or waits for it.
          await until(
            'it has read, or waits',
            async () => isRead || (await running(bench, 'filler, fill_until) VALUES')) > 0,
          );
        });
        await read;
        expect(await cache.getOrSet('note', note)).toBe('new');
        expect(await other.get('note')).toBe('new');
      },
    );

    it.each(ways)(
      'a transaction that made a value from what was there before %s stores nothing of it',
      async (_, invalidate) => {
        const overtake = () =>
          db.withoutScope(async () => {
            await db.execute("UPDATE notes SET text = 'new' WHERE id = 1");
            await invalidate();
          });
        const outcome = db
          .atomic(async () => {
            // At REPEATABLE READ whatever it reads from here on is as of now.
            await note();
            if (level === 'REPEATABLE READ') await overtake();
            const factory = async () => {
              const text = await note();
              if (level === 'READ COMMITTED') await overtake();
              return text;
            };
            return cache.getOrSet('note', factory, { tags: ['notes'] });
          })
          // MariaDB 11.8 does not let a transaction write over what it has not seen.
          .catch((error: unknown) => (error as { errno?: number }).errno);
        expect(['old', 1020]).toContain(await outcome);
        expect(await other.getOrSet('note', note, { tags: ['notes'] })).toBe('new');
      },
    );

    it('a fill that meets a deletion which is rolled back is stored', async () => {
      const [begun, made] = [deferred(), deferred<string>()];
      const read = other.getOrSet('note', () => {
        begun.resolve();
        return made.promise;
      });
      await begun.promise;
      await failure(
        db.atomic(async () => {
          await cache.delete('note');
          made.resolve('made');
          await until('storing waits', async () => (await running(bench, 'SET version')) > 0);
          throw failed;
        }),
      );
      expect(await read).toBe('made');
      expect(await cache.get('note')).toBe('made');
    });
  });

  it('one db.atomic holds a row and what the cache says of it together, for any reader at any time', async () => {
    let stop = false;
    const seen: string[] = [];
    const reader = (async () => {
      while (!stop) {
        const cached = await other.getOrSet('n', async () => note(), { tags: ['n'] });
        seen.push(cached);
      }
    })();
    for (let n = 0; n < 20; n++) {
      await db.atomic(
        async () => {
          await db.execute('UPDATE notes SET text = ? WHERE id = 1', [`${n}`]);
          if (n % 2 === 0) await cache.delete('n');
          else await cache.invalidateTag('n');
        },
        { retries: 3 },
      );
      // After COMMIT nobody who asks anew is given what was before it.
      expect(await cache.getOrSet('n', note, { tags: ['n'] })).toBe(`${n}`);
    }
    stop = true;
    await reader;
    const order = seen.filter((one) => one !== 'old').map(Number);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });
});
