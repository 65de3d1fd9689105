import { InvalidArgumentError, checkOptionNames, describe, describeType } from '../errors';
import { checkBounds, type Bounds } from '../limit';
import { positional } from './named-placeholders';
import type { ResultShape, Statement } from './statement';

/** Options of one statement. */
export interface StatementOptions extends ResultShape, Bounds {
  /**
   * Declares that running it twice is the same as running it once: it is repeated after a lost
   * connection. Inside a transaction and on a held connection nothing is repeated.
   */
  readonly idempotent?: boolean;
  /** How often it may be repeated at most; 0 for never. @default `retry.attempts` - 1 */
  readonly retries?: number;
  /** Names the statement in errors. */
  readonly label?: string;
  /** Values may be an object, bound to `:name` in the text. @default the database's */
  readonly namedPlaceholders?: boolean;
}

/** Values in the order of their `?`, or by name where named placeholders are switched on. */
export type StatementValues = readonly unknown[] | Readonly<Record<string, unknown>>;

/** A statement with its text, values and options in one object, as in mysql2; also what `sql` gives. */
export interface StatementObject extends StatementOptions {
  readonly sql: string;
  readonly values?: StatementValues;
}

/** What a caller asked for, checked. */
export interface StatementRequest {
  readonly statement: Statement;
  /** What the caller said; `undefined` where nothing. */
  readonly idempotent: boolean | undefined;
  /** Its own time limit and signal. */
  readonly limits?: Bounds | undefined;
  readonly retries?: number | undefined;
  readonly label?: string | undefined;
}

const SHAPE_NAMES = ['rowsAsArray', 'nestTables', 'typeCast'];
const OPTION_NAMES = [
  ...['idempotent', 'retries', 'label', 'timeout', 'signal', 'namedPlaceholders'],
  ...SHAPE_NAMES,
];
const OBJECT_NAMES = ['sql', 'values', ...OPTION_NAMES];

function isRecord(values: unknown): values is Readonly<Record<string, unknown>> {
  if (typeof values !== 'object' || values === null) return false;
  const prototype: unknown = Object.getPrototypeOf(values);
  return prototype === Object.prototype || prototype === null;
}

function check<T>(name: string, value: T, fits: (given: T) => boolean, rule: string): void {
  if (value === undefined || fits(value)) return;
  throw new InvalidArgumentError(name, `must be ${rule}, got ${describe(value)}`);
}

/** The text and its values by position. */
function bind(sql: string, values: unknown, named: boolean): Statement {
  if (values === undefined || Array.isArray(values)) return { sql, values };
  if (isRecord(values)) {
    if (named) return positional(sql, values);
    throw new InvalidArgumentError(
      'values',
      'is an object: values by name need the option namedPlaceholders: true',
    );
  }
  throw new InvalidArgumentError(
    'values',
    `must be an array, got ${describeType(values)}: write [value] for a single one`,
  );
}

/**
 * Brings `(sql, values?, options?)` and `({ sql, values, … }, values?)` into one shape.
 *
 * @param named whether values may be given by name where the options do not say.
 * @throws {InvalidArgumentError} for a text that is not a string, values that are not an array (a
 * bare value binds by accident what was meant otherwise), or an option that is not carried out.
 */
export function requestOf(
  sql: string | StatementObject,
  values?: StatementValues,
  options?: StatementOptions,
  named = false,
): StatementRequest {
  if (typeof sql === 'string') {
    if (options === undefined)
      return { statement: bind(sql, values, named), idempotent: undefined };
    return requestOf({ sql }, values, options, named);
  }
  if (typeof sql !== 'object' || sql === null || typeof sql.sql !== 'string') {
    throw new InvalidArgumentError('sql', `must be a string or { sql, … }, got ${describe(sql)}`);
  }
  checkOptionNames('sql', sql, OBJECT_NAMES);
  if (options !== undefined) checkOptionNames('options', options, OPTION_NAMES);
  const given: StatementObject = { ...sql, ...options };
  const { idempotent, retries, label, namedPlaceholders = named, timeout, signal } = given;
  check('idempotent', idempotent, (value) => typeof value === 'boolean', 'true or false');
  check('namedPlaceholders', namedPlaceholders, (v) => typeof v === 'boolean', 'true or false');
  check('label', label, (value) => typeof value === 'string', 'a string');
  const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  check('retries', retries, whole, 'a whole number, 0 or more');
  checkBounds(given);
  const limits = timeout === undefined && signal === undefined ? undefined : limitsOf(given);
  const statement = bind(given.sql, values ?? given.values, namedPlaceholders);
  const shape = shapeOf(given);
  return { statement: { ...statement, shape }, idempotent, limits, retries, label };
}

function limitsOf({ timeout, signal }: Bounds): Bounds {
  return {
    ...(timeout === undefined ? {} : { timeout }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** What the driver is asked for; `undefined` where nothing, which is markedly faster. */
function shapeOf(given: StatementObject): ResultShape | undefined {
  const asked = SHAPE_NAMES.filter((name) => given[name as keyof ResultShape] !== undefined);
  if (asked.length === 0) return undefined;
  return Object.fromEntries(asked.map((name) => [name, given[name as keyof ResultShape]]));
}
