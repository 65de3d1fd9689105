import { createHash } from 'node:crypto';
import { ConfigurationError } from '../errors';
import { toBytes } from '../values/bytes';
import type { NameForm, NameLike, NameOf } from './store-options';

export const LONGEST_KEY = 3072;
/** Of a member or a field, in bytes: it stands in an index beside its key's version and its score. */
export const LONGEST_MEMBER = 3000;
/** As much of a name as the index for {@link KeySpace.range} has. */
const HEAD = 255;
/** Of the hash a row is found by; the name beside it is compared. */
const ID = 20;

/** Keys of users, and of the counters that nothing but `nextId` touches. */
export type Space = 'keys' | 'ids';
const SPACES: Readonly<Record<Space, number>> = { keys: 0, ids: 1 };

/** A key as its row has it. */
export interface StoreKey {
  readonly id: Buffer;
  /** Namespace and key. */
  readonly name: Buffer;
  /** The first bytes of the name. */
  readonly head: Buffer;
}

/** Where keys with a common prefix stand. */
export interface KeyRange {
  readonly prefix: Buffer;
  readonly from: Buffer;
  readonly to: Buffer;
}

/** Brings keys of one namespace into the form in which rows have them, and back. */
export class KeySpace<Form extends NameForm> {
  readonly #prefixes: Readonly<Record<Space, Buffer>>;
  readonly #form: Form;

  constructor(namespace: Buffer, form: Form) {
    const begin = (space: Space): Buffer =>
      Buffer.concat([Buffer.from([SPACES[space], namespace.length]), namespace]);
    this.#prefixes = { keys: begin('keys'), ids: begin('ids') };
    this.#form = form;
  }

  /** @throws {InvalidArgumentError} naming the rule, never the key. */
  key(key: NameLike, space: Space = 'keys'): StoreKey {
    const name = this.#name(key, space);
    const id = createHash('sha256').update(name).digest().subarray(0, ID);
    return { id, name, head: name.subarray(0, HEAD) };
  }

  /** Without those that are there twice, by id: rows are locked in one order by everybody. */
  sorted(keys: readonly NameLike[]): StoreKey[] {
    const byId = new Map<string, StoreKey>();
    for (const key of keys.map((one) => this.key(one))) byId.set(key.id.toString('latin1'), key);
    return [...byId.values()].sort((a, b) => Buffer.compare(a.id, b.id));
  }

  /** What a scan has to look at. */
  range(prefix: NameLike): KeyRange {
    const name = this.#name(prefix, 'keys');
    const from = name.subarray(0, HEAD);
    return { prefix: name, from, to: successor(from) };
  }

  /** The key of a row. */
  keyOf(name: Buffer): NameOf<Form> {
    return this.nameOf(name.subarray(this.#prefixes.keys.length));
  }

  /** A member or a field. @throws {InvalidArgumentError} */
  member(argument: string, member: NameLike): Buffer {
    const bytes = toBytes(argument, member, { longest: LONGEST_MEMBER });
    if (this.#form === 'string' && typeof member !== 'string') this.#text(bytes);
    return bytes;
  }

  /** Bytes in the form in which this store gives them. */
  nameOf(bytes: Buffer): NameOf<Form> {
    return (this.#form === 'buffer' ? bytes : this.#text(bytes)) as NameOf<Form>;
  }

  /** Never a text in which bytes were replaced: that would name something else. */
  #text(bytes: Buffer): string {
    const text = bytes.toString();
    if (!text.includes('\uFFFD') || Buffer.from(text).equals(bytes)) return text;
    throw new ConfigurationError(
      'names',
      "must be 'buffer' for keys, members and fields that are not valid UTF-8",
    );
  }

  #name(key: NameLike, space: Space): Buffer {
    return Buffer.concat([this.#prefixes[space], toBytes('key', key, { longest: LONGEST_KEY })]);
  }
}

/** The first bytes that come after all that begin with these. */
function successor(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (bytes[end - 1] === 0xff) end--;
  const next = Buffer.from(bytes.subarray(0, end));
  next[end - 1] = (next[end - 1] ?? 0) + 1;
  return next;
}
