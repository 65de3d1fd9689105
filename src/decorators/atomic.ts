import { InvalidArgumentError, describe } from '../errors';
import type { AtomicCallback } from '../transaction/atomic';
import {
  ATOMIC_OPTIONS,
  checkAtomicOptions,
  type AtomicOptions,
} from '../transaction/atomic-options';
import {
  applyDecorator,
  isDecoration,
  isThenable,
  type AnyMethod,
  type PromiseMethod,
  type PromiseMethodDecorator,
} from './dialect';
import { onInstance, type Needed } from './on-instance';

/** What can run a block: a database, or a connection of one's own. */
interface Atomic {
  atomic<T>(fn: AtomicCallback<T>, options?: AtomicOptions): Promise<T>;
}

export interface AtomicMethodOptions extends AtomicOptions {
  /** Where the database is found. @default the property `db` */
  readonly db?: (self: never) => Atomic;
}

const DATABASE: Needed<Atomic> = {
  decorator: 'atomic',
  noun: 'database',
  property: 'db',
  is: (value): value is Atomic =>
    typeof (value as Atomic | null | undefined)?.atomic === 'function',
};

const ASYNC_GENERATOR: unknown = Object.getPrototypeOf(async function* () {});

function inTransaction(
  method: AnyMethod,
  name: string,
  { db: find, ...options }: AtomicMethodOptions,
): AnyMethod {
  if (Object.getPrototypeOf(method) === ASYNC_GENERATOR) {
    throw new TypeError(
      `@atomic: '${name}' is an async generator, whose caller would keep the transaction open ` +
        'between two steps; make it an async method',
    );
  }
  const known: AtomicOptions = { label: name, ...options };
  return function (this: unknown, ...args: unknown[]): unknown {
    const db = onInstance(DATABASE, name, this, find);
    return db.atomic(() => {
      const result = method.apply(this, args);
      if (isThenable(result)) return result;
      throw new TypeError(
        `@atomic: '${name}' returned ${describe(result)}, no promise; make it async`,
      );
    }, known);
  };
}

/**
 * A method whose body is one transaction: {@link RetryingPooledDatabase.atomic} around each call, on
 * the database in the property `db`, or where `{ db: (self) => self.#db }` says. With `retries` the
 * whole method is run again.
 *
 * Together with `@releaseConnection` this one stands below, next to the method: the connection goes
 * back after COMMIT.
 *
 * @throws {TypeError} at decoration for accessors, fields and generators; at the call where
 * there is no database, or the method returns no promise.
 *
 * @example
 * class Orders {
 *   constructor(readonly db: RetryingPooledDatabase) {}
 *
 *   @releaseConnection
 *   @atomic({ retries: 3 })
 *   async place(order: Order) { … }
 * }
 */
export function atomic(options?: AtomicMethodOptions): PromiseMethodDecorator;
export function atomic<F extends PromiseMethod>(method: F, context: ClassMethodDecoratorContext): F;
export function atomic<F extends PromiseMethod>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<F>,
): TypedPropertyDescriptor<F>;
export function atomic(...args: unknown[]): unknown {
  if (isDecoration(args)) return decorate({}, args);
  const options = args[0] === undefined ? {} : args[0];
  checkAtomicOptions(options, [...ATOMIC_OPTIONS, 'db']);
  const { db } = options as AtomicMethodOptions;
  if (db !== undefined && typeof db !== 'function') {
    throw new InvalidArgumentError('db', `must be a function, got ${describe(db)}`);
  }
  return (...applied: unknown[]) => decorate(options, applied);
}

function decorate(options: AtomicMethodOptions, args: readonly unknown[]): unknown {
  return applyDecorator('atomic', (method, name) => inTransaction(method, name, options), args);
}
