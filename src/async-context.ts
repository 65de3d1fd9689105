import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/**
 * The one user of Node's asynchronous context in this library.
 */

/**
 * The storage that all copies of this package in one process share, so that a scope opened through
 * one of them is seen by the others. `name` carries the format's number: copies that disagree on
 * the shape of the store do not meet.
 */
export function sharedStorage<T>(name: string): AsyncLocalStorage<T | undefined> {
  const key = Symbol.for(name);
  const registry = globalThis as typeof globalThis & {
    [key]?: AsyncLocalStorage<T | undefined>;
  };
  return (registry[key] ??= new AsyncLocalStorage<T | undefined>());
}

/**
 * A storage that keeps nothing itself: what runs in it runs as `enter` says. For channels whose subscribers
 * have contexts of another library's, such as OpenTelemetry's.
 */
export function enteringStorage<T>(
  enter: (context: T, fn: () => unknown) => unknown,
): AsyncLocalStorage<T> {
  return new (class extends AsyncLocalStorage<T> {
    override run<R, A extends unknown[]>(context: T, fn: (...args: A) => R, ...args: A): R {
      return enter(context, () => fn(...args)) as R;
    }
  })();
}

/**
 * The context in which this module was loaded: nobody's request, unless a program first imports it
 * inside one, whose stores then live on here. Import at the top of a module.
 */
const origin = new AsyncResource('mysql-boomerang');

/**
 * Runs `fn` outside the caller's asynchronous context. Sockets, timers and other work that outlives
 * the caller is begun under this: a driver's events run in the context of whoever opened the socket.
 */
export function detached<T>(fn: () => T): T {
  return origin.runInAsyncScope(fn);
}
