/** A row as an object, keyed by column name. */
export type Row = Readonly<Record<string, unknown>>;

/** The server's answer to a statement that returns no rows. */
export interface ResultHeader {
  /** Of UPDATE and DELETE: rows that matched, whether or not their values changed. */
  readonly affectedRows: number;
  /** The AUTO_INCREMENT value, or what LAST_INSERT_ID(expr) was given; 0 for none. */
  readonly insertId: number;
  readonly changedRows: number;
  readonly warningStatus: number;
  readonly info: string;
}

/** A column of a result. */
export interface Field {
  readonly name: string;
  readonly table?: string;
  readonly schema?: string;
  readonly type?: number | undefined;
  readonly flags?: number | readonly string[];
}

/** What a statement resolves to, as in mysql2/promise: rows or header, then the columns. */
export type Result<T> = [rows: T, fields: Field[]];

/** Without a type argument a result is rows; name another type where it is a header or a CALL. */
export type DefaultRows = Row[];

/** What mysql2 takes per statement, beside text and values. */
export interface ResultShape {
  /** Rows as arrays instead of objects. */
  readonly rowsAsArray?: boolean;
  readonly nestTables?: boolean | string;
  readonly typeCast?: boolean | ((field: never, next: () => unknown) => unknown);
}

/** A statement as a connection runs it. */
export interface Statement {
  readonly sql: string;
  readonly values?: readonly unknown[] | undefined;
  readonly shape?: ResultShape | undefined;
  /** Known to leave the session as it was, whatever its text looks like. */
  readonly tidy?: boolean;
  /** Has values escaped into its text. */
  readonly escaped?: boolean;
  /** Streamed as `query` sends it, and not prepared. */
  readonly asText?: boolean;
}

/** `query` sends text with the values escaped into it; `execute` prepares and binds. */
export type StatementKind = 'query' | 'execute';
