import { fightOn, type Duel } from './duel';
import { CHANGE_ITEM, SELECT_ITEM, randomItem } from './item-table';
import type { Bench, Part } from './part';
import { redisForComparison } from './redlock';
import type { Measurement } from './result';
import {
  SIZES,
  changeBlob,
  fillStores,
  openStores,
  type StoreContestants,
} from './store-contestants';

type Contest = Duel<StoreContestants>;
type Operation = (pools: StoreContestants) => () => Promise<unknown>;

/** One statement by primary key may take 1.3 times as long through the store. */
const ONE_STATEMENT = 1 / 1.3;
/** A hundred thousand members more or less are to make no difference. */
const NO_GROWTH = 0.8;

const TAKE = `local t = redis.call('time') local now = t[1] * 1000000 + t[2]
  local full = tonumber(redis.call('get', KEYS[1]) or now) if full < now then full = now end
  if full + 1 - now > 1000000 then return 0 end
  redis.call('set', KEYS[1], full + 1, 'PX', 1000) return 1`;
const BUCKET = { capacity: 1_000_000, refillPerSecond: 1_000_000 };

const anyKey = (): string => `key ${randomItem()}`;
const anyMember = (size: number): string => `member ${Math.floor(Math.random() * size)}`;
let fresh = 0;
const newMember = (): string => `fresh ${fresh++}`;

const read: Operation =
  ({ mysql2 }) =>
  () =>
    mysql2.execute(SELECT_ITEM, [randomItem()]);
const write: Operation =
  ({ mysql2 }) =>
  () =>
    mysql2.execute(CHANGE_ITEM, [randomItem()]);

/** One command beside a plain statement, and beside Redis. */
function single(
  name: string,
  concurrency: number,
  plain: 'SELECT' | 'UPDATE',
  ours: Operation,
  redis: Operation | undefined,
): Contest {
  return {
    part: 'store',
    concurrency,
    ours: { name, operation: ours },
    bases: [
      {
        name: `${plain} by primary key`,
        operation: plain === 'SELECT' ? read : write,
        speed: ONE_STATEMENT,
      },
      ...(redis === undefined ? [] : [{ name: 'Redis', operation: redis }]),
    ],
  };
}

/** A command on a collection of some size: beside ours on the smallest, Redis, and one text for all. */
function collection(
  name: string,
  size: number,
  ours: (size: number) => Operation,
  redis: Operation | undefined,
  blob: Operation | undefined,
): Contest {
  const [smallest] = SIZES;
  return {
    part: 'store',
    concurrency: 1,
    ours: { name: `${name}, ${size} members`, operation: ours(size) },
    bases: [
      { name: `${smallest} members`, operation: ours(smallest), speed: NO_GROWTH },
      ...(redis === undefined ? [] : [{ name: 'Redis', operation: redis }]),
      ...(blob === undefined ? [] : [{ name: 'one JSON text', operation: blob }]),
    ],
  };
}

function contests(withRedis: boolean): Contest[] {
  const beside = (operation: Operation): Operation | undefined =>
    withRedis ? operation : undefined;
  const singles = [1, 16].flatMap((concurrency) => [
    single(
      'get',
      concurrency,
      'SELECT',
      ({ store }) =>
        () =>
          store.get('value'),
      beside(
        ({ redis }) =>
          async () =>
            redis?.get('value'),
      ),
    ),
    single(
      'set',
      concurrency,
      'UPDATE',
      ({ store }) =>
        () =>
          store.set(anyKey(), 'a value'),
      beside(
        ({ redis }) =>
          async () =>
            redis?.set(anyKey(), 'a value'),
      ),
    ),
    single(
      'incrBy',
      concurrency,
      'UPDATE',
      ({ store }) =>
        () =>
          store.incrBy(`counter ${randomItem() % 1000}`),
      beside(
        ({ redis }) =>
          async () =>
            redis?.incrby(`counter ${randomItem() % 1000}`, 1),
      ),
    ),
    single(
      'tokenBucket',
      concurrency,
      'UPDATE',
      ({ store }) =>
        () =>
          store.tokenBucket(`bucket ${randomItem() % 1000}`, BUCKET),
      beside(
        ({ redis }) =>
          async () =>
            redis?.eval(TAKE, 1, `bucket ${randomItem() % 1000}`),
      ),
    ),
  ]);
  const collections = SIZES.flatMap((size) => [
    collection(
      'zadd',
      size,
      (of) =>
        ({ store }) =>
        () =>
          store.zadd(`sorted ${of}`, Math.random(), anyMember(of)),
      beside(
        ({ redis }) =>
          async () =>
            redis?.zadd(`sorted ${size}`, Math.random(), anyMember(size)),
      ),
      ({ mysql2 }) =>
        () =>
          changeBlob(mysql2, `sorted ${size}`, (members) => {
            members[anyMember(size)] = Math.random();
          }),
    ),
    collection(
      'sadd',
      size,
      (of) =>
        ({ store }) =>
        () =>
          store.sadd(`set ${of}`, newMember()),
      beside(
        ({ redis }) =>
          async () =>
            redis?.sadd(`set ${size}`, newMember()),
      ),
      ({ mysql2 }) =>
        () =>
          changeBlob(mysql2, `set ${size}`, (members) => {
            members[newMember()] = 1;
          }),
    ),
    collection(
      'zrangeByScore, 10 of them',
      size,
      (of) =>
        ({ store }) =>
        () =>
          store.zrangeByScore(`sorted ${of}`, 0.5, of, { limit: 10 }),
      beside(
        ({ redis }) =>
          async () =>
            redis?.zrangebyscore(`sorted ${size}`, 0.5, size, 'LIMIT', 0, 10),
      ),
      undefined,
    ),
  ]);
  return [...singles, ...collections];
}

async function run(bench: Bench): Promise<Measurement[]> {
  const redis = await redisForComparison();
  try {
    await fillStores(bench.library, bench.server, redis);
    const open = openStores(redis);
    const rows: Measurement[] = [];
    for (const contest of contests(redis !== undefined)) {
      rows.push(...(await fightOn(open, contest, bench)));
    }
    return rows;
  } finally {
    await redis?.stop();
  }
}

export const storePart: Part = {
  name: 'store',
  summary:
    'commands of the store: beside plain statements, Redis, and collections kept as one text',
  run,
};
