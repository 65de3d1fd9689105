/** A value that counts. Numbers come as strings where the program asks for that (`bigNumberStrings`). */
export interface SoleValueRow {
  readonly kind: number;
  readonly value: Buffer;
  /** In µs. */
  readonly fresh: number | string;
  /** Whether it has tags, which have to count too. */
  readonly tagged: number | string;
}

/** The same among others, where its tags are still to be looked at. */
export interface ValueRow extends SoleValueRow {
  readonly id: Buffer;
  readonly full_key: Buffer;
  readonly tags: Buffer | null;
  readonly tag_sum: number | string;
}

/** A row as it is, valid or not. */
export interface LookRow extends Omit<ValueRow, 'kind' | 'value'> {
  readonly kind: number | null;
  readonly value: Buffer | null;
  readonly version: Buffer;
  readonly cost: number | string;
  /** In µs, as all times. */
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
  /** In µs. */
  readonly age: number;
}

/** A row to be removed, unless it has changed since it was read. */
export type Doomed = Pick<WalkRow, 'id' | 'version'>;
