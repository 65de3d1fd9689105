import { openCaches, type CacheContestants } from './cache-contestants';
import { fightOn, type Duel } from './duel';
import type { Bench, Part } from './part';
import { redisForComparison } from './redlock';
import type { Measurement } from './result';

const SIZES = { '100 B': 100, '1 KB': 1000, '60 kB': 60_000 } as const;
type Size = keyof typeof SIZES;

/** Keys that are read and written over and over. */
const KEYS = 200;
const BATCH = 50;

const keyOf = (size: string): string => `${size} ${Math.floor(Math.random() * KEYS)}`;
const batchOf = (size: string): string[] => {
  const from = Math.floor(Math.random() * (KEYS - BATCH));
  return Array.from({ length: BATCH }, (_, at) => `${size} ${from + at}`);
};
const all = (size: string): string[] => Array.from({ length: KEYS }, (_, at) => `${size} ${at}`);

/** Text, as most of what is cached. */
const valueOf = (size: Size): string => 'abcdefghij'.repeat(SIZES[size] / 10);

let written = 1_000_000_000;
/** Another one each time: a server that is given what it has already writes nothing. */
const newValueOf = (size: Size): string => String(written++) + valueOf(size).slice(10);

type Cases = Duel<CacheContestants>;
type Call = (pools: CacheContestants) => () => Promise<unknown>;

/** A call of each, and the least that ours has to be of Keyv's. */
interface Calls {
  readonly name: string;
  readonly concurrency: number;
  readonly speed?: number;
  readonly ours: Call;
  readonly keyv: Call;
  readonly adapter: Call;
  readonly redis?: Call;
}

function single({ name, concurrency, speed, ours, keyv, adapter, redis }: Calls): Cases {
  const bar = speed === undefined ? {} : { speed };
  const first = { name: `Keyv, @keyv/mysql: ${name}`, operation: keyv, ...bar };
  const others = [{ name: `@keyv/mysql alone: ${name}`, operation: adapter }];
  if (concurrency === 1) others.push({ name: 'SELECT 1', operation: (pools) => pools.ping });
  if (redis !== undefined) others.push({ name: `ioredis ${name}`, operation: redis });
  return { part: 'cache', concurrency, ours: { name, operation: ours }, bases: [first, ...others] };
}

function get(size: Size, concurrency: number, speed?: number): Cases {
  return single({
    name: `get ${size}`,
    concurrency,
    ...(speed === undefined ? {} : { speed }),
    ours:
      ({ cache }) =>
      () =>
        cache.get(keyOf(size)),
    keyv:
      ({ keyv }) =>
      () =>
        keyv.get(keyOf(size)),
    adapter:
      ({ adapter }) =>
      () =>
        adapter.get(keyOf(size)),
    redis:
      ({ redis }) =>
      async () =>
        redis?.get(keyOf(size)),
  });
}

function set(size: Size, concurrency: number, speed?: number): Cases {
  return single({
    name: `set ${size}`,
    concurrency,
    ...(speed === undefined ? {} : { speed }),
    ours:
      ({ cache }) =>
      () =>
        cache.set(keyOf(size), newValueOf(size)),
    keyv:
      ({ keyv }) =>
      () =>
        keyv.set(keyOf(size), newValueOf(size)),
    adapter:
      ({ adapter }) =>
      () =>
        adapter.set(keyOf(size), newValueOf(size)),
    redis:
      ({ redis }) =>
      async () =>
        redis?.set(keyOf(size), newValueOf(size)),
  });
}

/** What changes nothing: of the same value there is nothing to be stored. */
function setSame(size: Size, concurrency: number, speed?: number): Cases {
  const value = valueOf(size);
  return single({
    name: `set the same ${size}`,
    concurrency,
    ...(speed === undefined ? {} : { speed }),
    ours:
      ({ cache }) =>
      () =>
        cache.set(keyOf(size), value),
    keyv:
      ({ keyv }) =>
      () =>
        keyv.set(keyOf(size), value),
    adapter:
      ({ adapter }) =>
      () =>
        adapter.set(keyOf(size), value),
  });
}

