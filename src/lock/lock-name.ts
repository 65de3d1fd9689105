import { InvalidArgumentError, describeType } from '../errors';

const LONGEST = 255;

/** The bytes of a lock's name. @throws {InvalidArgumentError} naming the rule, never the name. */
export function lockName(name: unknown): Buffer {
  if (typeof name !== 'string') {
    throw new InvalidArgumentError('name', `must be a string, got ${describeType(name)}`);
  }
  const bytes = Buffer.from(name);
  if (bytes.length > 0 && bytes.length <= LONGEST && bytes.toString() === name) return bytes;
  throw new InvalidArgumentError(
    'name',
    `must be 1 to ${LONGEST} bytes of valid UTF-8, got ${bytes.length} bytes`,
  );
}
