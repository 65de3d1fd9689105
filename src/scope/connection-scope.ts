import { InvalidArgumentError, checkFunction, checkOptionNames, describe } from '../errors';
import { currentContext, runIn, type Context } from './context';
import { Scope } from './scope';

export interface ScopeOptions {
  /** Names the scope in errors and logs. */
  readonly label?: string;
}

/** @throws {InvalidArgumentError} for what is no object, an unknown option, or a label that is no string. */
export function checkScopeOptions(options: unknown): asserts options is ScopeOptions {
  checkOptionNames('options', options, ['label']);
  const { label } = options as { label?: unknown };
  if (label !== undefined && typeof label !== 'string') {
    throw new InvalidArgumentError('label', `must be a string, got ${describe(label)}`);
  }
}

/** Opens a scope in `outer`, or joins the one that is open there. */
export function openScope(
  outer: Context | undefined,
  label: string | undefined,
): { readonly scope: Scope; readonly context: Context } {
  const scope = new Scope(outer?.scope, label);
  return { scope, context: { scope, frames: outer?.frames } };
}

/** Ends the scope once `result` has settled. The result stands: nothing of leaving changes it. */
export function leaveAfter<T>(scope: Scope, result: PromiseLike<T>): Promise<T> {
  return Promise.resolve(result).then(
    (value) => {
      const left = scope.leave();
      return left === undefined ? value : left.then(() => value);
    },
    async (error: unknown) => {
      await scope.leave();
      throw error;
    },
  );
}

/**
 * Runs `fn` now in a connection scope and resolves to its result: all statements it causes on one
 * database share one connection, taken at the first of them and given back when `fn` has settled.
 * Inside an open scope it joins that one. The same as `@releaseConnection`, without a decorator.
 *
 * @example
 * await connectionScope(async () => {
 *   await db.execute('UPDATE …');
 *   await db.execute('UPDATE …'); // on the same connection
 * });
 */
export function connectionScope<T>(
  fn: () => PromiseLike<T> | T,
  options: ScopeOptions = {},
): Promise<T> {
  try {
    checkFunction('fn', fn);
    checkScopeOptions(options);
  } catch (error) {
    return Promise.reject(error);
  }
  const { scope, context } = openScope(currentContext(), options.label);
  return leaveAfter(
    scope,
    runIn(context, () => invoke(fn)),
  );
}

/** Calls `fn`; what it throws becomes a rejection. */
export function invoke<T>(fn: () => PromiseLike<T> | T): Promise<T> {
  try {
    return Promise.resolve(fn());
  } catch (error) {
    return Promise.reject(error);
  }
}
