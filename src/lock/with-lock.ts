import { applyDecorator, type AnyMethod, type AsyncMethodDecorator } from '../decorators/dialect';
import { onInstance, type Needed } from '../decorators/on-instance';
import { InvalidArgumentError, describe } from '../errors';
import type { DistributedLocks } from './distributed-locks';
import type { AcquireLockOptions } from './lock-options';

export interface WithLockOptions extends AcquireLockOptions {
  /** Where the locks are found. @default the property `locks` */
  readonly locks?: (self: never) => DistributedLocks;
}

/** The lock's name, or what makes it of the call's arguments. */
export type LockNaming = string | ((...args: never[]) => string);

const LOCKS: Needed<DistributedLocks> = {
  decorator: 'withLock',
  noun: 'locks',
  property: 'locks',
  is: (value): value is DistributedLocks =>
    typeof (value as DistributedLocks | null | undefined)?.using === 'function',
};

function underLock(
  method: AnyMethod,
  methodName: string,
  naming: LockNaming,
  { locks: find, ...options }: WithLockOptions,
): AnyMethod {
  return async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const locks = onInstance(LOCKS, methodName, this, find);
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
