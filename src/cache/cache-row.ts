/** A value that counts. Numbers come as strings where the program asks for that (`bigNumberStrings`). */
export interface FoundRow {
  readonly kind: number;
  readonly value: Buffer;
  /** In µs; absent where nobody keeps values. */
  readonly fresh?: number | string;
}

/** The same of the one that was asked for. */
export interface SoleValueRow extends FoundRow {
  /** Whether it has tags, which have to count too. */
  readonly tagged: number | string;
}

/** The key of a value that counts, if its tags do, which are still to be looked at. */
export interface KeyRow {
  readonly full_key: Buffer;
  readonly tags: Buffer | null;
  readonly tag_sum: number | string;
}

/** The same with the value. */
export interface ValueRow extends KeyRow, FoundRow {}

/** One of a page of rows, with where it lies. */
export type PageRow<Row extends KeyRow> = Row & { readonly id: Buffer };

/** A row as it is, valid or not. */
export interface LookRow extends Omit<ValueRow, 'kind' | 'value'> {
  readonly kind: number | null;
  readonly value: Buffer | null;
  readonly version: Buffer;
  readonly cost: number | string;
  /** In µs, as all times. */
  readonly fresh: number | string;
  readonly remaining: number | string;
  readonly filling: number | string | null;
  /** Of its namespace, and, where one key was asked for, of its tags. */
  readonly valid: number | string;
}

export interface WalkRow {
  readonly id: Buffer;
  readonly version: Buffer;
  readonly epoch: number | string;
  readonly tags: Buffer | null;
  readonly tag_sum: number | string;
}

export interface SampleRow {
  readonly id: Buffer;
  readonly version: Buffer;
  readonly size: number;
  /** When, in µs since 1970: how long ago would depend on when it was asked. */
  readonly written: number;
}

/** A row to be removed, unless it has changed since it was read. */
export type Doomed = Pick<WalkRow, 'id' | 'version'>;
