import type { TableState } from '../../schema/table-state';
import type { Examination } from './examination';
import { note, ok, problem, type Finding } from './finding';

/** Whether the library's tables are there, and may be used. */
export function tableChecks(seen: Examination, prefix: string): Finding[] {
  const { database, missingRights, tables } = seen;
  if (database === undefined || missingRights === undefined) {
    const advice =
      'Name one at the end of the URL: locks, store, cache and queue keep their tables in it.';
    return [problem('database', 'no database is chosen', advice)];
  }
  const rights = rightsCheck(missingRights, tables);
  // Who may not read cannot look.
  return tables === undefined ? [rights] : [rights, ...tablesChecks(tables, prefix)];
}

function rightsCheck(
  missing: readonly string[],
  tables: readonly TableState[] | undefined,
): Finding {
  if (missing.length === 0) return ok('privileges', 'may create, read and write tables here');
  const found = `the account has no ${missing.join(', ')} here`;
  const isReady = tables?.every(({ state }) => state === 'current') === true;
  if (isReady && missing.length === 1 && missing[0] === 'CREATE') {
    const advice =
      'Not needed as long as the tables are there: a later version may want to create or alter some.';
    return note('privileges', found, advice);
  }
  const advice =
    'GRANT SELECT, INSERT, UPDATE, DELETE ON the database TO the account, and CREATE, ALTER, INDEX to the one that ' +
    'installs; mysql-boomerang install --print writes the statements for somebody who may.';
  return problem('privileges', found, advice);
}

const INSTALL = 'mysql-boomerang install creates and upgrades them; install --print shows the SQL.';

function tablesChecks(tables: readonly TableState[], prefix: string): Finding[] {
  const shown = prefix === '' ? 'without a prefix' : `of prefix ${prefix}`;
  const of = (state: TableState['state']): TableState[] =>
    tables.filter((table) => table.state === state);
  const list = (some: readonly TableState[]): string =>
    some
      .map(({ table, found, wanted, state }) =>
        state === 'missing' ? table : `${table} (${found ?? 'none'}, wanted ${wanted})`,
      )
      .join(', ');
  const [missing, older, newer] = [of('missing'), of('older'), of('newer')];
  if (missing.length === tables.length && missing.every(({ found }) => found === undefined)) {
    const advice = `Needed for locks, store, cache and queue only; the pool works without. ${INSTALL}`;
    return [note('tables', `none ${shown} is installed`, advice)];
  }
  const findings: Finding[] = [];
  const lost = missing.filter((table) => isWanted(table, tables));
  const unused = missing.filter((table) => !lost.includes(table));
  if (lost.length > 0) findings.push(problem('tables', `missing: ${list(lost)}`, INSTALL));
  if (older.length > 0)
    findings.push(problem('tables', `of an older version: ${list(older)}`, INSTALL));
  if (newer.length > 0) {
    const advice =
      'Another process runs a newer version of the library: bring this one up to date, or use another prefix.';
    findings.push(problem('tables', `of a newer version: ${list(newer)}`, advice));
  }
  const alien = tables.filter(({ state, engine }) => state !== 'missing' && engine !== 'InnoDB');
  if (alien.length > 0) {
    const advice =
      'Without transactions and row locks nothing of the library holds: ALTER TABLE … ENGINE = InnoDB.';
    findings.push(
      problem('tables', `not InnoDB: ${alien.map(({ table }) => table).join(', ')}`, advice),
    );
  }
  if (findings.length === 0 && unused.length > 0) {
    const advice = `Needed only by those who use that part of the library. ${INSTALL}`;
    findings.push(note('tables', `not installed: ${list(unused)}`, advice));
  }
  if (findings.length === 0)
    findings.push(ok('tables', `all ${tables.length} ${shown} are there and of this version`));
  return findings;
}

const familyOf = ({ name }: TableState): string => name.split('_', 1)[0] ?? name;

/** Whether one that is missing was there before, or belongs to others that are: `queue_…` and the like. */
function isWanted(one: TableState, tables: readonly TableState[]): boolean {
  if (one.found !== undefined) return true;
  return tables.some((other) => other.state !== 'missing' && familyOf(other) === familyOf(one));
}
