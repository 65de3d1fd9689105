import type { RetryingPooledDatabase } from '../../database';
import type { Mysql2Pool } from '../../driver/mysql2-types';
import { InvalidArgumentError, checkOptionNames, describe } from '../../errors';
import { CallbackPool } from './pool';
import { PoolCore } from './pool-core';

export interface Mysql2PoolOptions {
  /**
   * Whether the pool's `end()`, and with it Kysely's `destroy()`, ends the database as well.
   * @default false: whoever made the database ends it
   */
  readonly endsDatabase?: boolean;
}

/**
 * The database in the shape of a pool of mysql2's, for Kysely's `MysqlDialect`, Drizzle and whatever
 * else takes such a pool. `promise()` is its other face, the one of `mysql2/promise`.
 *
 * Inside `db.atomic` all of it, checked-out connections too, is part of that transaction. Elsewhere
 * `query` and `execute` of the pool itself are `db`'s, and `getConnection` gives a connection of its own.
 * BEGIN, SAVEPOINT and their like sent as text on a connection become blocks of this library's; inside a
 * block BEGIN is a savepoint.
 *
 * Of mysql2's type these are there: `getConnection releaseConnection query execute end promise format
 * escape escapeId`, of its connections `query execute beginTransaction commit rollback ping release end
 * destroy promise threadId format escape escapeId`, and `stream()` of a query that has no callback. The
 * rest is absent: a call of it is a `TypeError` and never passed over in silence.
 *
 * @throws {InvalidArgumentError} for what is no database, or an option that does not exist.
 *
 * @example
 * const kysely = new Kysely<Tables>({ dialect: new MysqlDialect({ pool: mysql2Pool(db) }) });
 * const drizzled = drizzle({ client: mysql2Pool(db) });
 */
export function mysql2Pool(
  db: RetryingPooledDatabase,
  options: Mysql2PoolOptions = {},
): Mysql2Pool {
  if (typeof (db as Partial<RetryingPooledDatabase> | undefined)?.checkout !== 'function') {
    throw new InvalidArgumentError('db', `must be a RetryingPooledDatabase, got ${describe(db)}`);
  }
  checkOptionNames('options', options, ['endsDatabase']);
  const { endsDatabase = false } = options;
  if (typeof endsDatabase !== 'boolean') {
    throw new InvalidArgumentError(
      'endsDatabase',
      `must be true or false, got ${describe(endsDatabase)}`,
    );
  }
  // What of the type is not carried out is absent, as said above.
  return new CallbackPool(new PoolCore(db, endsDatabase)) as unknown as Mysql2Pool;
}
