import { Cache, InvalidArgumentError, SchemaError, connectionScope } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { onEachServer } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  const caches = new CacheBench(bench);

  it('values come back as what they were, to other processes too', async () => {
    const [one, two] = [caches.other(), caches.other()];
    const values = [
      'text é😀',
      '',
      'half a pair \ud800',
      0,
      -0,
      1.5,
      NaN,
      -Infinity,
      2n ** 70n,
      true,
      false,
      null,
      { a: [1, { b: null }] },
      [],
      Buffer.from([0, 255, 10]),
      Buffer.alloc(0),
      'x'.repeat(300_000),
    ];
    for (const [at, value] of values.entries()) await one.set(`${at}`, value);
    for (const [at, value] of values.entries()) expect(await two.get(`${at}`)).toEqual(value);
    const all = await two.getMany(values.map((_, at) => `${at}`));
    expect(all).toEqual(values);
    expect(Object.is(all[4], -0)).toBe(true);
  });

  it('keys are bytes: case, trailing space, accents, wildcards and length tell them apart', async () => {
    const cache = caches.other();
    const keys = [
      'foo',
      'FOO',
      'foo ',
      ' foo',
      'ko',
      'kó',
      'a_b',
      'aXb',
      'a%b',
      '',
      'k'.repeat(3072),
      'é'.repeat(300),
    ];
    await cache.setMany(keys.map((key) => ({ key, value: `of ${key}` })));
    expect(await cache.getMany(keys)).toEqual(keys.map((key) => `of ${key}`));
    await cache.delete('foo');
    expect(await cache.get('FOO')).toBe('of FOO');
    expect(await cache.has('foo')).toBe(false);
    for (const key of ['k'.repeat(3073), '\ud800', 7 as unknown as string]) {
      const error = await failure(cache.get(key));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).not.toContain('kkkk');
    }
  });

  it('namespaces are caches of their own, and clear() takes one of them', async () => {
    const db = bench.open();
    const [a, b] = ['a', 'a_'].map((namespace) => caches.keep(new Cache(db, { namespace })));
    await a!.set('k', 'of a');
    await b!.set('k', 'of b');
    await a!.clear();
    expect([await a!.get('k'), await b!.get('k')]).toStrictEqual([undefined, 'of b']);
    await a!.set('k', 'new');
    expect([await a!.get('k'), await a!.getMany(['k', 'x'])]).toStrictEqual([
      'new',
      ['new', undefined],
    ]);
    const found = [];
    for await (const entry of b!.entries()) found.push(entry);
    expect(found).toEqual([['k', 'of b']]);
  });

  it('a value counts until its time is over, by the server’s clock, and touch() gives it another', async () => {
    const cache = caches.other({ ttl: 60_000 });
    await cache.set('usual', 1);
    await cache.set('long', 2, { ttl: 120_000 });
    await cache.set('ever', 3, { ttl: 0 });
    await cache.set('touched', 4);
    expect(await cache.touch('touched', { ttl: 120_000 })).toBe(true);
    await caches.pass(60_001);
    expect(await cache.getMany(['usual', 'long', 'ever', 'touched'])).toStrictEqual([
      undefined,
      2,
      3,
      4,
    ]);
    expect([
      await cache.has('usual'),
      await cache.touch('usual'),
      await cache.delete('usual'),
    ]).toEqual([false, false, false]);
    await cache.set('short', 5, { ttl: 0.05 });
    await bench.sql('DO SLEEP(0.001)');
    expect(await cache.get('short')).toBeUndefined();
  });

  it('delete() says whether there was a value, deleteMany() how many', async () => {
    const cache = caches.other();
    await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key })));
    expect([await cache.delete('a'), await cache.delete('a')]).toEqual([true, false]);
    expect(await cache.deleteMany(['a', 'b', 'b', 'c', 'never'])).toBe(2);
    expect(await cache.getMany(['a', 'b', 'c'])).toStrictEqual([undefined, undefined, undefined]);
  });

  it('invalidateTag() makes void what bears the tag, alone or among others, and nothing else', async () => {
    const cache = caches.other();
    const bears = {
      a: ['x'],
      b: ['x', 'y'],
      c: ['y'],
      d: [],
      e: Array.from({ length: 16 }, (_, at) => `t${at}`),
    };
    const keys = Object.keys(bears) as (keyof typeof bears)[];
    await cache.setMany(keys.map((key) => ({ key, value: key, tags: bears[key] })));
    await cache.invalidateTag('x');
    const left = ['c', 'd', 'e'];
    // Each read by itself, and all together.
    expect(await cache.getMany(keys)).toEqual(
      keys.map((key) => (left.includes(key) ? key : undefined)),
    );
    for (const key of keys) expect(await cache.get(key)).toBe(left.includes(key) ? key : undefined);
    await cache.invalidateTag('t15');
    expect(await cache.get('e')).toBeUndefined();
    // What is void is not to be had back by another time.
    expect([await cache.touch('a'), await cache.get('a')]).toStrictEqual([false, undefined]);
    await cache.set('a', 'again', { tags: ['x'] });
    expect(await cache.get('a')).toBe('again');
    expect(await cache.delete('b')).toBe(false);
  });

  it('what callers ask for in one moment is read by two statements, and written by one', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    const keys = Array.from({ length: 50 }, (_, at) => `k${at}`);
    // Of the pool's one session.
    const questions = async (): Promise<number> => {
      const [rows] = await db.query("SHOW SESSION STATUS LIKE 'Com_stmt_execute'");
      return Number(rows[0]?.['Value']);
    };
    await Promise.all(keys.map((key) => cache.set(key, `old ${key}`)));
    let before = await questions();
    await Promise.all(keys.map((key) => cache.set(key, key)));
    expect((await questions()) - before).toBe(1);
    before = await questions();
    expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual(keys);
    expect((await questions()) - before).toBe(2);
    before = await questions();
    await Promise.all(keys.slice(0, 8).map((key) => cache.get(key)));
    expect((await questions()) - before).toBe(1);
    // Of two writes of a key in one moment the later call counts.
    await Promise.all([cache.set('k', 1), cache.set('k', 2), cache.set('k', 3)]);
    expect(await cache.get('k')).toBe(3);
  });

  it('whether a value is there, and removing it, does not bring the value over', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    const sent = async (): Promise<number> => {
      const [rows] = await db.query("SHOW SESSION STATUS LIKE 'Bytes_sent'");
      return Number(rows[0]?.['Value']);
    };
    const keys = ['a1', 'a2', 'b1', 'b2'];
    await cache.setMany(keys.map((key) => ({ key, value: 'x'.repeat(200_000), tags: ['t'] })));
    await cache.set('void', 'x'.repeat(200_000), { tags: ['u'] });
    await cache.invalidateTag('u');
    const before = await sent();
    expect(await Promise.all(['a1', 'void', 'no'].map((key) => cache.has(key)))).toEqual([
      true,
      false,
      false,
    ]);
    expect(await connectionScope(() => cache.has('a1'))).toBe(true);
    expect(await cache.delete('a1')).toBe(true);
    expect(await cache.deleteMany(['a2', 'no', 'void'])).toBe(1);
    expect(await cache.deletePrefix('b')).toBe(2);
    expect((await sent()) - before).toBeLessThan(50_000);
  });

  it('what is written after another process has cleared the namespace counts', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    const other = caches.keep(new Cache(bench.open(), { sweepEvery: 0 }));
    const executed = async (): Promise<number> => {
      const [rows] = await db.query("SHOW SESSION STATUS LIKE 'Com_stmt_execute'");
      return Number(rows[0]?.['Value']);
    };
    await cache.set('a', 'first');
    for (const write of [
      () => cache.set('a', 'one'),
      () => Promise.all([cache.set('a', 'one'), cache.set('b', 2, { tags: ['t'] })]),
      () =>
        cache.setMany([
          { key: 'a', value: 'one' },
          { key: 'b', value: 2, tags: ['t'] },
        ]),
      () =>
        cache.setMany([
          { key: 'a', value: 'one' },
          { key: 'c', value: 3 },
        ]),
      () => connectionScope(() => cache.set('a', 'one')),
    ]) {
      await other.clear();
      await write();
      expect(await other.get('a')).toBe('one');
    }
    await other.clear();
    const before = await executed();
    await cache.set('a', 'again');
    expect((await executed()) - before).toBe(2);
    await cache.set('a', 'and again');
    expect((await executed()) - before).toBe(3);
    expect(await other.get('a')).toBe('and again');
  });

  it('callers who hold the pool’s only connection read and write on it', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const cache = caches.keep(new Cache(db, { sweepEvery: 0 }));
    await connectionScope(async () => {
      await db.query('SELECT 1');
      await Promise.all([cache.set('a', 1), cache.set('b', 2)]);
      expect(await Promise.all([cache.get('a'), cache.get('b')])).toEqual([1, 2]);
      expect(await cache.getOrSet('c', () => 3)).toBe(3);
    });
    expect(db.stats()).toMatchObject({ active: 0, created: 1 });
  });

  it('large and compressed values come back; what is too large is refused before it is sent', async () => {
    const cache = caches.other({ compress: true });
    const text = 'lorem ipsum '.repeat(30_000);
    await cache.set('text', text);
    await cache.set('noise', Buffer.from(text), { compress: false });
    await cache.set('small', 'x');
    expect(await cache.getMany(['text', 'noise', 'small'])).toEqual([text, Buffer.from(text), 'x']);
    const [row] = await bench.sql(
      `SELECT MIN(LENGTH(value)) AS least, SUM(LENGTH(value)) AS sum FROM ${bench.schema}.boomerang_cache`,
    );
    expect(Number(row!['sum'])).toBeLessThan(text.length * 1.1);
    const mebibytes = Buffer.alloc(3 * 1024 * 1024, 7);
    await cache.set('large', mebibytes, { compress: false });
    expect((await cache.get<Buffer>('large'))!.equals(mebibytes)).toBe(true);
    const error = await failure(cache.set('k', Buffer.alloc(16 * 1024 * 1024 + 1)));
    expect(error).toMatchObject({ argument: 'value' });
  }, 120_000);

  it('options that do not exist or do not fit are refused, and missing tables name install()', async () => {
    const db = bench.open();
    for (const options of [
      { ttl: -1 },
      { tags: 'x' },
      { onError: 'ignore' },
      { l1: { size: 1 } },
      { namespace: 'a\0b' },
      { sizes: 1 },
    ]) {
      expect(() => new Cache(db, options as never)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
      );
    }
    const cache = caches.keep(new Cache(db, { prefix: 'elsewhere_' }));
    for (const options of [
      { ttl: '1' },
      { tags: Array.from({ length: 17 }, String) },
      { max: 1 },
    ]) {
      expect(await failure(cache.set('k', 1, options as never))).toBeInstanceOf(
        InvalidArgumentError,
      );
    }
    expect(await failure(cache.get('k'))).toBeInstanceOf(SchemaError);
    const willing = caches.keep(new Cache(db, { prefix: 'willing_', autoInstall: true }));
    await Promise.all(Array.from({ length: 20 }, (_, at) => willing.set(`${at}`, at)));
    expect(await willing.get('7')).toBe(7);
  });

  it('bytes that a reader writes into are its own: neither memory nor who asked with it sees that', async () => {
    const cache = caches.other({ l1: true });
    const bytes = Buffer.from('abc');
    await cache.set('k', bytes);
    const twice = () => Promise.all([cache.get<Buffer>('k'), cache.get<Buffer>('k')]);
    const made = () =>
      Promise.all([cache.getOrSet('m', () => bytes), cache.getOrSet('m', () => bytes)]);
    for (const read of [twice, twice, () => cache.getMany<Buffer>(['k', 'k']), made, made]) {
      const [one, two] = await read();
      one!.fill(0);
      expect(two).toEqual(bytes);
    }
    expect(bytes.toString()).toBe('abc');
    const serializer = {
      serialize: (value: unknown) => value as Buffer,
      deserialize: (stored: Buffer) => stored.subarray(1),
    };
    const own = caches.other({ l1: true, serializer });
    await own.set('s', bytes);
    for (let count = 0; count < 3; count++) {
      const read = (await own.get<Buffer>('s'))!;
      expect(read.toString()).toBe('bc');
      read.fill(0);
    }
  });

  it('count() is a number, also where the program takes large ones as text', async () => {
    const cache = caches.other({}, { supportBigNumbers: true, bigNumberStrings: true });
    await cache.setMany(['a', 'b'].map((key) => ({ key, value: key })));
    expect(await cache.count()).toBe(2);
  });

  it('two keys of one hash are two: the second is a miss, and is made for who asks and not stored', async () => {
    const cache = caches.other();
    await cache.set('k', 'of another');
    await bench.sql(`UPDATE ${bench.schema}.boomerang_cache SET full_key = 'another'`);
    expect([
      await cache.get('k'),
      await cache.has('k'),
      await cache.getMany(['k', 'x']),
    ]).toStrictEqual([undefined, false, [undefined, undefined]]);
    expect(await cache.touch('k')).toBe(false);
    expect(await cache.getOrSet('k', () => 'made')).toBe('made');
    const both = ['k', 'x'].map((key) => cache.getOrSet(key, () => `made ${key}`));
    expect(await Promise.all(both)).toEqual(['made k', 'made x']);
    expect(await caches.rows("full_key = 'another' AND filler IS NULL")).toBe(1);
  });

  it('own serializers write and read', async () => {
    const serializer = {
      serialize: (value: unknown) => `<${JSON.stringify(value)}>`,
      deserialize: (bytes: Buffer) => JSON.parse(bytes.toString().slice(1, -1)),
    };
    const cache = caches.other({ serializer });
    await cache.set('k', { a: 1 });
    expect(await cache.get('k')).toEqual({ a: 1 });
    expect(await failure(caches.other().get('k'))).toMatchObject({ option: 'serializer' });
  });
});
