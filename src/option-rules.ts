import { ConfigurationError, describe } from './errors';

/**
 * What an option may be: `undefined` where the value is right, else the rule it breaks.
 */
export type Rule = (value: unknown) => string | undefined;

const got = (rule: string, value: unknown): string => `must be ${rule}, got ${describe(value)}`;

/** A finite number from 0 upwards; used for milliseconds, where 0 switches the limit off. */
export const duration: Rule = (value) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? undefined
    : got('a number of milliseconds, 0 or more', value);

/** A whole number of at least `least`. */
export const wholeNumber =
  (least: number): Rule =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least
      ? undefined
      : got(`a whole number, ${least} or more`, value);

export const share: Rule = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1
    ? undefined
    : got('a number from 0 to 1', value);

export const flag: Rule = (value) =>
  typeof value === 'boolean' ? undefined : got('true or false', value);

/* Tells the type alone: a number in the place of a text may be a password. */
export const text: Rule = (value) =>
  typeof value === 'string' ? undefined : `must be a string, got ${typeof value}`;

export const record: Rule = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : got('an object', value);

export const callback: Rule = (value) =>
  typeof value === 'function' ? undefined : got('a function', value);

export const isLogger: Rule = (value) =>
  ['debug', 'info', 'warn', 'error'].every(
    (level) => typeof (value as Record<string, unknown> | null)?.[level] === 'function',
  )
    ? undefined
    : `must have the functions debug, info, warn and error, got ${describe(value)}`;

export const listOf =
  (item: Rule): Rule =>
  (value) =>
    Array.isArray(value) && value.every((one) => item(one) === undefined)
      ? undefined
      : got('an array whose items fit', value);

export const oneOf =
  (...choices: readonly (string | boolean)[]): Rule =>
  (value) =>
    choices.includes(value as string)
      ? undefined
      : got(`one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`, value);

export const either =
  (first: Rule, second: Rule): Rule =>
  (value) =>
    first(value) === undefined ? undefined : second(value);

/** An option of another library or of a later version: refused with the reason, never ignored. */
export const refused =
  (why: string): Rule =>
  () =>
    why;

/**
 * Checks every given option against its rule and lays it over the defaults; the result is frozen.
 * `undefined` counts as not given.
 *
 * @throws {ConfigurationError} naming the option and the rule.
 */
export function resolve<T extends object>(
  given: object,
  rules: Readonly<Record<string, Rule>>,
  defaults: T,
  prefix = '',
): Readonly<T> {
  const resolved: Record<string, unknown> = Object.fromEntries(Object.entries(defaults));
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) {
      throw new ConfigurationError(prefix + name, 'is not an option of this library');
    }
    if (value === undefined) continue;
    const broken = rule(value);
    if (broken !== undefined) throw new ConfigurationError(prefix + name, broken);
    resolved[name] = value;
  }
  return Object.freeze(resolved) as Readonly<T>;
}
