import type { Clock } from '../clock';
import type { Connection } from '../driver/connection';
import { bounded } from './bounded';

/** How long a sign of life may take, in ms. */
const WITHIN = 1000;

/** Pings; false where no answer came in time or the connection is lost, which then is destroyed. */
export async function provesAlive(connection: Connection, clock: Clock): Promise<boolean> {
  try {
    await bounded(clock, connection, WITHIN, () => connection.ping());
    return connection.lost === undefined;
  } catch (error) {
    connection.destroy(error as Error);
    return false;
  }
}
