import { types } from 'node:util';
import { ConfigurationError, InvalidArgumentError, describe, describeType } from '../errors';

/** Turns values into bytes and back, in place of the library's own ways. */
export interface Serializer {
  serialize(value: unknown): Uint8Array | string;
  deserialize(bytes: Buffer): unknown;
}

/** What the bytes of a stored value mean. The numbers stand in tables: never give one another meaning. */
export const ValueKind = {
  bytes: 0,
  text: 1,
  json: 2,
  /** A number or a bigint in decimal. */
  number: 3,
  bigint: 4,
  /** By the caller's serializer. */
  custom: 9,
} as const;

export type ValueKind = (typeof ValueKind)[keyof typeof ValueKind];

/** A value as a row keeps it. */
export interface StoredValue {
  readonly kind: ValueKind;
  readonly bytes: Buffer;
}

/**
 * Values in rows, such that they come back as what they were: bytes as a Buffer, strings, numbers
 * (NaN, infinities and -0 too), bigints, and whatever else JSON can hold, as JSON holds it.
 */
export class ValueCodec {
  readonly #serializer: Serializer | undefined;

  /** @throws {ConfigurationError} for what is no serializer. */
  constructor(serializer?: Serializer) {
    const given: Partial<Serializer> | undefined = serializer;
    if (
      given !== undefined &&
      (typeof given?.serialize !== 'function' || typeof given.deserialize !== 'function')
    ) {
      const rule = `must have the functions serialize and deserialize, got ${describe(serializer)}`;
      throw new ConfigurationError('serializer', rule);
    }
    this.#serializer = serializer;
  }

  /** @throws {InvalidArgumentError} naming the argument, for what cannot be kept. */
  encode(value: unknown, argument = 'value'): StoredValue {
    return this.#serializer === undefined
      ? encode(value, argument)
      : { kind: ValueKind.custom, bytes: serialized(this.#serializer, value, argument) };
  }

  /** Only for what {@link encode} has made, by the same serializer. */
  decode(kind: number, bytes: Buffer): unknown {
    switch (kind) {
      case ValueKind.bytes:
        return bytes;
      case ValueKind.text:
        return bytes.toString();
      case ValueKind.json:
        return JSON.parse(bytes.toString());
      case ValueKind.number:
        return Number(bytes.toString('latin1'));
      case ValueKind.bigint:
        return BigInt(bytes.toString('latin1'));
      default:
        if (kind !== ValueKind.custom || this.#serializer === undefined) {
          throw new ConfigurationError(
            'serializer',
            'a stored value was written by another serializer, or by a newer version of this library',
          );
        }
        return this.#serializer.deserialize(bytes);
    }
  }
}

function encode(value: unknown, argument: string): StoredValue {
  switch (typeof value) {
    case 'string':
      // UTF-8 cannot hold half a surrogate pair, JSON can.
      return value.isWellFormed()
        ? { kind: ValueKind.text, bytes: Buffer.from(value) }
        : json(value, argument);
    case 'number': {
      const text = Object.is(value, -0) ? '-0' : String(value);
      return { kind: ValueKind.number, bytes: Buffer.from(text, 'latin1') };
    }
    case 'bigint':
      return { kind: ValueKind.bigint, bytes: Buffer.from(String(value), 'latin1') };
    default:
      if (!types.isUint8Array(value)) return json(value, argument);
      return {
        kind: ValueKind.bytes,
        bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      };
  }
}

function json(value: unknown, argument: string): StoredValue {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new InvalidArgumentError(argument, 'cannot be written as JSON', { cause });
  }
  if (text === undefined) {
    const rule = `must be bytes, a string, a number or JSON, got ${describeType(value)}`;
    throw new InvalidArgumentError(argument, rule);
  }
  return { kind: ValueKind.json, bytes: Buffer.from(text) };
}

function serialized(serializer: Serializer, value: unknown, argument: string): Buffer {
  const made: unknown = serializer.serialize(value);
  if (typeof made === 'string') return Buffer.from(made);
  if (types.isUint8Array(made)) return Buffer.from(made.buffer, made.byteOffset, made.byteLength);
  throw new InvalidArgumentError(
    argument,
    `the serializer must make a string or bytes of it, made ${describeType(made)}`,
  );
}
