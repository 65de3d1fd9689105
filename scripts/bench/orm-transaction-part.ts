import { fightOn } from './duel';
import { CHANGE_ITEM, randomItem } from './item-table';
import { ormOpener, type OrmContestants } from './orm-contestants';
import type { OrmName } from './orms';
import type { Part } from './part';

const ours = {
  name: 'db.atomic',
  operation: ({ db }: OrmContestants) => {
    return () => db.atomic(() => db.execute(CHANGE_ITEM, [randomItem()]));
  },
};

function base(orm: OrmName, way: string) {
  return {
    name: `${orm} ${way}`,
    operation: ({ orms }: OrmContestants) => orms[orm].transaction,
  };
}

/** No bar was set against kysely. */
export const ormTransactionPart: Part = {
  name: 'orm-transaction',
  summary: 'BEGIN, UPDATE, COMMIT beside query builders and mappers',
  run: (bench) =>
    fightOn(
      ormOpener('typeorm'),
      {
        part: 'orm-transaction',
        concurrency: 16,
        ours,
        bases: [
          { ...base('typeorm', 'transaction + query'), speed: 2 },
          { ...base('drizzle', 'transaction + sql`…`'), speed: 2 },
          { ...base('knex', 'transaction + raw'), speed: 2.2 },
          { ...base('sequelize', 'transaction + query'), speed: 3 },
          base('kysely', 'transaction + executeQuery'),
        ],
      },
      bench,
    ),
};
