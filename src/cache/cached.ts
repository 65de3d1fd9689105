import { applyDecorator, type AnyMethod, type PromiseMethodDecorator } from '../decorators/dialect';
import { onInstance, type Needed } from '../decorators/on-instance';
import { InvalidArgumentError, checkOptionNames, describe } from '../errors';
import type { Cache } from './cache';
import type { GetOrSetOptions } from './cache-options';

export interface CachedOptions extends Omit<GetOrSetOptions, 'tags'> {
  /** The entry's key, or what makes it of the call's arguments. */
  readonly key: string | ((...args: never[]) => string);
  /** The entry's tags, or what makes them of the call's arguments. @default [] */
  readonly tags?: readonly string[] | ((...args: never[]) => readonly string[]);
  /** Where the cache is found. @default the property `cache` */
  readonly cache?: (self: never) => Cache;
}

type OfArguments<T> = (...args: unknown[]) => T;

const CACHE: Needed<Cache> = {
  decorator: 'cached',
  noun: 'cache',
  property: 'cache',
  is: (value): value is Cache =>
    typeof (value as Cache | null | undefined)?.getOrSet === 'function',
};

function throughCache(
  method: AnyMethod,
  name: string,
  { key, tags, cache: find, ...options }: CachedOptions,
): AnyMethod {
  return async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const cache = onInstance(CACHE, name, this, find);
    const entry = typeof key === 'string' ? key : (key as OfArguments<string>)(...args);
    const bears = typeof tags === 'function' ? (tags as OfArguments<string[]>)(...args) : tags;
    const tagged = bears === undefined ? options : { ...options, tags: bears };
    return cache.getOrSet(entry, () => method.apply(this, args), tagged);
  };
}

const OPTIONS = [
  ...['key', 'tags', 'cache', 'ttl', 'grace', 'compress'],
  ...['timeout', 'hardTimeout', 'earlyRefresh', 'fillLease'],
];

/**
 * A method whose result is kept in a cache: `@cached({ key: (id: number) => `user:${id}`, ttl: 60_000 })`
 * is {@link Cache.getOrSet} around each call, on the cache in the property `cache`, or where
 * `{ cache: (self) => self.#cache }` says. The key has to tell apart whatever the result depends on.
 *
 * Stands above `@releaseConnection`: a result that is found takes no connection for the method.
 *
 * @throws {TypeError} at decoration for accessors, fields and generators.
 */
export function cached(options: CachedOptions): PromiseMethodDecorator {
  checkOptionNames('options', options, OPTIONS);
  const { key } = options;
  if (typeof key !== 'string' && typeof key !== 'function') {
    throw new InvalidArgumentError('key', `must be a string or a function, got ${describe(key)}`);
  }
  return ((...args: unknown[]) =>
    applyDecorator(
      'cached',
      (method, name) => throughCache(method, name, options),
      args,
    )) as PromiseMethodDecorator;
}
