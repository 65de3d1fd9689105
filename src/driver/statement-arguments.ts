import { InvalidArgumentError, checkOptionNames, describe, describeType } from '../errors';
import type { ResultShape, Statement } from './statement';

/** Options of one statement. */
export interface StatementOptions extends ResultShape {
  /**
   * Declares that running it twice is the same as running it once: it is repeated after a lost
   * connection. Inside a transaction and on a held connection nothing is repeated.
   */
  readonly idempotent?: boolean;
}

/** A statement with its text, values and options in one object, as in mysql2. */
export interface StatementObject extends StatementOptions {
  readonly sql: string;
  readonly values?: readonly unknown[];
}

/** What a caller asked for, checked. */
export interface StatementRequest {
  readonly statement: Statement;
  readonly idempotent: boolean;
}

const OPTION_NAMES = ['idempotent', 'rowsAsArray', 'nestTables', 'typeCast'];
const OBJECT_NAMES = ['sql', 'values', ...OPTION_NAMES];

function checkValues(values: unknown): asserts values is readonly unknown[] | undefined {
  if (values !== undefined && !Array.isArray(values)) {
    throw new InvalidArgumentError(
      'values',
      `must be an array, got ${describeType(values)}: write [value] for a single one`,
    );
  }
}

/**
 * Brings `(sql, values?, options?)` and `({ sql, values, … }, values?)` into one shape.
 *
 * @throws {InvalidArgumentError} for a text that is not a string, values that are not an array (a
 * bare value binds by accident what was meant otherwise), or an option that is not carried out.
 */
export function requestOf(
  sql: string | StatementObject,
  values?: readonly unknown[],
  options?: StatementOptions,
): StatementRequest {
  if (typeof sql === 'string') {
    checkValues(values);
    if (options === undefined) return { statement: { sql, values }, idempotent: false };
    return requestOf({ sql }, values, options);
  }
  if (typeof sql !== 'object' || sql === null || typeof sql.sql !== 'string') {
    throw new InvalidArgumentError('sql', `must be a string or { sql, … }, got ${describe(sql)}`);
  }
  checkOptionNames('sql', sql, OBJECT_NAMES);
  if (options !== undefined) checkOptionNames('options', options, OPTION_NAMES);
  const { idempotent = false, sql: text, values: own, ...shape } = { ...sql, ...options };
  if (typeof idempotent !== 'boolean') {
    throw new InvalidArgumentError(
      'idempotent',
      `must be true or false, got ${describe(idempotent)}`,
    );
  }
  const bound = values ?? own;
  checkValues(bound);
  return { statement: { sql: text, values: bound, shape }, idempotent };
}
