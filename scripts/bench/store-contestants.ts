import { Redis } from 'ioredis';
import { createPool, type Pool as Mysql2Pool } from 'mysql2/promise';
import type { KeyValueStore } from '../../src/index';
import { POOL_SIZE } from './contestants';
import type { Opener } from './duel';
import type { BenchServer, Library } from './part';
import type { RedisHandle } from '../server';

/** Ours, plain statements, and a Redis of its own, where there is one. */
export interface StoreContestants {
  readonly store: KeyValueStore;
  readonly mysql2: Mysql2Pool;
  readonly redis: Redis | undefined;
}

/** How many members the collections begin with. */
export const SIZES = [10, 1000, 100_000] as const;

const AT_ONCE = 10_000;

async function openMysql2(address: object): Promise<Mysql2Pool> {
  const pool = createPool({ ...address, connectionLimit: POOL_SIZE });
  const all = await Promise.all(Array.from({ length: POOL_SIZE }, () => pool.getConnection()));
  for (const connection of all) connection.release();
  return pool;
}

export const openStores =
  (redis: RedisHandle | undefined): Opener<StoreContestants> =>
  async ({ KeyValueStore, RetryingPooledDatabase }, server) => {
    const { host, port, user, password, database } = server;
    const address = { host, port, user, password, database };
    const db = new RetryingPooledDatabase({ ...address, connectionLimit: POOL_SIZE });
    const store = new KeyValueStore(db, { namespace: 'bench' });
    const other = redis === undefined ? undefined : new Redis({ port: redis.port, host });
    const [mysql2, twin] = [await openMysql2(address), await openMysql2(address)];
    return {
      pools: { store, mysql2, redis: other },
      control: { store, mysql2: twin, redis: other },
      close: async () => {
        other?.disconnect();
        await store.close();
        await Promise.all([db.end(), mysql2.end(), twin.end()]);
      },
    };
  };

/** The same collections in every place, and one text with all members for those who keep it so. */
export async function fillStores(
  { KeyValueStore, RetryingPooledDatabase, install }: Library,
  server: BenchServer,
  redis: RedisHandle | undefined,
): Promise<void> {
  const db = new RetryingPooledDatabase({ uri: server.url });
  await install(db);
  const store = new KeyValueStore(db, { namespace: 'bench' });
  const other = redis === undefined ? undefined : new Redis({ port: redis.port });
  await db.query('DROP TABLE IF EXISTS bench_blob');
  await db.query('CREATE TABLE bench_blob (name VARCHAR(50) PRIMARY KEY, value LONGTEXT NOT NULL)');
  for (const size of SIZES) {
    const members = Array.from({ length: size }, (_, at) => `member ${at}`);
    for (let at = 0; at < size; at += AT_ONCE) {
      const part = members.slice(at, at + AT_ONCE);
      const scored = part.map((member, index) => [at + index, member] as const);
      await store.zadd(`sorted ${size}`, scored);
      await store.sadd(`set ${size}`, ...part);
      await other?.zadd(`sorted ${size}`, ...scored.flat());
      await other?.sadd(`set ${size}`, ...part);
    }
    const blob = JSON.stringify(Object.fromEntries(members.map((member, at) => [member, at])));
    await db.execute('INSERT INTO bench_blob VALUES (?, ?)', [`sorted ${size}`, blob]);
    await db.execute('INSERT INTO bench_blob VALUES (?, ?)', [`set ${size}`, blob]);
  }
  await store.set('value', 'x'.repeat(100));
  await other?.set('value', 'x'.repeat(100));
  other?.disconnect();
  await db.end();
}

/** How it is done where a collection is one text: locked, read, changed and written as a whole. */
export async function changeBlob(
  pool: Mysql2Pool,
  name: string,
  change: (members: Record<string, number>) => void,
): Promise<void> {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const [rows] = await connection.execute(
      'SELECT value FROM bench_blob WHERE name = ? FOR UPDATE',
      [name],
    );
    const [row] = rows as { value: string }[];
    const members = JSON.parse(row?.value ?? '{}') as Record<string, number>;
    change(members);
    await connection.execute('UPDATE bench_blob SET value = ? WHERE name = ?', [
      JSON.stringify(members),
      name,
    ]);
    await connection.commit();
  } finally {
    connection.release();
  }
}
