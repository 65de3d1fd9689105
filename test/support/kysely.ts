import { Kysely, MysqlDialect, type Generated } from 'kysely';
import { mysql2Pool } from '../../src/adapters/mysql2';
import type { RetryingPooledDatabase } from '../../src/index';

/** The workbench's tables as Kysely is told of them. */
export interface Tables {
  readonly notes: { id: number; text: string | null };
  readonly numbered: { id: Generated<number>; amount: number };
}

export function kyselyOver(db: RetryingPooledDatabase): Kysely<Tables> {
  return new Kysely({ dialect: new MysqlDialect({ pool: mysql2Pool(db) }) });
}

export function add(on: Kysely<Tables>, id: number): Promise<unknown> {
  return on.insertInto('notes').values({ id, text: 'x' }).execute();
}
