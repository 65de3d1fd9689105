import { createPool, type Pool as Mysql2Pool } from 'mysql2/promise';
import type { DistributedLocks } from '../../src/index';
import type { RedisHandle } from '../server';
import type { Opener } from './duel';
import { openRedlock, type Redlock } from './redlock';

/** Ours beside the server's own locks, which each hold a connection. */
export interface LockContestants {
  readonly locks: DistributedLocks;
  readonly mysql2: Mysql2Pool;
  /** On a Redis of its own, where there is one. */
  readonly redlock: Redlock | undefined;
}

/** As many connections as there are contenders: each of them waits on one. */
const CONTENDERS = 16;

async function openMysql2(address: object): Promise<Mysql2Pool> {
  const pool = createPool({ ...address, connectionLimit: CONTENDERS });
  const all = await Promise.all(Array.from({ length: CONTENDERS }, () => pool.getConnection()));
  for (const connection of all) connection.release();
  return pool;
}

export const openLocks =
  (redis: RedisHandle | undefined): Opener<LockContestants> =>
  async ({ DistributedLocks, RetryingPooledDatabase, install }, server) => {
    const { host, port, user, password, database } = server;
    const address = { host, port, user, password, database };
    const db = new RetryingPooledDatabase(address);
    await install(db);
    const locks = new DistributedLocks(db);
    const other = redis === undefined ? undefined : openRedlock(redis.port);
    const redlock = other?.redlock;
    const [mysql2, twin] = [await openMysql2(address), await openMysql2(address)];
    return {
      pools: { locks, mysql2, redlock },
      control: { locks, mysql2: twin, redlock },
      close: async () => {
        other?.redis.disconnect();
        await locks.close();
        await Promise.all([db.end(), mysql2.end(), twin.end()]);
      },
    };
  };
