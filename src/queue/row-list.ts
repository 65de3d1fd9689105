const COLUMNS = {
  groupId: 'INT UNSIGNED',
  streamId: 'INT UNSIGNED',
  messageId: 'BIGINT UNSIGNED',
  claim: 'BIGINT UNSIGNED',
  /** In hexadecimal. */
  bytes: 'VARCHAR(510)',
} as const;

type Column = keyof typeof COLUMNS;

/** Numbers, and bytes in hexadecimal. */
type Cell = number | string;

/**
 * A list as a table `x`, that is read before the table it is joined with. With `id IN (…)` a planner
 * may read a small table from end to end, `FORCE INDEX (PRIMARY)` or not (MariaDB 10.11 and MySQL 9.7
 * do), and waits for a producer who has not committed yet.
 */
export class RowList {
  readonly #columns: readonly Column[];
  readonly #rows: readonly (readonly Cell[])[];

  constructor(columns: readonly Column[], rows: readonly (readonly Cell[])[]) {
    this.#columns = columns;
    this.#rows = rows;
  }

  /** For {@link value}, bound: one statement for lists of any length. */
  get bound(): string {
    const list = this.#columns
      .map((name, at) => `${name} ${COLUMNS[name]} PATH '$[${at}]'`)
      .join(', ');
    return `JSON_TABLE(?, '$[*]' COLUMNS (${list})) AS x STRAIGHT_JOIN`;
  }

  get value(): string {
    return JSON.stringify(this.#rows);
  }

  /** For a server without JSON_TABLE. */
  get text(): string {
    const rows = this.#rows.map((row) =>
      row.map((cell, at) => `${literal(cell)} AS ${this.#columns[at] ?? ''}`).join(', '),
    );
    return `(SELECT ${rows.join(' UNION ALL SELECT ')}) AS x STRAIGHT_JOIN`;
  }
}

function literal(cell: Cell): string {
  return typeof cell === 'number' ? String(cell) : `'${cell}'`;
}
