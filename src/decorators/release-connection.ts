import { describe } from '../errors';
import {
  leave,
  leaveAfter,
  openScope,
  type OpenedScope,
  type ScopeOptions,
} from '../scope/connection-scope';
import { currentContext, runIn } from '../scope/context';
import { ScopedIteration } from '../scope/iteration';
import {
  applyDecorator,
  isDecoration,
  isThenable,
  type AnyMethod,
  type AsyncMethod,
  type AsyncMethodDecorator,
} from './dialect';

import { checkReleaseOptions, repeated, type ReleaseOptions } from './release-options';

const MARK = Symbol.for('mysql-boomerang/releases-connection');

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  const candidate = value as AsyncIterable<unknown> | null | undefined;
  return typeof candidate?.[Symbol.asyncIterator] === 'function';
}

/** The method with a scope around each call of it. */
function inScope(method: AnyMethod, name: string, options: ReleaseOptions): AnyMethod {
  const { retries = 0, idempotent: _declared, ...scopeOptions } = options;
  const known: ScopeOptions = { ...scopeOptions, label: options.label ?? name };
  const call = (self: unknown, args: unknown[], opened: OpenedScope): unknown => {
    const { context } = opened;
    let result: unknown;
    try {
      // A lazy thenable begins its work when it is asked: inside the scope.
      result = runIn(context, () => {
        const returned = method.apply(self, args);
        return isThenable(returned) ? Promise.resolve(returned) : returned;
      });
    } catch (error) {
      void leave(opened);
      throw error;
    }
    if (isThenable(result)) return leaveAfter(opened, result);
    // The returned value decides, since a compiler may make plain functions of async methods.
    void leave(opened);
    if (isAsyncIterable(result)) return new ScopedIteration(result, known);
    throw new TypeError(
      `@releaseConnection: '${name}' returned ${describe(result)}, neither a promise nor an async ` +
        'iterable; make it async',
    );
  };
  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    const first = call(this, args, openScope(currentContext(), known));
    if (retries === 0) return first;
    if (!isThenable(first)) {
      throw new TypeError(`@releaseConnection: '${name}' iterates, and cannot be run again`);
    }
    const again = async (): Promise<unknown> =>
      call(this, args, openScope(currentContext(), known));
    return repeated(first, again, { ...options, ...known });
  };
  Object.defineProperty(wrapper, MARK, { value: true });
  return wrapper;
}

/** True for a function that `@releaseConnection` has wrapped, by whichever copy of this package. */
export function releasesConnection(method: unknown): boolean {
  return typeof method === 'function' && MARK in method;
}

/**
 * A public method of a repository: the connection its statements use goes back when it ends.
 *
 * The first statement takes a connection, all further ones of the call use the same, and when the
 * outermost decorated call has settled, whichever way, it is given back. Calls nest; a method that
 * runs no statement takes no connection. An error while giving it back is logged and never hides the
 * method's own result or error. On an async generator the scope lasts until the iteration ends; what
 * comes back is an async generator, whatever else an iterable may have been.
 *
 * Written as `@releaseConnection`, `@releaseConnection()` or with {@link ReleaseOptions}, with
 * standard decorators and with `experimentalDecorators`.
 *
 * @example
 * class Users {
 *   @releaseConnection
 *   find(id: number) {
 *     return this._find(id);
 *   }
 *   // Takes part in the scope or transaction that is open, and never ends it.
 *   async _find(id: number) {
 *     const [rows] = await db.execute('SELECT * FROM users WHERE id = ?', [id]);
 *     return rows[0];
 *   }
 * }
 *
 * @throws {TypeError} at decoration for accessors, fields and sync generators; at the call where the
 * method returns neither a promise nor an async iterable.
 */
export function releaseConnection(options?: ReleaseOptions): AsyncMethodDecorator;
export function releaseConnection<F extends AsyncMethod>(
  method: F,
  context: ClassMethodDecoratorContext,
): F;
export function releaseConnection<F extends AsyncMethod>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<F>,
): TypedPropertyDescriptor<F>;
export function releaseConnection(...args: unknown[]): unknown {
  if (isDecoration(args)) return decorate({}, args);
  const options = args[0] === undefined ? {} : args[0];
  checkReleaseOptions(options);
  return (...applied: unknown[]) => decorate(options, applied);
}

function decorate(options: ReleaseOptions, args: readonly unknown[]): unknown {
  return applyDecorator(
    'releaseConnection',
    (method, name) => inScope(method, name, options),
    args,
  );
}
