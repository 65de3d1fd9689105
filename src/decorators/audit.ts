import { InvalidArgumentError, describe } from '../errors';
import { releasesConnection } from './release-connection';

const ASYNC_KINDS: readonly unknown[] = [
  Object.getPrototypeOf(async () => {}),
  Object.getPrototypeOf(async function* () {}),
];

function isAsync(method: unknown): boolean {
  return typeof method === 'function' && ASYNC_KINDS.includes(Object.getPrototypeOf(method));
}

/**
 * The names of the public async methods and async generators of a class, inherited and static ones
 * included, that `@releaseConnection` does not wrap. Public is what does not begin with `_`. One
 * line in a test suite proves that a repository is covered.
 *
 * Async functions must be native: what a compiler made of one (target below ES2018) cannot be told
 * from a plain function, and is not listed.
 *
 * @example
 * expect(auditReleases(UserRepository)).toEqual([]);
 */
export function auditReleases(type: abstract new (...args: never[]) => unknown): string[] {
  if (typeof type !== 'function') {
    throw new InvalidArgumentError('type', `must be a class, got ${describe(type)}`);
  }
  return [
    ...bare(type.prototype, Object.prototype, ''),
    ...bare(type, Function.prototype, 'static '),
  ].sort();
}

function* bare(from: unknown, until: object, prefix: string): Generator<string> {
  const seen = new Set<string>();
  let level = from as object | null;
  for (; level !== null && level !== until; level = Object.getPrototypeOf(level) as object | null) {
    for (const name of Object.getOwnPropertyNames(level)) {
      // An override answers for what it overrides.
      if (seen.has(name)) continue;
      seen.add(name);
      const method: unknown = Object.getOwnPropertyDescriptor(level, name)?.value;
      if (name.startsWith('_') || !isAsync(method) || releasesConnection(method)) continue;
      yield prefix + name;
    }
  }
}
