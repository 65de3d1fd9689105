import type { RetryingPooledDatabase } from '../database';
import type { TableDefinition } from './table';
import { readVersions } from './version-table';

/** How a table of the library's stands, beside what this version of it wants. */
export interface TableState {
  /** Without the prefix. */
  readonly name: string;
  /** With the prefix. */
  readonly table: string;
  readonly state: 'missing' | 'older' | 'current' | 'newer';
  /** The version that was written down when it was installed, also of one that is gone since. */
  readonly found: number | undefined;
  readonly wanted: number;
  readonly engine: string | undefined;
  /** The server's estimate. */
  readonly rows: number;
  /** The server's estimate, indexes included. */
  readonly bytes: number;
}

interface Listed {
  readonly name: string;
  readonly engine: string | null;
  readonly row_count: number | string | null;
  readonly bytes: number | string | null;
}

const LISTED =
  'SELECT TABLE_NAME AS name, ENGINE AS engine, TABLE_ROWS AS row_count, ' +
  'DATA_LENGTH + INDEX_LENGTH AS bytes FROM information_schema.TABLES ' +
  'WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (?)';

/** ER_NO_SUCH_TABLE. */
const MISSING = 1146;

/** How the tables stand, in the order given. Changes nothing. */
export async function tableStates(
  db: RetryingPooledDatabase,
  tables: readonly TableDefinition[],
  prefix: string,
): Promise<TableState[]> {
  const names = tables.map(({ name }) => prefix + name);
  const [rows] = await db.query<Listed[]>(LISTED, [names], { idempotent: true });
  const listed = new Map(rows.map((row) => [row.name, row]));
  const versions = await versionsOf(db, prefix);
  return tables.map(({ name, version: wanted }) => {
    const table = prefix + name;
    // A server that folds the case of names has them in small letters.
    const row = listed.get(table) ?? listed.get(table.toLowerCase());
    const found = versions.get(name);
    return Object.freeze({
      name,
      table,
      state: row === undefined ? 'missing' : stateOf(found, wanted),
      found,
      wanted,
      engine: row?.engine ?? undefined,
      rows: Number(row?.row_count ?? 0),
      bytes: Number(row?.bytes ?? 0),
    });
  });
}

function stateOf(found: number | undefined, wanted: number): TableState['state'] {
  if (found === undefined || found < wanted) return 'older';
  return found > wanted ? 'newer' : 'current';
}

async function versionsOf(
  db: RetryingPooledDatabase,
  prefix: string,
): Promise<ReadonlyMap<string, number>> {
  try {
    return await readVersions(db, prefix);
  } catch (error) {
    if ((error as { errno?: number }).errno !== MISSING) throw error;
    return new Map();
  }
}
