import { createPool as createMariadbPool, type Pool as MariadbPool } from 'mariadb';
import { createPool, type Pool as Mysql2Pool } from 'mysql2/promise';
import type { RetryingPooledDatabase } from '../../src/index';
import type { BenchServer, Library } from './part';

/** The pools that are compared, each of the same size, with all its connections open. */
export interface Contestants {
  readonly db: RetryingPooledDatabase;
  readonly mysql2: Mysql2Pool;
  readonly mariadb: MariadbPool;
}

const POOL_SIZE = 10;
/** As many as ours keeps open on each connection by default. */
const PREPARED_STATEMENTS = 250;

/** Opens the pools for the time of `work`. Every connection is opened and has prepared nothing yet. */
export async function withContestants<T>(
  { RetryingPooledDatabase, connectionScope }: Library,
  server: BenchServer,
  work: (contestants: Contestants) => Promise<T>,
): Promise<T> {
  const { host, port, user, password, database } = server;
  const address = { host, port, user, password, database, connectionLimit: POOL_SIZE };
  const db = new RetryingPooledDatabase(address);
  const mysql2 = createPool(address);
  const mariadb = createMariadbPool({ ...address, prepareCacheLength: PREPARED_STATEMENTS });
  try {
    for (const pool of [db, mysql2, mariadb]) await filled(() => pool.getConnection());
    // Node's cost of following async contexts begins with the first scope, and never ends.
    await connectionScope(async () => undefined);
    return await work({ db, mysql2, mariadb });
  } finally {
    await Promise.all([db.end(), mysql2.end(), mariadb.end()]);
  }
}

async function filled(take: () => Promise<{ release(): unknown }>): Promise<void> {
  const all = await Promise.all(Array.from({ length: POOL_SIZE }, take));
  await Promise.all(all.map((connection) => connection.release()));
}
