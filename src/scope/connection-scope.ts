import { settledWithin, systemClock } from '../clock';
import { InvalidArgumentError, checkFunction, checkOptionNames, describe } from '../errors';
import { Limit, checkBounds, raced, type Bounds, type LimitSubject } from '../limit';
import { currentContext, runIn, type Context } from './context';
import { Scope } from './scope';

/**
 * `timeout` and `signal` bound the scope as a whole: what runs on the server when they are hit is
 * stopped there, nothing more is run, and the call rejects.
 */
export interface ScopeOptions extends Bounds {
  /** Names the scope in errors and logs. */
  readonly label?: string;
}

/** How long giving the connection back may take where the scope's time is up, in ms. */
const LATE_RETURN = 500;

export const SCOPE_OPTIONS = ['label', 'timeout', 'signal'] as const;

/** @throws {InvalidArgumentError} for what is no object, an unknown option, or one of a wrong type. */
export function checkScopeOptions(
  options: unknown,
  known: readonly string[] = SCOPE_OPTIONS,
): asserts options is ScopeOptions {
  checkOptionNames('options', options, known);
  const { label } = options as { label?: unknown };
  if (label !== undefined && typeof label !== 'string') {
    throw new InvalidArgumentError('label', `must be a string, got ${describe(label)}`);
  }
  checkBounds(options);
}

/** A scope that was opened, and its own limit where it has one. */
export interface OpenedScope {
  readonly scope: Scope;
  readonly context: Context;
  readonly limit: Limit | undefined;
}

/**
 * Opens a scope in `outer`, or joins the one that is open there.
 *
 * @param given a limit that was begun before, in place of one by the options.
 */
export function openScope(
  outer: Context | undefined,
  options: ScopeOptions,
  kind: LimitSubject['kind'] = 'scope',
  given?: Limit,
): OpenedScope {
  const { label } = options;
  const around = outer?.scope?.limit;
  const bounded = options.timeout !== undefined || options.signal !== undefined;
  const inside =
    given ?? (bounded ? Limit.within(around, systemClock, { kind, label }, options) : around);
  const limit = inside === around ? undefined : inside;
  const scope = new Scope(outer?.scope, label, limit);
  return { scope, context: { scope, frames: outer?.frames }, limit };
}

/**
 * Ends the scope once `result` has settled, or its limit was hit and what it was running is stopped.
 * The result stands: nothing of leaving changes it.
 */
export function leaveAfter<T>(opened: OpenedScope, result: PromiseLike<T>): Promise<T> {
  return raced(opened.limit, Promise.resolve(result)).then(
    (value) => {
      const left = leave(opened);
      return left === undefined ? value : left.then(() => value);
    },
    async (error: unknown) => {
      await leave(opened);
      throw error;
    },
  );
}

/** Leaves the scope. Its limit holds for what is still waited for then. Never rejects. */
export function leave({ scope, limit }: OpenedScope): Promise<void> | undefined {
  const left = scope.leave();
  if (limit === undefined) return left;
  const end = (): void => limit.end();
  if (left !== undefined) {
    // On a dead network the connection comes back later than the caller may wait.
    return (limit.hit ? settledWithin(systemClock, LATE_RETURN, left) : left).then(end);
  }
  end();
  return undefined;
}

/**
 * Runs `fn` now in a connection scope and resolves to its result: all statements it causes on one
 * database share one connection, taken at the first of them and given back when `fn` has settled.
 * Inside an open scope it joins that one. The same as `@releaseConnection`, without a decorator.
 *
 * @throws {StatementTimeoutError} where the scope's `timeout` passed, {@link StatementAbortedError}
 * where its `signal` was aborted.
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
  const opened = openScope(currentContext(), options);
  const { context, limit } = opened;
  const called =
    limit?.hit === true ? Promise.reject(limit.whole) : runIn(context, () => invoke(fn));
  return leaveAfter(opened, called);
}

/** Calls `fn`; what it throws becomes a rejection. */
export function invoke<T>(fn: () => PromiseLike<T> | T): Promise<T> {
  try {
    return Promise.resolve(fn());
  } catch (error) {
    return Promise.reject(error);
  }
}
