import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { ConfigurationError, InvalidArgumentError } from '../errors';
import { ValueCodec, ValueKind, type Serializer } from '../values/codec';
import { LONGEST_VALUE } from '../values/packet';
import type { Packed } from './entry';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Set beside the kind where the bytes are compressed. */
const COMPRESSED = 64;

/** Values as rows and memory keep them: encoded, and compressed where that is asked for and helps. */
export class Packer {
  readonly #codec: ValueCodec;
  /** Whether values are turned back by the caller's serializer, which may take its time. */
  readonly #isCustom: boolean;

  /** @throws {ConfigurationError} for what is no serializer. */
  constructor(serializer: Serializer | undefined) {
    this.#codec = new ValueCodec(serializer);
    this.#isCustom = serializer !== undefined;
  }

  /** @throws {InvalidArgumentError} for what cannot be kept. */
  pack(value: unknown, compressAbove: number): Packed | Promise<Packed> {
    const packed = this.#codec.encode(value);
    const { length } = packed.bytes;
    // However small it could be made: it has to be held in memory as a whole when it is read.
    if (length > LONGEST_VALUE) {
      const rule = `has ${length} bytes, and may have ${LONGEST_VALUE}`;
      throw new InvalidArgumentError('value', rule);
    }
    return length >= compressAbove ? compressed(packed) : packed;
  }

  unpack({ kind, bytes }: Packed): unknown {
    if ((kind & COMPRESSED) === 0) return this.#codec.decode(kind, ownBytes(kind, bytes));
    return decompressed(bytes).then((whole) => this.#codec.decode(kind - COMPRESSED, whole));
  }

  /** Several, without a promise for each where none has to be waited for. */
  unpackAll(all: readonly (Packed | undefined)[]): unknown[] | Promise<unknown[]> {
    const isSlow = (one: Packed | undefined): boolean => ((one?.kind ?? 0) & COMPRESSED) !== 0;
    if (!this.#isCustom && !all.some(isSlow)) return all.map((one) => one && this.unpack(one));
    return Promise.all(all.map(async (one) => one && this.unpack(one)));
  }
}

/**
 * What a reader is given may be given to others too, and kept in memory: where the bytes may reach it
 * as they are, it gets its own.
 */
function ownBytes(kind: number, bytes: Buffer): Buffer {
  return kind === ValueKind.bytes || kind === ValueKind.custom ? Buffer.from(bytes) : bytes;
}

async function compressed({ kind, bytes }: Packed): Promise<Packed> {
  const small = await deflate(bytes);
  return small.length < bytes.length ? { kind: kind + COMPRESSED, bytes: small } : { kind, bytes };
}

async function decompressed(bytes: Buffer): Promise<Buffer> {
  try {
    // What is longer was not written by us.
    return await inflate(bytes, { maxOutputLength: LONGEST_VALUE });
  } catch (cause) {
    throw new ConfigurationError('compress', 'a stored value cannot be decompressed', { cause });
  }
}
