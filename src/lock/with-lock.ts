import { applyDecorator, type AnyMethod, type AsyncMethodDecorator } from '../decorators/dialect';
import { InvalidArgumentError, describe } from '../errors';
import type { DistributedLocks } from './distributed-locks';
import type { AcquireLockOptions } from './lock-options';

export interface WithLockOptions extends AcquireLockOptions {
  /** Where the locks are found. @default the property `locks` */
  readonly locks?: (self: never) => DistributedLocks;
}

/** The lock's name, or what makes it of the call's arguments. */
export type LockNaming = string | ((...args: never[]) => string);

function isLocks(value: unknown): value is DistributedLocks {
  return typeof (value as DistributedLocks | null | undefined)?.using === 'function';
}

function underLock(
  method: AnyMethod,
  methodName: string,
  naming: LockNaming,
  { locks: find, ...options }: WithLockOptions,
): AnyMethod {
  return async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const locks: unknown =
      find === undefined
        ? (this as { locks?: unknown } | undefined)?.locks
        : (find as (self: unknown) => unknown)(this);
    if (!isLocks(locks)) {
      throw new TypeError(
        `@withLock: '${methodName}' finds no locks in ${find === undefined ? "'locks'" : 'what { locks } gave'}`,
      );
    }
    const name =
      typeof naming === 'string' ? naming : (naming as (...a: unknown[]) => string)(...args);
    return locks.using(name, options, () => method.apply(this, args));
  };
}

/**
 * A method that runs while a lock is held: `@withLock('nightly')`, or
 * `@withLock((id: number) => `order:${id}`)`, over the locks in the property `locks`, or where
 * `{ locks: (self) => self.#locks }` says.
 *
 * Stands above `@releaseConnection` and `@atomic`: the lock is taken before the connection, and given
 * back after COMMIT.
 *
 * @throws {TypeError} at decoration for accessors, fields and sync generators.
 */
export function withLock(naming: LockNaming, options: WithLockOptions = {}): AsyncMethodDecorator {
  if (typeof naming !== 'string' && typeof naming !== 'function') {
    throw new InvalidArgumentError(
      'name',
      `must be a string or a function, got ${describe(naming)}`,
    );
  }
  return ((...args: unknown[]) =>
    applyDecorator(
      'withLock',
      (method, name) => underLock(method, name, naming, options),
      args,
    )) as AsyncMethodDecorator;
}
