import { describe } from '../errors';

/** What decorated methods need of their instance. */
export interface Needed<T> {
  /** As in `@atomic`. */
  readonly decorator: string;
  /** What it is called in the error's text. */
  readonly noun: string;
  /** Where it is, and the decorator's option that says otherwise. */
  readonly property: string;
  readonly is: (value: unknown) => value is T;
}

/**
 * What a method's decorator works with: by default a property of the instance.
 *
 * @param find the decorator's option, where it is given.
 * @throws {TypeError} where it is not there.
 */
export function onInstance<T>(
  { decorator, noun, property, is }: Needed<T>,
  method: string,
  self: unknown,
  find: ((self: never) => T) | undefined,
): T {
  const found: unknown =
    find === undefined
      ? (self as Readonly<Record<string, unknown>> | undefined)?.[property]
      : (find as (self: unknown) => unknown)(self);
  if (is(found)) return found;
  const where = find === undefined ? `'${property}'` : `what { ${property} } gave`;
  throw new TypeError(
    `@${decorator}: '${method}' finds no ${noun}: ${where} is ${describe(found)}. Keep it in the ` +
      `property '${property}', or say @${decorator}({ ${property}: (self) => … })`,
  );
}
