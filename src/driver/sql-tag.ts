import { types } from 'node:util';
import { InvalidArgumentError, describeType } from '../errors';
import { objectionTo } from './bindable';
import { qualifiedName } from './identifier';
import { SqlAssembly } from './sql-assembly';
import { templateOf } from './sql-template';

/* On the prototype and not by `instanceof`, so that fragments of two copies of this package fit
 * together. A symbol: what JSON.parse makes of a request's body can never look like a fragment. */
const SPLICEABLE: unique symbol = Symbol.for('mysql-boomerang/sql-fragment@1');

/** A piece of SQL with its values, made by {@link sql} alone. Frozen. */
class SqlFragment {
  /** The text; every value is a `?` in it. */
  readonly sql: string;
  /** One per `?`, in order. */
  readonly values: readonly unknown[];

  constructor(text: string, values: unknown[]) {
    this.sql = text;
    this.values = Object.freeze(values);
    Object.freeze(this);
  }

  get [SPLICEABLE](): true {
    return true;
  }
}

export type { SqlFragment };

function isFragment(value: unknown): value is SqlFragment {
  return typeof value === 'object' && value !== null && SPLICEABLE in value;
}

const ADVICE = 'write sql.join(list) for a list, JSON.stringify(value) for JSON';

/** The value as it is bound. */
function bound(value: unknown, argument: string, place: string): unknown {
  const objection = objectionTo(value, ADVICE);
  if (objection !== undefined) throw new InvalidArgumentError(argument, `${place} ${objection}`);
  // `execute` sends bytes as bytes only from a Buffer.
  return types.isUint8Array(value) && !Buffer.isBuffer(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : value;
}

function tag(strings: TemplateStringsArray, ...values: readonly unknown[]): SqlFragment {
  const { pieces, sql: text } = templateOf(strings);
  if (values.length !== pieces.length - 1) {
    const rule = `has ${pieces.length - 1} interpolations, got ${values.length} values`;
    throw new InvalidArgumentError('sql', rule);
  }
  const checked = values.map((value, index) =>
    isFragment(value) ? value : bound(value, 'sql', `interpolation ${index + 1}`),
  );
  if (!checked.some(isFragment)) return new SqlFragment(text, checked);
  const whole = new SqlAssembly();
  pieces.forEach((piece, index) => {
    whole.text(piece);
    if (index === checked.length) return;
    const value = checked[index];
    if (isFragment(value)) whole.fragment(value);
    else whole.value(value);
  });
  return new SqlFragment(whole.sql, whole.values);
}

const COMMA = new SqlFragment(', ', []);

function join(values: Iterable<unknown>, separator: SqlFragment = COMMA): SqlFragment {
  if (!isFragment(separator)) {
    const rule = `must be made by sql\`…\`, got ${describeType(separator)}`;
    throw new InvalidArgumentError('separator', rule);
  }
  const given: unknown = values;
  if (
    typeof given !== 'object' ||
    given === null ||
    types.isUint8Array(given) ||
    !(Symbol.iterator in given)
  ) {
    throw new InvalidArgumentError('values', `must be a list, got ${describeType(given)}`);
  }
  const whole = new SqlAssembly();
  let index = 0;
  for (const value of values) {
    if (index > 0) whole.fragment(separator);
    if (isFragment(value)) whole.fragment(value);
    else whole.value(bound(value, 'values', `item ${index + 1}`));
    index++;
  }
  if (index === 0) {
    const rule = 'is empty, and SQL has no empty list: decide what is meant before the statement';
    throw new InvalidArgumentError('values', rule);
  }
  return new SqlFragment(whole.sql, whole.values);
}

/** What {@link sql} can do. */
export interface SqlTag {
  (strings: TemplateStringsArray, ...values: readonly unknown[]): SqlFragment;

  /**
   * A name in backticks: of a column, a table, a schema. Several parts make a qualified name; a dot
   * inside a part is part of the name.
   *
   * @throws {InvalidArgumentError} for a part that is no string, empty, or contains NUL.
   * @example
   * sql`SELECT * FROM ${sql.identifier('shop', 'orders')}` // SELECT * FROM `shop`.`orders`
   */
  identifier(...parts: readonly [string, ...string[]]): SqlFragment;

  /**
   * The values one after the other: bound, or spliced where they are fragments.
   *
   * @param separator stands between them. Default: sql`, `
   * @throws {InvalidArgumentError} for no values at all, since `IN ()` is no SQL: whether none
   * means nothing or everything is the caller's to say.
   * @example
   * sql`SELECT * FROM t WHERE id IN (${sql.join([1, 2])})` // … WHERE id IN (?, ?)
   * sql`SELECT * FROM t WHERE ${sql.join(conditions, sql` AND `)}`
   */
  join(values: Iterable<unknown>, separator?: SqlFragment): SqlFragment;
}

/**
 * Writes a statement with its values in their places. Every interpolation is bound and none is
 * pasted: text gets in only by other `sql` templates and, as a name, by `sql.identifier`. There is
 * no `raw`. The result goes wherever a statement does: `db.query(sql`…`)`, `db.execute(sql`…`)`.
 *
 * A value is a string, a finite number, a bigint, a boolean, null, a Date, a Buffer or Uint8Array.
 * As in any template, `\n` is a line break: a backslash that SQL is to see is written twice.
 *
 * @throws {InvalidArgumentError} for any other value (an array, an object, undefined); for a `?`
 * in the text outside of quotes and comments; for an interpolation inside quotes or a comment; for
 * text that the driver and the server read differently, such as a `?` or `'` in double quotes.
 * @example
 * const open = sql`state = ${'open'}`;
 * const [rows] = await db.execute(sql`SELECT * FROM orders WHERE id = ${id} AND ${open}`);
 */
export const sql: SqlTag = Object.freeze(
  Object.assign(tag, {
    identifier: (...parts: readonly string[]) =>
      new SqlFragment(qualifiedName('identifier', parts), []),
    join,
  }),
);
