import {
  InvalidArgumentError,
  type KeyValueStore,
  WrongTypeError,
  ConfigurationError,
} from '../../src/index';
import { partsOf } from '../../src/pooled-database';
import { onEachServer } from '../support/servers';
import { StoreBench } from '../support/store-bench';
import { failure } from '../support/until';

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const MIB = 1024 * 1024;
const LARGEST = 2n ** 63n - 1n;

onEachServer((bench) => {
  const stores = new StoreBench(bench);

  it('values come back as what they were', async () => {
    const store = stores.open();
    const values = [
      ...['', 'text', '4-byte 😀', '\uD800', 0, -0, 1.5, NaN, -Infinity, 5n, -(2n ** 80n)],
      ...[EVERY_BYTE, Buffer.alloc(0), null, true, [1, { a: null }], { b: 'c' }],
    ];
    for (const [at, value] of values.entries()) {
      await store.set(`key ${at}`, value);
      await store.hset('hash', `field ${at}`, value);
      expect(await store.get(`key ${at}`)).toEqual(value);
      expect(await store.hget('hash', `field ${at}`)).toEqual(value);
    }
    expect(await store.mget(values.map((_, at) => `key ${at}`))).toEqual(values);
    expect([...(await store.hgetAll('hash')).values()]).toHaveLength(values.length);
    for (const nothing of [undefined, () => 1, Symbol('s')]) {
      await expect(store.set('key', nothing)).rejects.toThrow(InvalidArgumentError);
    }
  });

  it('keys, members and fields are bytes: every one of them counts', async () => {
    const store = stores.open({ names: 'buffer' });
    const names = ['k', 'K', 'k ', 'k\0', 'ko', 'kó', '', '😀', EVERY_BYTE, Buffer.from([0xff])];
    for (const [at, name] of names.entries()) {
      await store.set(name, at);
      await store.sadd('a set', name);
      await store.zadd('a sorted set', 0, name);
      await store.hset('a hash', name, at);
    }
    const bytes = names.map((name) => Buffer.from(name as string));
    const inOrder = [...bytes].sort((a, b) => Buffer.compare(a, b));
    expect(await store.mget(names)).toEqual(names.map((_, at) => at));
    expect(new Set((await store.smembers('a set')).map(String))).toEqual(
      new Set(bytes.map(String)),
    );
    expect(await store.zrange('a sorted set', 0, -1)).toEqual(inOrder);
    for (const [at, name] of names.entries()) expect(await store.hget('a hash', name)).toBe(at);
    const scanned: Buffer[] = [];
    for await (const key of store.scan()) scanned.push(key);
    const collections = ['a set', 'a sorted set', 'a hash'].map((key) => Buffer.from(key));
    const all = [...bytes, ...collections].map((key) => key.toString('hex'));
    expect(scanned.map((key) => key.toString('hex')).sort()).toEqual(all.sort());
    expect(await store.delete(...names)).toBe(names.length);
  });

  it('a store that gives strings takes no members that would not come back', async () => {
    const store = stores.open();
    await store.sadd('set', Buffer.from('é'));
    expect(await store.smembers('set')).toEqual(['é']);
    await expect(store.sadd('set', Buffer.from([0xff]))).rejects.toThrow(ConfigurationError);
    await store.set(Buffer.from([0xff]), 1);
    expect(await store.get(Buffer.from([0xff]))).toBe(1);
    await expect(store.scan(Buffer.from([0xff])).next()).rejects.toThrow(ConfigurationError);
  });

  it('keys have 3,072 bytes at most, and those that begin alike are told apart', async () => {
    const store = stores.open();
    const long = ['a', 'b'].map((end) => 'é'.repeat(1535) + 'x' + end);
    await store.mset(long.map((key, at) => [key, at]));
    expect(await store.mget(long)).toEqual([0, 1]);
    const found: string[] = [];
    for await (const key of store.scan('é'.repeat(1535) + 'x')) found.push(key);
    expect(found.sort()).toEqual(long);
    const error = await failure(store.get('é'.repeat(1536) + 'x'));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error.message).not.toContain('é');
    await expect(store.sadd('set', 'm'.repeat(3001))).rejects.toThrow(InvalidArgumentError);
    expect(await store.sadd('set', 'm'.repeat(3000))).toBe(1);
  });

  it('values have 16 MiB at most, and what the server would not take is refused before it is sent', async () => {
    const store = stores.open();
    const db = bench.open();
    const packet = await partsOf(db).statements.maxAllowedPacket();
    const most = Math.min(16 * MIB, packet - 16 * 1024);
    const value = Buffer.alloc(most, 0xab);
    await store.set('key', value);
    expect(value.equals((await store.get<Buffer>('key'))!)).toBe(true);
    await store.hset('hash', 'field', value);
    expect(value.equals((await store.hget<Buffer>('hash', 'field'))!)).toBe(true);
    const tooLarge = Buffer.alloc(most + 1);
    const pattern = most === 16 * MIB ? /may have 16777216/ : /max_allowed_packet/;
    await expect(store.set('other', tooLarge)).rejects.toThrow(pattern);
    await expect(
      store.mset([
        ['other', 1],
        ['another', tooLarge],
      ]),
    ).rejects.toThrow(pattern);
    await expect(
      store.hset('hash', [
        ['a', 1],
        ['b', tooLarge],
      ]),
    ).rejects.toThrow(pattern);
    expect([await store.exists('other', 'another'), await store.hlen('hash')]).toEqual([0, 1]);
    const halves = Array.from(
      { length: 4 },
      (_, at) => [`k${at}`, value.subarray(0, most / 3)] as const,
    );
    await store.mset(halves);
    expect(await store.exists(...halves.map(([key]) => key))).toBe(4);
  }, 60_000);

  it('counters are exact to the ends of 64 bits, and stay what they are beyond', async () => {
    const store = stores.open();
    expect(await store.incrBy('counter', LARGEST - 1n)).toBe(LARGEST - 1n);
    expect(await store.incrBy('counter')).toBe(LARGEST);
    await expect(store.incrBy('counter')).rejects.toThrow(InvalidArgumentError);
    expect(await store.get('counter')).toBe(String(LARGEST));
    expect(await store.decrBy('low', LARGEST)).toBe(-LARGEST);
    expect(await store.decrBy('low')).toBe(-LARGEST - 1n);
    await expect(store.decrBy('low')).rejects.toThrow(/64 bits/);
    expect(await store.incrBy('low', 0)).toBe(-LARGEST - 1n);
    expect(await store.hincrBy('hash', 'field', LARGEST)).toBe(LARGEST);
    await expect(store.hincrBy('hash', 'field')).rejects.toThrow(InvalidArgumentError);
    for (const bad of [2n ** 63n, 2 ** 53, 0.5, NaN, '1' as never]) {
      await expect(store.incrBy('counter', bad)).rejects.toThrow(InvalidArgumentError);
    }
    await store.set('number', 41);
    expect([await store.incrBy('number'), await store.get('number')]).toEqual([42n, '42']);
  });

  it('what is no number is not added to, and the error does not quote it', async () => {
    const store = stores.open();
    const secrets = ['s3cret', '', ' 1', '01', '+1', '1.0', '0x10', '9223372036854775808'];
    for (const text of [...secrets, { json: 1 }, true, EVERY_BYTE, Buffer.alloc(1000, '1')]) {
      await store.set('key', text);
      await store.hset('hash', 'field', text);
      const error = await failure(store.incrBy('key'));
      expect(error).toBeInstanceOf(WrongTypeError);
      expect(String(error.stack) + String(error.cause)).not.toContain('s3cret');
      await expect(store.hincrBy('hash', 'field')).rejects.toThrow(WrongTypeError);
      expect(await store.get('key')).toEqual(text);
      expect(await store.hget('hash', 'field')).toEqual(text);
    }
  });

  it('scores are finite; infinities are ends of ranges', async () => {
    const store = stores.open();
    for (const score of [NaN, Infinity, -Infinity, '1' as never]) {
      await expect(store.zadd('sorted', score, 'm')).rejects.toThrow(InvalidArgumentError);
      await expect(store.zincrBy('sorted', score, 'm')).rejects.toThrow(InvalidArgumentError);
    }
    expect(await store.exists('sorted')).toBe(0);
    const scores = [0.1 + 0.2, 5e-324, -Number.MAX_VALUE, Number.MAX_VALUE, 1_700_000_000.123456];
    await store.zadd(
      'sorted',
      scores.map((score, at) => [score, `m${at}`] as const),
    );
    for (const [at, score] of scores.entries())
      expect(await store.zscore('sorted', `m${at}`)).toBe(score);
    expect(await store.zcount('sorted', -Infinity, Infinity)).toBe(5);
    await expect(store.zincrBy('sorted', Number.MAX_VALUE, 'm3')).rejects.toThrow(/infinite/);
    await expect(store.zcount('sorted', NaN, 1)).rejects.toThrow(InvalidArgumentError);
  });

  it('a key of another kind is a WrongTypeError, and stays as it is', async () => {
    const store = stores.open();
    await store.set('value', 1);
    await store.sadd('set', 'm');
    await store.zadd('sorted', 1, 'm');
    await store.hset('hash', 'f', 1);
    await store.tokenBucket('bucket', { capacity: 2, refillPerSecond: 0.01 });
    const kinds: Record<string, (key: string) => Promise<unknown>> = {
      value: (key) => store.getSet(key, 'x'),
      set: (key) => store.sadd(key, 'x'),
      sorted: (key) => store.zadd(key, 1, 'x'),
      hash: (key) => store.hset(key, 'x', 1),
      bucket: (key) => store.tokenBucket(key, { capacity: 2, refillPerSecond: 0.01 }),
    };
    for (const key of Object.keys(kinds)) {
      for (const [kind, command] of Object.entries(kinds)) {
        if (kind !== key) await expect(command(key)).rejects.toThrow(WrongTypeError);
      }
    }
    expect(await store.get('value')).toBe(1);
    expect([
      await store.scard('set'),
      await store.zcard('sorted'),
      await store.hlen('hash'),
    ]).toEqual([1, 1, 1]);
  });

  it('a serializer of the caller’s has all values', async () => {
    const serializer = {
      serialize: (value: unknown) => `<${String(value)}>`,
      deserialize: (bytes: Buffer) => bytes.toString().slice(1, -1),
    };
    const store = stores.open({ serializer, namespace: 'serialized' });
    await store.set('key', 5);
    expect(await store.get('key')).toBe('5');
    const plain: KeyValueStore = stores.open({ namespace: 'serialized' });
    await expect(plain.get('key')).rejects.toThrow(ConfigurationError);
  });
});
