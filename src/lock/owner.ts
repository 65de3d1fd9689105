import { randomBytes } from 'node:crypto';

const SIZE = 16;
const AT_ONCE = 256;

let reserve = Buffer.alloc(0);
let used = 0;

/** Random, one per acquisition: never a host's name or a caller's constant, which two could share. */
export function newOwner(): Buffer {
  if (used >= reserve.length) {
    // A call for each would cost more than the rest of taking a lock in this process.
    reserve = randomBytes(SIZE * AT_ONCE);
    used = 0;
  }
  return reserve.subarray(used, (used += SIZE));
}