function getMany(size: Size, own?: number): Cases {
  return {
    part: 'cache',
    concurrency: 1,
    weight: BATCH,
    ours: {
      name: `getMany(50) ${size}`,
      operation:
        ({ cache }) =>
        () =>
          cache.getMany(batchOf(size)),
    },
    bases: [
      {
        name: '50 gets of Keyv, @keyv/mysql',
        speed: 7,
        operation:
          ({ keyv }) =>
          async () => {
            for (const key of batchOf(size)) await keyv.get(key);
          },
      },
      {
        name: 'its getMany(50)',
        operation:
          ({ keyv }) =>
          () =>
            keyv.getMany(batchOf(size)),
        ...(own === undefined ? {} : { speed: own }),
      },
      {
        name: '@keyv/mysql alone: getMany(50)',
        operation:
          ({ adapter }) =>
          () =>
            adapter.getMany(batchOf(size)),
      },
    ],
  };
}

function setMany(size: Size, speed: number): Cases {
  return {
    part: 'cache',
    concurrency: 1,
    weight: BATCH,
    ours: {
      name: `setMany(50) ${size}`,
      operation:
        ({ cache }) =>
        () =>
          cache.setMany(batchOf(size).map((key) => ({ key, value: newValueOf(size) }))),
    },
    bases: [
      {
        name: '50 sets of Keyv, @keyv/mysql',
        speed,
        operation:
          ({ keyv }) =>
          async () => {
            for (const key of batchOf(size)) await keyv.set(key, newValueOf(size));
          },
      },
    ],
  };
}

/** As a web request does it: an object of a session, read and written. */
const session = () => ({
  cookie: { originalMaxAge: 60_000 },
  user: 7,
  cart: newValueOf('1 KB'),
});
const sessionGet: Cases = {
  part: 'cache',
  concurrency: 16,
  ours: {
    name: 'get a session',
    operation:
      ({ cache }) =>
      () =>
        cache.get(keyOf('session')),
  },
  bases: [
    {
      name: 'express-mysql-session get',
      operation:
        ({ sessions }) =>
        () =>
          sessions.get(keyOf('session')),
    },
  ],
};
const sessionSet: Cases = {
  part: 'cache',
  concurrency: 16,
  ours: {
    name: 'set a session',
    operation:
      ({ cache }) =>
      () =>
        cache.set(keyOf('session'), session()),
  },
  bases: [
    {
      name: 'express-mysql-session set',
      operation:
        ({ sessions }) =>
        () =>
          sessions.set(keyOf('session'), session()),
    },
  ],
};

/** Every key is there for everybody. */
async function fill({ cache, keyv, adapter, sessions, redis }: CacheContestants): Promise<void> {
  for (const size of Object.keys(SIZES) as Size[]) {
    const value = valueOf(size);
    await cache.setMany(all(size).map((key) => ({ key, value })));
    for (const key of all(size)) {
      await keyv.set(key, value);
      await adapter.set(key, value);
      await redis?.set(key, value);
    }
  }
  await cache.setMany(all('session').map((key) => ({ key, value: session() })));
  for (const key of all('session')) await sessions.set(key, session());
}

function withoutRedis(duel: Cases, hasRedis: boolean): Cases {
  const [first, ...others] = duel.bases;
  const kept = others.filter(({ name }) => hasRedis || !name.startsWith('ioredis'));
  return { ...duel, bases: [first, ...kept] };
}

async function run(bench: Bench): Promise<Measurement[]> {
  const redis = await redisForComparison();
  const duels: Cases[] = [
    get('100 B', 1),
    get('1 KB', 1, 1.3),
    get('60 kB', 1, 1.6),
    get('100 B', 16, 3),
    get('1 KB', 16, 3),
    get('60 kB', 16, 1.6),
    get('100 B', 64, 8),
    get('1 KB', 64, 8),
    set('100 B', 16, 1.3),
    set('1 KB', 16, 1.6),
    set('60 kB', 16),
    setSame('60 kB', 16, 10),
    getMany('100 B'),
    getMany('1 KB', 1.5),
    setMany('100 B', 5),
    setMany('1 KB', 6.5),
    sessionGet,
    sessionSet,
  ].map((duel) => withoutRedis(duel, redis !== undefined));
  const rows: Measurement[] = [];
  try {
    const opener = openCaches(redis);
    for (const duel of duels) {
      const filled: typeof opener = async (library, server) => {
        const opened = await opener(library, server);
        await fill(opened.pools);
        return opened;
      };
      rows.push(...(await fightOn(filled, duel, bench)));
    }
  } finally {
    await redis?.stop();
  }
  return rows;
}

export const cachePart: Part = {
  name: 'cache',
  summary: 'a value read and written, alone, many at once, and many in one call',
  run,
};
