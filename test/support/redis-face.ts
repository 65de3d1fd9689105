import { type Redis } from 'ioredis';
import type { Call } from './store-commands';

const IF_EQUAL =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
const SET_IF_EQUAL =
  "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('set', KEYS[1], unpack(ARGV, 2)) return 1 else return 0 end";

interface Options {
  readonly ttl?: number;
  readonly withScores?: boolean;
  readonly offset?: number;
  readonly limit?: number;
}

const bound = (value: number): string =>
  value === Infinity ? '+inf' : value === -Infinity ? '-inf' : String(value);
const lifetime = ({ ttl }: Options = {}): string[] =>
  ttl === undefined ? [] : ['PX', String(ttl)];
const pairs = (flat: readonly string[]) =>
  Array.from({ length: flat.length / 2 }, (_, at) => ({
    member: flat[2 * at],
    score: Number(flat[2 * at + 1]),
  }));
const ranged = (flat: readonly string[], { withScores }: Options = {}): unknown =>
  withScores === true ? pairs(flat) : flat;
const scores = ({ withScores }: Options = {}): string[] =>
  withScores === true ? ['WITHSCORES'] : [];

/** A real Redis with the store's own methods: the same arguments, and replies in the same form. */
export class RedisFace {
  readonly #redis: Redis;
  readonly #prefix: string;

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  async run({ command, args }: Call, ours: unknown): Promise<unknown> {
    const face = this as unknown as Record<string, (...given: any[]) => Promise<unknown>>;
    // What is taken at random has to be taken here too.
    return command === 'spop' ? this.spop(args[0] as string, ours) : face[command]!(...args);
  }

