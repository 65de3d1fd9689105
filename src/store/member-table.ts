import { marks } from '../schema/marks';

/** What the tables of members have in common. */
export function memberStatements(table: string) {
  return {
    // As of many tables, since only those take an index.
    remove: (count: number) =>
      `DELETE m FROM ${table} AS m FORCE INDEX (PRIMARY) ` +
      `WHERE m.version = ? AND m.member IN (${marks(count)})`,
    /** Some of an abandoned collection. The order keeps every server on the primary key. */
    sweep: `DELETE FROM ${table} WHERE version = ? ORDER BY version, member LIMIT ?`,
  };
}
