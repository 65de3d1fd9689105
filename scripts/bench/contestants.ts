import { createPool as createMariadbPool, type Pool as MariadbPool } from 'mariadb';
import { createPool, type Pool as Mysql2Pool } from 'mysql2/promise';
import type { RetryingPooledDatabase } from '../../src/index';
import type { Opened } from './duel';
import type { BenchServer, Library } from './part';

/** The pools that are compared, each of the same size, with all its connections open. */
export interface Contestants {
  readonly db: RetryingPooledDatabase;
  readonly mysql2: Mysql2Pool;
  readonly mariadb: MariadbPool;
}

export const POOL_SIZE = 10;
/** As many as ours keeps open on each connection by default. */
const PREPARED_STATEMENTS = 250;

/** Every connection is opened and has prepared nothing yet. */
export async function openContestants(
  { RetryingPooledDatabase, connectionScope }: Library,
  server: BenchServer,
): Promise<Opened<Contestants>> {
  const { host, port, user, password, database } = server;
  const address = { host, port, user, password, database, connectionLimit: POOL_SIZE };
  const db = new RetryingPooledDatabase(address);
  const mysql2 = createPool(address);
  // the same again: what it differs by is noise
  const mysql2Twin = createPool(address);
  const mariadb = createMariadbPool({ ...address, prepareCacheLength: PREPARED_STATEMENTS });
  const pools = [db, mysql2, mysql2Twin, mariadb];
  for (const pool of pools) await filled(() => pool.getConnection());
  // Node's cost of following async contexts begins with the first scope, and never ends.
  await connectionScope(async () => undefined);
  return {
    pools: { db, mysql2, mariadb },
    control: { db, mysql2: mysql2Twin, mariadb },
    close: () => Promise.all(pools.map((pool) => pool.end())),
  };
}

async function filled(take: () => Promise<{ release(): unknown }>): Promise<void> {
  const all = await Promise.all(Array.from({ length: POOL_SIZE }, take));
  await Promise.all(all.map((connection) => connection.release()));
}
