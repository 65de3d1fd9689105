import { InvalidArgumentError, describeType } from '../errors';

/**
 * A name in backticks. Unlike the driver's `escapeId`, one name stays one name: a dot is part of it.
 *
 * @throws {InvalidArgumentError} naming `argument`, for what is no string, empty, or contains NUL.
 */
export function quotedName(argument: string, name: unknown): string {
  if (typeof name !== 'string' || name === '') {
    throw new InvalidArgumentError(argument, `must be a name, got ${describeType(name)}`);
  }
  if (name.includes('\0')) {
    throw new InvalidArgumentError(argument, 'must not contain a NUL character');
  }
  return `\`${name.replaceAll('`', '``')}\``;
}

/** The parts of a qualified name, joined by dots: `schema`.`table`. */
export function qualifiedName(argument: string, parts: readonly unknown[]): string {
  if (parts.length === 0) throw new InvalidArgumentError(argument, 'must be a name, got none');
  return parts.map((part) => quotedName(argument, part)).join('.');
}

/**
 * Names of columns, each once and at least one.
 *
 * @throws {InvalidArgumentError} naming `argument`.
 */
export function distinctNames(argument: string, names: readonly unknown[]): readonly string[] {
  if (!Array.isArray(names) || names.length === 0) {
    const rule = `must be a list of names, got ${describeType(names)}`;
    throw new InvalidArgumentError(argument, rule);
  }
  for (const name of names) quotedName(argument, name);
  const known = names as readonly string[];
  const twice = known.find((name, index) => known.indexOf(name) < index);
  if (twice !== undefined) throw new InvalidArgumentError(argument, `names '${twice}' twice`);
  return known;
}
