import type { Pool as Mysql2Pool } from 'mysql2/promise';
import { fightOn } from './duel';
import { openLocks, type LockContestants } from './lock-contestants';
import type { Part } from './part';

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

export const lockPart: Part = {
  name: 'lock',
  summary: 'a lock taken and given back: alone, and by 16 contenders',
  run: async (bench) => [
    ...(await fightOn(
      openLocks,
      { part: 'lock', concurrency: 1, ours: alone.ours, bases: [alone.base] },
      bench,
    )),
    ...(await fightOn(
      openLocks,
      { part: 'lock', concurrency: 16, ours: contended.ours, bases: [contended.base] },
      bench,
    )),
  ],
};
