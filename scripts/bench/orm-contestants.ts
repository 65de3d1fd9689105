import type { RetryingPooledDatabase } from '../../src/index';
import { POOL_SIZE } from './contestants';
import type { Opener } from './duel';
import { ormOpeners, type Orm, type OrmName } from './orms';
import type { BenchServer } from './part';

/** Ours beside what people use to speak to a database, pools of the same size, all connections open. */
export interface OrmContestants {
  readonly db: RetryingPooledDatabase;
  readonly orms: Readonly<Record<OrmName, Orm>>;
}

/** Long enough that no connection is back before each has been asked for. */
const HOLD = 'DO SLEEP(0.1)';

async function filled(run: (sql: string) => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: POOL_SIZE }, () => run(HOLD)));
}

async function openOrm(name: OrmName, server: BenchServer): Promise<Orm> {
  const orm = await ormOpeners[name](server, POOL_SIZE);
  await filled(orm.run);
  return orm;
}

/** @param controlled the one that is opened a second time: what its two pools differ by is noise. */
export function ormOpener(controlled: OrmName): Opener<OrmContestants> {
  return async ({ RetryingPooledDatabase, connectionScope }, server) => {
    const { host, port, user, password, database } = server;
    const address = { host, port, user, password, database };
    const db = new RetryingPooledDatabase({ ...address, connectionLimit: POOL_SIZE });
    await filled((sql) => db.query(sql));
    const orms = {
      kysely: await openOrm('kysely', server),
      drizzle: await openOrm('drizzle', server),
      typeorm: await openOrm('typeorm', server),
      knex: await openOrm('knex', server),
      sequelize: await openOrm('sequelize', server),
    };
    const twin = await openOrm(controlled, server);
    // As in the other parts, all bear Node's cost of following async contexts, which ours needs.
    await connectionScope(async () => undefined);
    return {
      pools: { db, orms },
      control: { db, orms: { ...orms, [controlled]: twin } },
      close: () => Promise.all([db, twin, ...Object.values(orms)].map((one) => one.end())),
    };
  };
}
