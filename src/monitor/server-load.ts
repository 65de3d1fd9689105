import type { Clock } from '../clock';
import type { Connection, Driver } from '../driver/connection';
import { bounded } from '../pool/bounded';
import type { ServerLoad } from './resource-snapshot';

/** How long each of connecting and asking may take, in ms. */
const PATIENCE = 2000;

/** How long the goodbye may take, in ms. */
const GOODBYE = 1000;

/** ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED. */
const FULL = [1040, 1203, 1226];

const REFUSED: ServerLoad = {
  full: true,
  connected: undefined,
  limit: undefined,
  accountLimit: undefined,
};

/**
 * Asks the server on a connection of its own that is closed afterwards: the answer is wanted most when
 * every connection of the pool is out, and it must keep none from being idle.
 *
 * A server that refuses because it is full is taken at its word.
 */
export async function serverLoad(driver: Driver, clock: Clock): Promise<ServerLoad> {
  let connection: Connection;
  try {
    connection = await driver.connect(PATIENCE, new AbortController().signal);
  } catch (error) {
    if (FULL.includes((error as { errno?: number }).errno ?? 0)) return REFUSED;
    throw error;
  }
  try {
    return await bounded(clock, connection, PATIENCE, () => ask(connection));
  } finally {
    void connection.close(GOODBYE);
  }
}

async function ask(connection: Connection): Promise<ServerLoad> {
  const shape = { rowsAsArray: true };
  const [limits] = await connection.run<unknown[][]>('query', {
    sql: 'SELECT @@global.max_connections, @@session.max_user_connections',
    shape,
  });
  const [status] = await connection.run<unknown[][]>('query', {
    sql: "SHOW GLOBAL STATUS LIKE 'Threads_connected'",
    shape,
  });
  const [limit, accountLimit] = (limits[0] ?? []).map(Number);
  return {
    full: false,
    connected: Number(status[0]?.[1] ?? 1) - 1,
    limit,
    // 0 is none.
    accountLimit: accountLimit || undefined,
  };
}
