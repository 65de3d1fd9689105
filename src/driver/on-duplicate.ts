import { InvalidArgumentError, describeType } from '../errors';
import { distinctNames, quotedName } from './identifier';

/**
 * What happens to a row whose key is in the table already:
 *
 * - `'error'`: the statement fails.
 * - `'ignore'`: the row that is there stays as it is. Not written as INSERT IGNORE, which makes
 *   warnings of other errors as well: texts that are too long are cut, and rows that break a foreign
 *   key or a NOT NULL are dropped or bent, in silence. An assignment of a column to itself
 *   (`a = a`) passes over duplicates alone. Each counts in `affectedRows` as a row that matched.
 * - `'update'`: the row takes over every column's new value, those of the key included.
 * - `{ update: [...] }`: the row takes over the columns named.
 */
export type OnDuplicate = 'error' | 'ignore' | 'update' | { readonly update: readonly string[] };

/** The columns that a duplicate takes over; none for 'error' and 'ignore'. */
function updatedColumns(
  onDuplicate: Exclude<OnDuplicate, 'error' | 'ignore'>,
  columns: readonly string[],
): readonly string[] {
  if (onDuplicate === 'update') return columns;
  const updated = distinctNames('onDuplicate', onDuplicate.update);
  const foreign = updated.find((name) => !columns.includes(name));
  if (foreign === undefined) return updated;
  const rule = `has '${foreign}', which is not among the columns that are inserted`;
  throw new InvalidArgumentError('onDuplicate', rule);
}

/**
 * MySQL deprecates VALUES(column) in favour of a row alias (warning 1287) and MariaDB does not know
 * the alias: this is the form that both understand.
 */
export function duplicateClause(onDuplicate: OnDuplicate, columns: readonly string[]): string {
  if (onDuplicate === 'error') return '';
  if (onDuplicate === 'ignore') {
    const first = quotedName('columns', columns[0]);
    return ` ON DUPLICATE KEY UPDATE ${first} = ${first}`;
  }
  const assignments = updatedColumns(onDuplicate, columns).map((name) => {
    const column = quotedName('onDuplicate', name);
    return `${column} = VALUES(${column})`;
  });
  return ` ON DUPLICATE KEY UPDATE ${assignments.join(', ')}`;
}

export function checkOnDuplicate(value: unknown): asserts value is OnDuplicate {
  if (value === 'error' || value === 'ignore' || value === 'update') return;
  if (typeof value === 'object' && value !== null && 'update' in value) return;
  const rule = "must be 'error', 'ignore', 'update' or { update: [...] }";
  throw new InvalidArgumentError('onDuplicate', `${rule}, got ${describeType(value)}`);
}
