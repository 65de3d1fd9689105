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

type Cases = Duel<CacheContestants>;

function get(size: Size, concurrency: number, speed: number | undefined, hasRedis: boolean): Cases {
  const bar = speed === undefined ? {} : { speed };
  const redis = {
    name: `ioredis get ${size}`,
    operation:
      ({ redis: client }: CacheContestants) =>
      async () =>
        client?.get(keyOf(size)),
  };
  return {
    part: 'cache',
    concurrency,
    ours: {
      name: `get ${size}`,
      operation:
        ({ cache }) =>
        () =>
          cache.get(keyOf(size)),
    },
    bases: [
      {
        name: `@keyv/mysql get ${size}`,
        operation:
          ({ keyv }) =>
          () =>
            keyv.get(keyOf(size)),
        ...bar,
      },
      ...(hasRedis ? [redis] : []),
    ],
  };
}

function set(size: Size, concurrency: number, speed: number | undefined, hasRedis: boolean): Cases {
  const value = valueOf(size);
  const bar = speed === undefined ? {} : { speed };
  const redis = {
    name: `ioredis set ${size}`,
    operation:
      ({ redis: client }: CacheContestants) =>
      async () =>
        client?.set(keyOf(size), value),
  };
  return {
    part: 'cache',
    concurrency,
    ours: {
      name: `set ${size}`,
      operation:
        ({ cache }) =>
        () =>
          cache.set(keyOf(size), value),
    },
    bases: [
      {
        name: `@keyv/mysql set ${size}`,
        operation:
          ({ keyv }) =>
          () =>
            keyv.set(keyOf(size), value),
        ...bar,
      },
      ...(hasRedis ? [redis] : []),
    ],
  };
}

function getMany(size: Size, own: number | undefined): Cases {
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
        name: '50 keyv gets',
        speed: 7,
        operation:
          ({ keyv }) =>
          async () => {
            for (const key of batchOf(size)) await keyv.get(key);
          },
      },
      {
        name: 'keyv getMany(50)',
        operation:
          ({ keyv }) =>
          () =>
            keyv.getMany(batchOf(size)),
        ...(own === undefined ? {} : { speed: own }),
      },
    ],
  };
}

function setMany(size: Size, speed: number): Cases {
  const value = valueOf(size);
  return {
    part: 'cache',
    concurrency: 1,
    weight: BATCH,
    ours: {
      name: `setMany(50) ${size}`,
      operation:
        ({ cache }) =>
        () =>
          cache.setMany(batchOf(size).map((key) => ({ key, value }))),
    },
    bases: [
      {
        name: '50 keyv sets',
        speed,
        operation:
          ({ keyv }) =>
          async () => {
            for (const key of batchOf(size)) await keyv.set(key, value);
          },
      },
    ],
  };
}

/** As a web request does it: an object of a session, read and written. */
const SESSION = { cookie: { originalMaxAge: 60_000 }, user: 7, cart: valueOf('1 KB') };
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
        cache.set(keyOf('session'), SESSION),
  },
  bases: [
    {
      name: 'express-mysql-session set',
      operation:
        ({ sessions }) =>
        () =>
          sessions.set(keyOf('session'), SESSION),
    },
  ],
};

/** Every key is there for everybody. */
async function fill({ cache, keyv, sessions, redis }: CacheContestants): Promise<void> {
  for (const size of Object.keys(SIZES) as Size[]) {
    const value = valueOf(size);
    await cache.setMany(all(size).map((key) => ({ key, value })));
    for (const key of all(size)) {
      await keyv.set(key, value);
      await redis?.set(key, value);
    }
  }
  await cache.setMany(all('session').map((key) => ({ key, value: SESSION })));
  for (const key of all('session')) await sessions.set(key, SESSION);
}

async function run(bench: Bench): Promise<Measurement[]> {
  const redis = await redisForComparison();
  const beside = redis !== undefined;
  const duels: Cases[] = [
    get('100 B', 1, undefined, beside),
    get('1 KB', 1, 1.3, beside),
    get('60 kB', 1, 1.6, false),
    get('100 B', 16, 3, beside),
    get('1 KB', 16, 3, beside),
    get('60 kB', 16, 1.6, beside),
    get('100 B', 64, 8, beside),
    get('1 KB', 64, 8, beside),
    set('100 B', 16, 1.3, beside),
    set('1 KB', 16, 1.6, beside),
    set('60 kB', 16, 10, beside),
    getMany('100 B', undefined),
    getMany('1 KB', 1.5),
    setMany('100 B', 5),
    setMany('1 KB', 6.5),
    sessionGet,
    sessionSet,
  ];
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
