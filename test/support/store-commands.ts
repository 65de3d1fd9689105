import fc from 'fast-check';
import type { Command } from '../../src/store/pipeline';

/** A command with its arguments, as it is given to both stores. */
export interface Call {
  readonly command: Command | 'scan';
  readonly args: readonly unknown[];
}

const key = fc.constantFrom('a', 'b', 'c', 'd');
/** Where numbers come near the ends of 64 bits, and nobody reckons with doubles. */
const bigKey = fc.constantFrom('big', 'bigger');
const member = fc.constantFrom('', 'm', 'M', 'm ', 'n', 'ñ', '😀', 'o', 'p\0', '10');
const members = fc.array(member, { minLength: 1, maxLength: 4 });
const value = fc.constantFrom('x', 'y', '', '5', '-7', '1.5', '007', ' 1', '😀', 'abc');
const ttl = fc.constantFrom(100_000, 1_000_000);
const score = fc.constantFrom(-1.5, 0, -0, 1, 2, 2.5, 3, 1e10, -1e-5, 5e-324);
const bound = fc.oneof(score, fc.constantFrom(Infinity, -Infinity));
const rank = fc.integer({ min: -4, max: 4 });
const small = fc.integer({ min: -3, max: 3 });
const count = fc.integer({ min: 0, max: 3 });
const quarter = fc.constantFrom(0.25, -1.5, 2, 0);
const big = fc.constantFrom(1n, -1n, 2n ** 62n, -(2n ** 62n), 2n ** 63n - 1n, -(2n ** 63n) + 1n);
const options = fc.constantFrom({}, { withScores: true } as const);
const page = fc.constantFrom({}, { withScores: true, offset: 1, limit: 2 }, { limit: 1 });
const expiry = fc.oneof(fc.constant({}), fc.record({ ttl }));

type Draw = fc.Arbitrary<readonly unknown[]>;
const of = (...parts: fc.Arbitrary<unknown>[]): Draw => fc.tuple(...parts);
const spread = (first: fc.Arbitrary<unknown>, rest: fc.Arbitrary<unknown[]>): Draw =>
  fc.tuple(first, rest).map(([one, more]) => [one, ...more]);

const draws: Record<string, Draw> = {
  get: of(key),
  set: of(key, value, expiry),
  setNx: of(key, value, expiry),
  getSet: of(key, value),
  getDelete: of(key),
  deleteIfEqual: of(key, value),
  setIfEqual: of(key, value, value, expiry),
  mget: of(fc.array(key, { minLength: 1, maxLength: 3 })),
  mset: of(fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 })),
  delete: fc.array(key, { minLength: 1, maxLength: 2 }),
  exists: fc.array(key, { minLength: 1, maxLength: 3 }),
  expire: of(key, fc.oneof(ttl, fc.constantFrom(0, -1))),
  persist: of(key),
  ttl: of(key),
  scan: of(fc.constantFrom('', 'a', 'bi', 'z')),
  incrBy: fc.oneof(of(key, small), of(bigKey, big)),
  decrBy: fc.oneof(of(key, small), of(bigKey, big)),
  incrByFloat: of(key, quarter),
  sadd: spread(key, members),
  srem: spread(key, members),
  smembers: of(key),
  sismember: of(key, member),
  scard: of(key),
  spop: of(key, count),
  zadd: fc.oneof(
    of(key, score, member),
    of(key, fc.array(fc.tuple(score, member), { minLength: 1, maxLength: 4 })),
  ),
  zincrBy: of(key, score, member),
  zrem: spread(key, members),
  zscore: of(key, member),
  zrank: of(key, member),
  zcard: of(key),
  zcount: of(key, bound, bound),
  zrange: of(key, rank, rank, options),
  zrevrange: of(key, rank, rank, options),
  zrangeByScore: of(key, bound, bound, page),
  zpopMin: of(key, count),
  zpopMax: of(key, count),
  zremRangeByScore: of(key, bound, bound),
  hset: fc.oneof(
    of(key, member, value),
    of(key, fc.array(fc.tuple(member, value), { minLength: 1, maxLength: 3 })),
  ),
  hget: of(key, member),
  hgetAll: of(key),
  hdel: spread(key, members),
  hincrBy: fc.oneof(of(key, member, small), of(bigKey, member, big)),
  hlen: of(key),
};

/** Any command, and now and then one that lets another kind of value have the key. */
const call: fc.Arbitrary<Call> = fc.oneof(
  ...Object.entries(draws).map(([command, args]) => ({
    weight: command === 'delete' ? 3 : 1,
    arbitrary: args.map((drawn) => ({ command: command as Call['command'], args: drawn })),
  })),
);

export const COMMANDS_DRAWN = Object.keys(draws);

/** What some clients do, each on keys of its own, so that its replies do not hang on the others'. */
export const scripts = (clients: number, length: number): fc.Arbitrary<Call[][]> =>
  fc.array(fc.array(call, { minLength: length, maxLength: length, size: 'max' }), {
    minLength: clients,
    maxLength: clients,
  });
