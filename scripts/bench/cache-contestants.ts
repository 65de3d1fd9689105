import KeyvMysql from '@keyv/mysql';
import { Keyv } from 'keyv';
import { createRequire } from 'node:module';
import session from 'express-session';

import { Redis } from 'ioredis';
import { createPool } from 'mysql2/promise';
import type { Cache } from '../../src/index';
import type { RedisHandle } from '../server';
import { POOL_SIZE } from './contestants';
import type { Opener } from './duel';

/** What is used of it: a store of sessions that gives promises. */
interface MysqlSessionStore {
  get(id: string): Promise<unknown>;
  set(id: string, session: object): Promise<unknown>;
  onReady(): Promise<void>;
  close(): Promise<void>;
}

/** Ours beside what people keep a cache in. */
export interface CacheContestants {
  readonly cache: Cache;
  /** As its manual has it used: Keyv makes text of values, and knows when they expire. */
  readonly keyv: Keyv;
  /** The same without Keyv: text by key, no expiry. */
  readonly adapter: KeyvMysql;
  /** What a round trip takes at least. */
  readonly ping: () => Promise<unknown>;
  readonly sessions: MysqlSessionStore;
  /** On a Redis of its own, where there is one. */
  readonly redis: Redis | undefined;
}

// It has no declarations.
const makeStore = createRequire(__filename)('express-mysql-session') as (of: object) => unknown;
const MysqlStore = makeStore(session) as new (options: object) => MysqlSessionStore;

let tables = 0;

/** A pool of its own for each: @keyv/mysql has one for all its instances, told apart by the address. */
async function openAdapter(url: string): Promise<KeyvMysql> {
  const address = new URL(url);
  const adapter = new KeyvMysql({
    uri: address.href,
    table: `keyv${tables++}`,
    connectionLimit: POOL_SIZE,
  });
  await Promise.all(Array.from({ length: POOL_SIZE }, () => adapter.get('nothing')));
  return adapter;
}

export const openCaches =
  (handle: RedisHandle | undefined): Opener<CacheContestants> =>
  async ({ Cache, RetryingPooledDatabase, install }, server) => {
    const { host, port, user, password, database, url } = server;
    const address = { host, port, user, password, database, connectionLimit: POOL_SIZE };
    const db = new RetryingPooledDatabase(address);
    await install(db);
    const cache = new Cache(db, { namespace: 'bench' });
    const taken = await Promise.all(Array.from({ length: POOL_SIZE }, () => db.getConnection()));
    await Promise.all(taken.map((connection) => connection.release()));
    const adapter = await openAdapter(url);
    const keyv = new Keyv({ store: adapter, namespace: 'bench' });
    const plain = createPool(address);
    const sessions = new MysqlStore({ ...address, clearExpired: false });
    await sessions.onReady();
    const redis =
      handle === undefined ? undefined : new Redis({ host: '127.0.0.1', port: handle.port });
    const ping = (): Promise<unknown> => plain.execute('SELECT 1');
    const pools = { cache, keyv, adapter, ping, sessions, redis };
    return {
      pools,
      // Its module holds one pool only: the same again, measured twice.
      control: pools,
      close: async () => {
        redis?.disconnect();
        await cache.close();
        await adapter.disconnect();
        await Promise.all([db.end(), sessions.close(), plain.end()]);
      },
    };
  };
