import { randomBytes } from 'node:crypto';

const SIZE = 6;
const AT_ONCE = 256;

let reserve = Buffer.alloc(0);
let used = 0;

/** A random whole number from 1 to 2^48, which no two claims of one message share. */
export function randomNumber(): number {
  if (used >= reserve.length) {
    reserve = randomBytes(SIZE * AT_ONCE);
    used = 0;
  }
  const number = reserve.readUIntBE(used, SIZE);
  used += SIZE;
  return number + 1;
}
