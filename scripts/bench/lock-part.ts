import type { Pool as Mysql2Pool } from 'mysql2/promise';
import { fightOn } from './duel';
import { measureHandOver } from './hand-over';
import { CHANGE_ITEM, randomItem } from './item-table';
import { openLocks, type LockContestants } from './lock-contestants';
import type { Bench, Part } from './part';
import { redisForComparison } from './redlock';
import type { Measurement } from './result';

/** How long a contender keeps the lock, in ms. */
const HOLD = 2;

const held = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, HOLD));

let names = 0;

async function byServer(pool: Mysql2Pool, name: string, work?: () => Promise<void>): Promise<void> {
  const connection = await pool.getConnection();
  try {
    await connection.execute('SELECT GET_LOCK(?, 30)', [name]);
    await work?.();
    await connection.execute('SELECT RELEASE_LOCK(?)', [name]);
  } finally {
    connection.release();
  }
}

const alone = {
  ours: {
    name: 'acquire + release',
    operation: ({ locks }: LockContestants) => {
      const name = `alone ${names++}`;
      return async () => (await locks.acquire(name)).release();
    },
  },
  base: {
    name: 'GET_LOCK + RELEASE_LOCK',
    operation: ({ mysql2 }: LockContestants) => {
      const name = `alone ${names++}`;
      return () => byServer(mysql2, name);
    },
    speed: 0.65,
  },
  /** What two writes cost, whatever they are for. */
  updates: {
    name: 'two UPDATEs by primary key',
    operation: ({ mysql2 }: LockContestants) => {
      return async () => {
        await mysql2.execute(CHANGE_ITEM, [randomItem()]);
        await mysql2.execute(CHANGE_ITEM, [randomItem()]);
      };
    },
  },
  redlock: {
    name: 'redlock on Redis, nothing on disk',
    operation: ({ redlock }: LockContestants) => {
      const name = `alone ${names++}`;
      return async () => (await redlock?.acquire([name], 30_000))?.release();
    },
  },
};

const contended = {
  ours: {
    name: 'acquire, 2 ms, release',
    operation: ({ locks }: LockContestants) => {
      const name = `contended ${names++}`;
      return () => locks.using(name, {}, held);
    },
  },
  base: {
    name: 'GET_LOCK on 16 connections',
    operation: ({ mysql2 }: LockContestants) => {
      const name = `contended ${names++}`;
      return () => byServer(mysql2, name, held);
    },
    speed: 0.97,
  },
};

async function run(bench: Bench): Promise<Measurement[]> {
  const redis = await redisForComparison();
  const open = openLocks(redis);
  const beside = redis === undefined ? [] : [alone.redlock];
  try {
    return [
      ...(await fightOn(
        open,
        {
          part: 'lock',
          concurrency: 1,
          ours: alone.ours,
          bases: [alone.base, alone.updates, ...beside],
        },
        bench,
      )),
      ...(await fightOn(
        open,
        { part: 'lock', concurrency: 16, ours: contended.ours, bases: [contended.base] },
        bench,
      )),
      await measureHandOver(bench),
    ];
  } finally {
    await redis?.stop();
  }
}

export const lockPart: Part = {
  name: 'lock',
  summary: 'a lock taken and given back: alone, by 16 contenders, and from process to process',
  run,
};
