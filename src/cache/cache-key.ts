import * as crypto from 'node:crypto';
import { ConfigurationError, describeType } from '../errors';
import { toBytes } from '../values/bytes';

/** The longest key, in bytes of UTF-8. */
export const LONGEST_KEY = 3072;
const LONGEST_NAMESPACE = 128;
const LONGEST_TAG = 1024;

/** Of a row's id: what all rows of a namespace begin with, and the rest. */
const HEAD = 8;
const TAIL = 16;
/** Of a tag's: as much of each. Were two tags alike in it, invalidating one would be of both. */
export const TAG_BYTES = 16;

const SEPARATOR = Buffer.alloc(1);

/** An entry's key, as rows have it. */
export interface CacheKey {
  /** Where the row is found. */
  readonly id: Buffer;
  /** Namespace and key in full: what makes a collision of ids a miss and not a mix-up. */
  readonly full: Buffer;
  /** The same as text, one character per byte, for maps in memory. */
  readonly name: string;
}

/** Keys whose ids are remembered, and how long each may be. */
const REMEMBERED = 4096;
const SHORT = 200;

function digest(bytes: number, ...parts: readonly (Buffer | string)[]): Buffer {
  const whole = Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
  );
  return sha256(whole).subarray(0, bytes);
}

/** In one call where Node has it (20.12). */
const sha256: (data: Buffer) => Buffer =
  typeof crypto.hash === 'function'
    ? (data) => crypto.hash('sha256', data, 'buffer')
    : (data) => crypto.createHash('sha256').update(data).digest();

/** The name of the row that has this full key. */
export const nameOf = (full: Buffer): string => full.toString('latin1');

/**
 * A part of the table that is cleared by itself. Its rows lie together: their ids begin alike, and
 * within it they are spread evenly, which is what the sampling of the eviction relies on.
 */
export class Namespace {
  /** What every full key begins with. */
  readonly #prefix: Buffer;
  readonly #head: Buffer;
  /** The row whose version counts how often the namespace was cleared. */
  readonly epochId: Buffer;
  readonly #known = new Map<unknown, CacheKey>();
  /** The bounds of its ids: the lowest, and one above the highest. */
  readonly first: Buffer;
  readonly beyond: Buffer;
  /** Those of its tags' ids. */
  readonly firstTag: Buffer;
  readonly lastTag: Buffer;

  /** @throws {ConfigurationError} for what is no name. */
  constructor(name: unknown) {
    const fits = typeof name === 'string' && name.isWellFormed() && !name.includes('\0');
    if (!fits || Buffer.byteLength(name) > LONGEST_NAMESPACE) {
      const rule = `must be a string of at most ${LONGEST_NAMESPACE} bytes without NUL, got ${describeType(name)}`;
      throw new ConfigurationError('namespace', rule);
    }
    this.#prefix = Buffer.concat([Buffer.from(name), SEPARATOR]);
    this.#head = digest(HEAD, this.#prefix);
    this.epochId = digest(TAG_BYTES, 'namespace', SEPARATOR, this.#prefix);
    this.first = Buffer.concat([this.#head, Buffer.alloc(TAIL)]);
    this.beyond = Buffer.concat([this.#head, Buffer.alloc(TAIL, 0xff)]);
    this.firstTag = this.first.subarray(0, TAG_BYTES);
    this.lastTag = this.beyond.subarray(0, TAG_BYTES);
  }

  /** @throws {InvalidArgumentError} naming the rule, never the key. */
  key(key: unknown): CacheKey {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = this.#make(key);
    if (typeof key === 'string' && key.length <= SHORT) {
      if (this.#known.size >= REMEMBERED) this.#known.clear();
      this.#known.set(key, made);
    }
    return made;
  }

  #make(key: unknown): CacheKey {
    const bytes = toBytes('key', key, { longest: LONGEST_KEY });
    const full = Buffer.concat([this.#prefix, bytes]);
    const id = Buffer.concat([this.#head, digest(TAIL, full)]);
    return { id, full, name: nameOf(full) };
  }

  /** What the full keys begin with of keys that begin so. @throws {InvalidArgumentError} naming the rule. */
  prefix(prefix: unknown): Buffer {
    return Buffer.concat([this.#prefix, toBytes('prefix', prefix, { longest: LONGEST_KEY })]);
  }

  /** The key of a row; `undefined` where it is another namespace's. */
  keyOf(full: Buffer): Buffer | undefined {
    const length = this.#prefix.length;
    if (this.#prefix.compare(full, 0, length) !== 0) return undefined;
    return full.subarray(length);
  }

  /** @throws {InvalidArgumentError} naming the rule, never the tag. */
  tag(tag: unknown): Buffer {
    const bytes = toBytes('tag', tag, { least: 1, longest: LONGEST_TAG });
    const tail = digest(TAG_BYTES - HEAD, 'tag', SEPARATOR, this.#prefix, bytes);
    return Buffer.concat([this.#head, tail]);
  }

  /** Somewhere among its ids. `share` is from 0 to 1. */
  at(share: number): Buffer {
    const id = Buffer.from(this.first);
    id.writeUIntBE(Math.floor(share * 2 ** 48), HEAD, 6);
    return id;
  }

  /** How far into its ids an id lies, from 0 to 1. */
  shareOf(id: Buffer): number {
    return id.readUIntBE(HEAD, 6) / 2 ** 48;
  }
}
