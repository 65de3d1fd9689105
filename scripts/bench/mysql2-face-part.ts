import { createPool } from 'mysql2';
import { POOL_SIZE } from './contestants';
import { fightOn, type Opener } from './duel';
import { loadMysql2Face } from './library';
import { drizzleOn, kyselyOn, type Orm } from './orms';
import type { Part } from './part';
import type { Measurement } from './result';

const HOLD = 'DO SLEEP(0.1)';

type Verb = 'statement' | 'transaction';

interface Pools {
  readonly ours: Orm;
  readonly theirs: Orm;
}

/** The same library twice, over our pool and over mysql2's own. */
function openerOf(open: typeof kyselyOn): Opener<Pools> {
  return async ({ RetryingPooledDatabase, connectionScope }, server) => {
    const { mysql2Pool } = loadMysql2Face();
    const { host, port, user, password, database } = server;
    const address = { host, port, user, password, database, connectionLimit: POOL_SIZE };
    const db = new RetryingPooledDatabase(address);
    const [ours, theirs, twin] = await Promise.all([
      open(mysql2Pool(db)),
      open(createPool(address)),
      open(createPool(address)),
    ]);
    const all = [ours, theirs, twin];
    for (const { run } of all) {
      await Promise.all(Array.from({ length: POOL_SIZE }, () => run(HOLD)));
    }
    await connectionScope(async () => undefined);
    return {
      pools: { ours, theirs },
      control: { ours, theirs: twin },
      close: async () => {
        await Promise.all(all.map((one) => one.end()));
        await db.end();
      },
    };
  };
}

const RUNS = [
  ['kysely', kyselyOn, 'statement'],
  ['kysely', kyselyOn, 'transaction'],
  ['drizzle', drizzleOn, 'statement'],
  ['drizzle', drizzleOn, 'transaction'],
] as const;

/** No bar was set. */
export const mysql2FacePart: Part = {
  name: 'mysql2-face',
  summary: 'kysely and drizzle over our pool, beside the same over mysql2’s own',
  run: async (bench) => {
    const rows: Measurement[] = [];
    for (const [name, open, verb] of RUNS) {
      const side = (whose: keyof Pools) => (pools: Pools) => pools[whose][verb satisfies Verb];
      const duel = {
        part: 'mysql2-face',
        concurrency: 16,
        ours: { name: `${name} ${verb} over ours`, operation: side('ours') },
        bases: [{ name: 'over mysql2’s pool', operation: side('theirs') }] as const,
      };
      rows.push(...(await fightOn(openerOf(open), duel, bench)));
    }
    return rows;
  },
};
