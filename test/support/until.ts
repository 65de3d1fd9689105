import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `condition` holds, looking every few milliseconds, for what gives no event to wait for
 * (a row of PROCESSLIST, the end of a process). Fails with `what` after `within` ms.
 */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  within = 15_000,
): Promise<void> {
  const deadline = performance.now() + within;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${what}`);
    await delay(5);
  }
}

/** A promise with its handles outside. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((onValue, onReason) => {
    resolve = onValue;
    reject = onReason;
  });
  return { promise, resolve, reject };
}

/** The error a promise rejects with; fails where it resolves. */
export async function failure(
  promise: PromiseLike<unknown>,
): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('expected a rejection');
}
