import { InvalidArgumentError, describeType } from '../errors';
import { objectionTo } from './bindable';

const ADVICE = 'pass JSON as text, JSON.stringify(value)';

/** Writes rows as `(…)`, each with exactly the columns given. */
export class RowWriter {
  readonly #columns: readonly string[];
  readonly #known: ReadonlySet<string>;
  readonly #escape: (value: unknown) => string;
  readonly #takesArrays: boolean;

  constructor(
    columns: readonly string[],
    escape: (value: unknown) => string,
    takesArrays: boolean,
  ) {
    this.#columns = columns;
    this.#known = new Set(columns);
    this.#escape = escape;
    this.#takesArrays = takesArrays;
  }

  /** @throws {InvalidArgumentError} naming the row's number and the column, never the value. */
  textOf(row: unknown, index: number): string {
    const values = Array.isArray(row) ? this.#listed(row, index) : this.#named(row, index);
    const cells = this.#columns.map((column, at) => {
      const value = values[at];
      const objection = objectionTo(value, ADVICE);
      if (objection === undefined) return this.#escape(value);
      throw new InvalidArgumentError('rows', `row ${index}, column '${column}' ${objection}`);
    });
    return `(${cells.join(', ')})`;
  }

  #listed(row: readonly unknown[], index: number): readonly unknown[] {
    if (!this.#takesArrays) {
      throw new InvalidArgumentError('columns', `must be given: row ${index} is an array`);
    }
    const { length } = this.#columns;
    if (row.length === length) return row;
    const where = row.length < length ? `lacks '${this.#columns[row.length] ?? ''}'` : 'has more';
    const rule = `row ${index} ${where}: ${row.length} values for ${length} columns`;
    throw new InvalidArgumentError('rows', rule);
  }

  #named(row: unknown, index: number): readonly unknown[] {
    if (typeof row !== 'object' || row === null) {
      const rule = `row ${index} must be an object or an array, got ${describeType(row)}`;
      throw new InvalidArgumentError('rows', rule);
    }
    const missing = this.#columns.find((column) => !Object.hasOwn(row, column));
    if (missing !== undefined) {
      throw new InvalidArgumentError('rows', `row ${index} lacks '${missing}'`);
    }
    const extra = Object.keys(row).find((column) => !this.#known.has(column));
    if (extra !== undefined) {
      throw new InvalidArgumentError('rows', `row ${index} has '${extra}', which no column is for`);
    }
    const cells = row as Readonly<Record<string, unknown>>;
    return this.#columns.map((column) => cells[column]);
  }
}