  async #call(command: string, ...args: unknown[]): Promise<any> {
    return this.#redis.call(command, ...(args as string[]));
  }

  #on(command: string, key: string, ...args: unknown[]): Promise<any> {
    return this.#call(command, this.#prefix + key, ...args);
  }

  async #number(command: string, key: string, ...args: unknown[]): Promise<number> {
    return Number(await this.#on(command, key, ...args));
  }

  async #flag(command: string, key: string, ...args: unknown[]): Promise<boolean> {
    return (await this.#number(command, key, ...args)) === 1;
  }

  async #maybe(command: string, key: string, ...args: unknown[]): Promise<any> {
    return (await this.#on(command, key, ...args)) ?? undefined;
  }

  get = (key: string) => this.#maybe('GET', key);
  set = async (key: string, value: string, options?: Options) => {
    await this.#on('SET', key, value, ...lifetime(options));
    return undefined;
  };
  setNx = async (key: string, value: string, options?: Options) =>
    (await this.#on('SET', key, value, 'NX', ...lifetime(options))) === 'OK';
  getSet = (key: string, value: string) => this.#maybe('GETSET', key, value);
  getDelete = (key: string) => this.#maybe('GETDEL', key);
  deleteIfEqual = async (key: string, value: string) =>
    Number(await this.#call('EVAL', IF_EQUAL, 1, this.#prefix + key, value)) === 1;
  setIfEqual = async (key: string, expected: string, value: string, options?: Options) =>
    Number(
      await this.#call(
        ...(['EVAL', SET_IF_EQUAL, 1, this.#prefix + key, expected, value] as [
          string,
          ...unknown[],
        ]),
        ...lifetime(options),
      ),
    ) === 1;
  mget = async (keys: string[]) =>
    ((await this.#call('MGET', ...keys.map((key) => this.#prefix + key))) as unknown[]).map(
      (value) => value ?? undefined,
    );
  mset = async (entries: [string, string][]) => {
    await this.#call('MSET', ...entries.flatMap(([key, value]) => [this.#prefix + key, value]));
    return undefined;
  };
  delete = async (...keys: string[]) =>
    Number(await this.#call('DEL', ...keys.map((key) => this.#prefix + key)));
  exists = async (...keys: string[]) =>
    Number(await this.#call('EXISTS', ...keys.map((key) => this.#prefix + key)));
  expire = (key: string, ttl: number) => this.#flag('PEXPIRE', key, ttl);
  persist = (key: string) => this.#flag('PERSIST', key);
  ttl = (key: string) => this.#number('PTTL', key);
  scan = async (prefix: string) => {
    const found: string[] = await this.#call('KEYS', `${this.#prefix}${prefix}*`);
    return found.map((key) => key.slice(this.#prefix.length));
  };
  incrBy = async (key: string, by: number) => BigInt(await this.#on('INCRBY', key, by));
  decrBy = async (key: string, by: number) => BigInt(await this.#on('DECRBY', key, by));
  incrByFloat = (key: string, by: number) => this.#number('INCRBYFLOAT', key, by);
  sadd = (key: string, ...members: string[]) => this.#number('SADD', key, ...members);
  srem = (key: string, ...members: string[]) => this.#number('SREM', key, ...members);
  smembers = (key: string) => this.#on('SMEMBERS', key);
  sismember = (key: string, member: string) => this.#flag('SISMEMBER', key, member);
  scard = (key: string) => this.#number('SCARD', key);
  /** Takes out what ours has taken; gives the same where that was as much as there was to take. */
  spop = async (key: string, ours: unknown) => {
    const members = Array.isArray(ours) ? (ours as string[]) : [];
    const before = await this.scard(key);
    if (members.length > 0) await this.srem(key, ...members);
    const gone = before - (await this.scard(key));
    return gone === members.length ? ours : { gone };
  };
  zadd = (key: string, first: number | [number, string][], member?: string) => {
    const entries = typeof first === 'number' ? [[first, member]] : first;
    return this.#number('ZADD', key, ...entries.flat());
  };
  zincrBy = (key: string, by: number, member: string) => this.#number('ZINCRBY', key, by, member);
  zrem = (key: string, ...members: string[]) => this.#number('ZREM', key, ...members);
  zscore = async (key: string, member: string) => {
    const score = await this.#maybe('ZSCORE', key, member);
    return score === undefined ? undefined : Number(score);
  };
  zrank = async (key: string, member: string) => {
    const rank = await this.#maybe('ZRANK', key, member);
    return rank === undefined ? undefined : Number(rank);
  };
  zcard = (key: string) => this.#number('ZCARD', key);
  zcount = (key: string, min: number, max: number) =>
    this.#number('ZCOUNT', key, bound(min), bound(max));
  zrange = async (key: string, start: number, stop: number, options: Options) =>
    ranged(await this.#on('ZRANGE', key, start, stop, ...scores(options)), options);
  zrevrange = async (key: string, start: number, stop: number, options: Options) =>
    ranged(await this.#on('ZREVRANGE', key, start, stop, ...scores(options)), options);
  zrangeByScore = async (key: string, min: number, max: number, options: Options) => {
    const { offset = 0, limit = -1 } = options;
    const rest = [...scores(options), 'LIMIT', offset, limit];
    return ranged(await this.#on('ZRANGEBYSCORE', key, bound(min), bound(max), ...rest), options);
  };
  zpopMin = async (key: string, count: number) => pairs(await this.#on('ZPOPMIN', key, count));
  zpopMax = async (key: string, count: number) => pairs(await this.#on('ZPOPMAX', key, count));
  zremRangeByScore = (key: string, min: number, max: number) =>
    this.#number('ZREMRANGEBYSCORE', key, bound(min), bound(max));
  hset = (key: string, first: string | [string, string][], value?: string) => {
    const fields = typeof first === 'string' ? [first, value] : first.flat();
    return this.#number('HSET', key, ...fields);
  };
  hget = (key: string, field: string) => this.#maybe('HGET', key, field);
  hgetAll = async (key: string) => {
    const flat: string[] = await this.#on('HGETALL', key);
    return new Map(flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1]]] : [])));
  };
  hdel = (key: string, ...fields: string[]) => this.#number('HDEL', key, ...fields);
  hincrBy = async (key: string, field: string, by: number) =>
    BigInt(await this.#on('HINCRBY', key, field, by));
  hlen = (key: string) => this.#number('HLEN', key);
}
