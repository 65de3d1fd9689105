import { WrongTypeError } from '../errors';

/**
 * What a key's row is of. Below {@link KeyKind.set} it is a single value, and the number is the
 * codec's. The numbers stand in the table: never give one another meaning.
 */
export const KeyKind = { set: 16, sortedSet: 17, hash: 18, bucket: 19 } as const;

export type KeyKind = (typeof KeyKind)[keyof typeof KeyKind];
/** Those that have members in a table of their own. */
export type CollectionKind = Exclude<KeyKind, typeof KeyKind.bucket>;

const NAMES: Readonly<Record<number, string>> = {
  [KeyKind.set]: 'a set',
  [KeyKind.sortedSet]: 'a sorted set',
  [KeyKind.hash]: 'a hash',
  [KeyKind.bucket]: 'a token bucket',
};

const nameOf = (kind: number): string => NAMES[kind] ?? 'a single value';

export const isValue = (kind: number): boolean => kind < KeyKind.set;

/** @throws {WrongTypeError} where the key is of another kind. */
export function checkKind(kind: number, wanted: KeyKind): void {
  if (kind === wanted) return;
  throw new WrongTypeError(`The key holds ${nameOf(kind)}; the command is for ${nameOf(wanted)}`);
}

/** @throws {WrongTypeError} where the key holds no single value. */
export function checkValue(kind: number): void {
  if (isValue(kind)) return;
  throw new WrongTypeError(`The key holds ${nameOf(kind)}; the command is for a single value`);
}
