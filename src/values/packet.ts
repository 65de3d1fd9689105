import type { RetryingPooledDatabase } from '../database';
import { InvalidArgumentError } from '../errors';
import { partsOf } from '../pooled-database';

/** The longest value that is kept, in bytes. */
export const LONGEST_VALUE = 16 * 1024 * 1024;

/** Every server takes so much in one statement, in bytes, so that nobody has to be asked. */
const ALWAYS_TAKEN = 512 * 1024;

/** What a statement has beside its values, in bytes. */
const ROOM = 16 * 1024;

/**
 * Makes sure before anything is sent that a statement with so many bytes of values will be taken.
 *
 * @throws {InvalidArgumentError} naming the argument, the size and the limit.
 */
export async function checkFits(
  db: RetryingPooledDatabase,
  argument: string,
  bytes: number,
  longest = LONGEST_VALUE,
): Promise<void> {
  if (bytes > longest) {
    throw new InvalidArgumentError(argument, `has ${bytes} bytes, and may have ${longest}`);
  }
  if (bytes <= ALWAYS_TAKEN) return;
  const most = (await partsOf(db).statements.maxAllowedPacket()) - ROOM;
  if (bytes <= most) return;
  const rule = `has ${bytes} bytes, and this server takes ${most} (max_allowed_packet)`;
  throw new InvalidArgumentError(argument, rule);
}
