import type { RetryingPooledDatabase } from '../database';
import { nameOf } from './table';
import { versionTable } from './version-table';

/** ER_NO_SUCH_TABLE. */
const MISSING = 1146;
/** ER_TABLEACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR. */
const DENIED = [1142, 1044, 1227];

/**
 * Which of the rights that the library needs the account does not have on tables of this prefix.
 * Statements are prepared and never run: both flavours look at the rights then, also where the
 * table is not there yet.
 */
export async function missingRights(db: RetryingPooledDatabase, prefix: string): Promise<string[]> {
  const table = nameOf(versionTable, prefix);
  const probes: Readonly<Record<string, string>> = {
    CREATE: versionTable.create(table),
    SELECT: `SELECT name FROM ${table}`,
    INSERT: `INSERT INTO ${table} (name) VALUES ('')`,
    UPDATE: `UPDATE ${table} SET version = 0`,
    DELETE: `DELETE FROM ${table}`,
  };
  const missing: string[] = [];
  await using connection = await db.getConnection();
  for (const [right, sql] of Object.entries(probes)) {
    try {
      await connection.query(`PREPARE boomerang_probe FROM ${db.escape(sql)}`);
      await connection.query('DEALLOCATE PREPARE boomerang_probe');
    } catch (error) {
      const { errno = 0 } = error as { errno?: number };
      if (DENIED.includes(errno)) missing.push(right);
      else if (errno !== MISSING) throw error;
    }
  }
  return missing;
}
