import { InvalidArgumentError, describeType } from '../errors';

export interface ByteBounds {
  /** @default 0 */
  readonly least?: number;
  readonly longest: number;
}

/**
 * A key, a name or a member as bytes: strings as UTF-8, bytes as they are. Texts that UTF-8 cannot
 * hold are refused, since they would all become the same.
 *
 * @throws {InvalidArgumentError} naming the argument and the rule, never the text.
 */
export function toBytes(
  argument: string,
  value: unknown,
  { least = 0, longest }: ByteBounds,
): Buffer {
  const bytes = bytesOf(value);
  if (bytes === undefined) {
    const rule = `must be a string or bytes, got ${describeType(value)}`;
    throw new InvalidArgumentError(argument, rule);
  }
  const isText = typeof value !== 'string' || value.isWellFormed();
  if (isText && bytes.length >= least && bytes.length <= longest) return bytes;
  throw new InvalidArgumentError(
    argument,
    `must be ${least} to ${longest} bytes of valid UTF-8, got ${bytes.length} bytes`,
  );
}

function bytesOf(value: unknown): Buffer | undefined {
  if (typeof value === 'string') return Buffer.from(value);
  if (Buffer.isBuffer(value)) return value;
  if (!(value instanceof Uint8Array)) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
