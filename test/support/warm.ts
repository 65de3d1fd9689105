import type { RetryingPooledDatabase } from '../../src/index';
import { until } from './until';

/** Resolves when `db`, whose time limits are short, has so many connections: what is timed needs no connect. */
export async function warm(db: RetryingPooledDatabase, count = 1): Promise<RetryingPooledDatabase> {
  await until('it is connected', async () => {
    const taken = await Promise.allSettled(Array.from({ length: count }, () => db.getConnection()));
    const had = taken.filter((one) => one.status === 'fulfilled');
    await Promise.all(had.map(({ value }) => value.release()));
    return had.length === count;
  });
  return db;
}
