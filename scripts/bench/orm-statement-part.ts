import { fightOn } from './duel';
import { randomItem, SELECT_ITEM } from './item-table';
import { ormOpener, type OrmContestants } from './orm-contestants';
import type { OrmName } from './orms';
import type { Part } from './part';

/** More than 1.00, as it is printed. */
const AHEAD = 1.01;

const ours = {
  name: 'db.execute',
  operation: ({ db }: OrmContestants) => {
    return () => db.execute(SELECT_ITEM, [randomItem()]);
  },
};

function base(orm: OrmName, way: string) {
  return {
    name: `${orm} ${way}`,
    operation: ({ orms }: OrmContestants) => orms[orm].statement,
    speed: AHEAD,
  };
}

export const ormStatementPart: Part = {
  name: 'orm-statement',
  summary: 'one statement outside a scope, beside query builders and mappers',
  run: (bench) =>
    fightOn(
      ormOpener('kysely'),
      {
        part: 'orm-statement',
        concurrency: 16,
        ours,
        bases: [
          base('kysely', 'executeQuery'),
          base('drizzle', 'prepared select'),
          base('typeorm', 'dataSource.query'),
          base('knex', 'raw'),
          base('sequelize', 'query'),
        ],
      },
      bench,
    ),
};
