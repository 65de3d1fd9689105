import type { Clock } from '../clock';
import type { Connection } from '../driver/connection';
import { bounded } from './bounded';

/** Pings; false where no answer came within `limit` ms or the connection is lost, which then is destroyed. */
export async function provesAlive(
  connection: Connection,
  clock: Clock,
  limit: number,
): Promise<boolean> {
  try {
    await bounded(clock, connection, limit, () => connection.ping());
    return connection.lost === undefined;
  } catch (error) {
    connection.destroy(error as Error);
    return false;
  }
}
