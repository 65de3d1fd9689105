import { inspectTables, install as bringUp, installSql } from '../../install';
import type { TableState } from '../../schema/table-state';
import type { Command, Report } from '../command';
import { Exit } from '../exit';
import { table } from '../layout';
import { counted } from '../units';

export const install: Command = {
  name: 'install',
  summary: "Creates the library's tables, and upgrades older ones.",
  about: [
    'Changes nothing where all is as it should be, and may be run by any number of processes at once. Tables of a ' +
      'newer version are left alone, and refused.',
  ],
  options: {
    print: {
      about:
        'writes the SQL of a new installation in place of running it, for those who run migrations themselves; needs no ' +
        'database',
    },
  },
  exits: {
    0: 'all tables are there and of this version',
    1: 'the server refused it, or a table is newer',
  },
  examples: ['install', 'install --prefix shop_ --print > migrations/0042-boomerang.sql'],
  async run(job) {
    const { given, prefix } = job;
    if (given.has('print')) {
      const statements = installSql({ prefix });
      job.show({ data: statements, text: () => statements.map((sql) => `${sql};\n`).join('') });
      return Exit.done;
    }
    const db = await job.connect();
    const before = await inspectTables(db, prefix);
    await bringUp(db, { prefix });
    job.show(reportOf(job.address, before, await inspectTables(db, prefix)));
    return Exit.done;
  },
};

type Done = 'created' | 'upgraded' | 'unchanged';

const DONE = {
  missing: 'created',
  older: 'upgraded',
  current: 'unchanged',
  newer: 'unchanged',
} as const;

function reportOf(
  address: string,
  before: readonly TableState[],
  after: readonly TableState[],
): Report {
  const tables = after.map(({ table: name, found }, at) => {
    const was = before[at];
    const done: Done = DONE[was?.state ?? 'missing'];
    return { table: name, done, from: was?.found ?? null, version: found ?? null };
  });
  return {
    data: { address, tables },
    text: (terminal) => {
      const columns = [{ head: 'TABLE' }, { head: 'VERSION', right: true }, { head: '' }];
      const rows = tables.map(({ table: name, done, from, version }) => [
        name,
        String(version),
        {
          text: done === 'upgraded' ? `upgraded from ${from ?? 'none'}` : done,
          tone: done === 'unchanged' ? ('faint' as const) : ('good' as const),
        },
      ]);
      const changed = tables.filter(({ done }) => done !== 'unchanged').length;
      return `${table(terminal, columns, rows)}\n${counted(changed, 'table')} changed, ${tables.length - changed} as they were\n`;
    },
  };
}
