import { InvalidArgumentError, describeType } from '../errors';
import { distinctNames, qualifiedName, quotedName } from './identifier';
import { InsertBatches } from './insert-batches';
import { RowWriter } from './insert-row';
import { checkOnDuplicate, duplicateClause, type OnDuplicate } from './on-duplicate';

export interface InsertRequest {
  /** One name, a dot being part of it, or the parts of a qualified one: `['schema', 'table']`. */
  readonly table: string | readonly string[];
  /** Their order in the statement. Default: the properties of the first row, in its order. */
  readonly columns?: readonly string[] | undefined;
  /** Objects by column, or arrays in the order of `columns`. Read once. */
  readonly rows: Iterable<object>;
  /** The driver's: one value as SQL. */
  readonly escape: (value: unknown) => string;
  /** What one statement may have at most, in bytes of UTF-8. */
  readonly maxBytes: number;
  /** The same where a statement has a single row. @default maxBytes */
  readonly largestRow?: number;
  /** @default 'error' */
  readonly onDuplicate?: OnDuplicate | undefined;
}

/** The columns of a first row that is an object. */
function columnsOf(row: unknown): readonly string[] {
  if (Array.isArray(row)) {
    throw new InvalidArgumentError('columns', 'must be given where rows are arrays');
  }
  if (typeof row !== 'object' || row === null) {
    const rule = `row 0 must be an object or an array, got ${describeType(row)}`;
    throw new InvalidArgumentError('rows', rule);
  }
  const names = Object.keys(row);
  if (names.length > 0) return distinctNames('rows', names);
  throw new InvalidArgumentError('rows', 'row 0 has no columns');
}

/**
 * The INSERT statements that bring the rows into the table: as few as the limit allows, in the order
 * of the rows. All is checked before anything is returned: on an error there is no statement at all.
 * No rows make no statements. The texts contain the values and are sent without any.
 *
 * A value is a string, a finite number, a bigint, a boolean, null, a Date, a Buffer or Uint8Array.
 *
 * @throws {InvalidArgumentError} naming the row (counted from 0) and the column: for a row that does
 * not have exactly the columns of the first, for undefined (write null), for an array or an object
 * (JSON is passed as text), and for a row that is larger than a statement may be.
 * @example
 * planInsert({ table: 't', rows: [{ a: 1, b: 'x' }, { a: 2, b: null }], escape, maxBytes: 1e6 });
 * // ["INSERT INTO `t` (`a`, `b`) VALUES (1, 'x'), (2, NULL)"]
 */
export function planInsert(request: InsertRequest): string[] {
  const { rows, escape, maxBytes, largestRow = maxBytes, onDuplicate = 'error' } = request;
  const table = typeof request.table === 'string' ? [request.table] : request.table;
  const name = qualifiedName('table', table);
  checkOnDuplicate(onDuplicate);
  if (!Number.isInteger(maxBytes) || maxBytes < 1) {
    throw new InvalidArgumentError('maxBytes', 'must be a whole number of 1 or more');
  }
  const given: unknown = rows;
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given)) {
    throw new InvalidArgumentError('rows', `must be a list of rows, got ${describeType(given)}`);
  }
  const begin = (columns: readonly string[]): { writer: RowWriter; batches: InsertBatches } => {
    const list = columns.map((column) => quotedName('columns', column)).join(', ');
    const head = `INSERT INTO ${name} (${list}) VALUES `;
    return {
      writer: new RowWriter(columns, escape, request.columns !== undefined),
      batches: new InsertBatches(head, duplicateClause(onDuplicate, columns), maxBytes, largestRow),
    };
  };
  let plan =
    request.columns === undefined ? undefined : begin(distinctNames('columns', request.columns));
  let index = 0;
  for (const row of rows) {
    plan ??= begin(columnsOf(row));
    plan.batches.add(plan.writer.textOf(row, index), index);
    index++;
  }
  plan?.batches.close();
  return plan?.batches.statements ?? [];
}
