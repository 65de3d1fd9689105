import { createPool, type Pool } from 'mysql2';
import { CHANGE_ITEM, randomItem, SELECT_ITEM } from './item-table';
import type { BenchServer } from './part';

/**
 * A query builder or mapper over mysql2, on a pool of its own. Of its documented ways it does each
 * thing in the one that was fastest, which is nearly always the one that builds no SQL.
 */
export interface Orm {
  /** Reads one row by its primary key. */
  readonly statement: () => Promise<unknown>;
  /** BEGIN, UPDATE of one row, COMMIT. */
  readonly transaction: () => Promise<unknown>;
  readonly run: (sql: string) => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

type OrmOpener = (server: BenchServer, poolSize: number) => Promise<Orm>;

function addressOf({ host, port, user, password, database }: BenchServer) {
  return { host, port, user, password, database };
}

function openKysely(server: BenchServer, poolSize: number): Promise<Orm> {
  return kyselyOn(createPool({ ...addressOf(server), connectionLimit: poolSize }));
}

/** Raw: by the builder it is an eighth slower to select and a quarter slower to change. */
export async function kyselyOn(pool: Pool): Promise<Orm> {
  const { CompiledQuery, Kysely, MysqlDialect } = await import('kysely');
  const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });
  return {
    statement: () => db.executeQuery(CompiledQuery.raw(SELECT_ITEM, [randomItem()])),
    transaction: () =>
      db
        .transaction()
        .execute((trx) => trx.executeQuery(CompiledQuery.raw(CHANGE_ITEM, [randomItem()]))),
    run: (sql) => db.executeQuery(CompiledQuery.raw(sql)),
    end: () => db.destroy(),
  };
}

function openDrizzle(server: BenchServer, poolSize: number): Promise<Orm> {
  return drizzleOn(createPool({ ...addressOf(server), connectionLimit: poolSize }));
}

/**
 * Selects by its prepared query, which is built once: sql`…` is a little slower, the builder half as
 * fast. A prepared query belongs to the pool, so within a transaction sql`…` is the fastest.
 */
export async function drizzleOn(client: Pool): Promise<Orm> {
  const { eq, sql } = await import('drizzle-orm');
  const { int, mysqlTable, varchar } = await import('drizzle-orm/mysql-core');
  const { drizzle } = await import('drizzle-orm/mysql2');
  const item = mysqlTable('bench_item', {
    id: int().primaryKey(),
    name: varchar({ length: 40 }).notNull(),
    amount: int().notNull(),
  });
  const pool = client.promise();
  const db = drizzle({ client: pool });
  const byId = db
    .select()
    .from(item)
    .where(eq(item.id, sql.placeholder('id')))
    .prepare();
  return {
    statement: () => byId.execute({ id: randomItem() }),
    transaction: () =>
      db.transaction((tx) =>
        tx.execute(sql`UPDATE bench_item SET amount = amount + 1 WHERE id = ${randomItem()}`),
      ),
    run: (text) => db.execute(text),
    end: () => pool.end(),
  };
}

/** Raw: a repository is little more than half as fast to find, and slower to increment. */
async function openTypeorm(server: BenchServer, poolSize: number): Promise<Orm> {
  const { DataSource } = await import('typeorm');
  const { user: username, ...address } = addressOf(server);
  const dataSource = new DataSource({
    type: 'mysql',
    connectorPackage: 'mysql2',
    ...address,
    username,
    poolSize,
  });
  await dataSource.initialize();
  return {
    statement: () => dataSource.query(SELECT_ITEM, [randomItem()]),
    transaction: () =>
      dataSource.transaction((manager) => manager.query(CHANGE_ITEM, [randomItem()])),
    run: (sql) => dataSource.query(sql),
    end: () => dataSource.destroy(),
  };
}

/** Raw: the builder is a seventh slower to select, and a little slower to change. */
async function openKnex(server: BenchServer, poolSize: number): Promise<Orm> {
  const { default: createKnex } = await import('knex');
  const knex = createKnex({
    client: 'mysql2',
    connection: addressOf(server),
    pool: { min: poolSize, max: poolSize },
  });
  return {
    // what knex returns sends nothing until somebody waits for it
    statement: async () => knex.raw(SELECT_ITEM, [randomItem()]),
    transaction: () => knex.transaction(async (trx) => trx.raw(CHANGE_ITEM, [randomItem()])),
    run: async (sql) => knex.raw(sql),
    end: () => knex.destroy(),
  };
}

/** Raw with replacements: `bind` prepares and is slower to select, a model half as fast. */
async function openSequelize(server: BenchServer, poolSize: number): Promise<Orm> {
  const { QueryTypes, Sequelize } = await import('sequelize');
  const { host, port, user, password, database } = server;
  const sequelize = new Sequelize(database, user, password, {
    host,
    port,
    dialect: 'mysql',
    // it would print every statement
    logging: false,
    // with less, it closes what was idle for a while
    pool: { min: poolSize, max: poolSize },
  });
  return {
    statement: () =>
      sequelize.query(SELECT_ITEM, { type: QueryTypes.SELECT, replacements: [randomItem()] }),
    transaction: () =>
      sequelize.transaction((transaction) =>
        sequelize.query(CHANGE_ITEM, {
          transaction,
          type: QueryTypes.UPDATE,
          replacements: [randomItem()],
        }),
      ),
    run: (sql) => sequelize.query(sql),
    end: () => sequelize.close(),
  };
}

/** Each loads its package when it is called, so that no other part runs beside it. */
export const ormOpeners = {
  kysely: openKysely,
  drizzle: openDrizzle,
  typeorm: openTypeorm,
  knex: openKnex,
  sequelize: openSequelize,
} satisfies Record<string, OrmOpener>;

export type OrmName = keyof typeof ormOpeners;
