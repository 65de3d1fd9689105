import { InvalidArgumentError, describeType } from '../errors';
import { toBytes } from '../values/bytes';

const LONGEST = 255;

/** The bytes of a lock's name. @throws {InvalidArgumentError} naming the rule, never the name. */
export function lockName(name: unknown): Buffer {
  if (typeof name !== 'string') {
    throw new InvalidArgumentError('name', `must be a string, got ${describeType(name)}`);
  }
  return toBytes('name', name, { least: 1, longest: LONGEST });
}
