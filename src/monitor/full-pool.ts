import type { Watched } from './watch';

/** No connection to spare: whoever asks for one now waits, and lets others wait longer. */
export function isFull({ database }: Watched): boolean {
  const { active, idle, waiting } = database.stats();
  return waiting > 0 || (idle === 0 && active >= database.limits().connectionLimit);
}
