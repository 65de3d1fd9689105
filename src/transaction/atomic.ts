import { CommitInDoubtError, checkFunction } from '../errors';
import { raced } from '../limit';
import { errorFields } from '../logger';
import { retryAfter } from '../retry/retry';
import { openScope, type OpenedScope } from '../scope/connection-scope';
import { currentContext, runIn, type Context } from '../scope/context';
import type { Scope } from '../scope/scope';
import type { Slot } from '../scope/slot';
import { checkAtomicOptions, checkNesting, modeOf, type AtomicOptions } from './atomic-options';
import { Frame } from './frame';
import { hintAtOuter } from './further-slot';
import { TransactionBlock, frameOf } from './transaction-block';
import type { TransactionHost } from './transaction';

/** Where a transaction runs: what tells its database apart, and the connection's slot. */
export interface AtomicTarget {
  /** Frames of the same key nest. */
  readonly key: object;
  /** The connection of the scope. */
  slot(scope: Scope): Slot;
  /** Whether its one connection is lost, so that nothing can be run again on it. */
  isGone?(): boolean;
  /** A further connection, for a transaction beside the one that is open. */
  further(scope: Scope): Slot;
}

export type AtomicCallback<T> = (tx: TransactionBlock) => PromiseLike<T> | T;

/** How a block ended; `unknown` where COMMIT is in doubt. */
type Outcome = 'committed' | 'rolledBack' | 'unknown';

/** What one call of atomic() is about. */
interface Call<T> {
  readonly host: TransactionHost;
  readonly target: AtomicTarget;
  readonly fn: AtomicCallback<T>;
  readonly options: AtomicOptions;
  readonly outer: Context | undefined;
  /** The block it is nested in. */
  readonly parent: Frame | undefined;
  /** A transaction is open, and this one stands beside it. */
  readonly beside: boolean;
}

const NO_OPTIONS: AtomicOptions = Object.freeze({});

/**
 * Runs `fn` in a transaction, or in a savepoint where one is open already, and resolves to its
 * result once that is committed. The first error always reaches the caller.
 */
export async function atomic<T>(
  host: TransactionHost,
  target: AtomicTarget,
  fn: AtomicCallback<T>,
  options: AtomicOptions = NO_OPTIONS,
): Promise<T> {
  checkFunction('fn', fn);
  if (options !== NO_OPTIONS) checkAtomicOptions(options);
  const outer = currentContext();
  const open = frameOf(outer, target.key);
  const beside = open !== undefined && options.requiresNew === true;
  // Beside a transaction that can only be rolled back another may run: to note why.
  const refusal = beside && !open.isOver ? undefined : open?.refusal();
  if (refusal !== undefined) throw refusal;
  const parent = beside ? undefined : open;
  if (parent !== undefined) checkNesting(parent, options);
  const call: Call<T> = { host, target, fn, options, outer, parent, beside };
  // One limit for all attempts: it begins here.
  const opened = openScope(outer, options, 'transaction');
  try {
    if (opened.limit?.hit === true) {
      void opened.scope.leave();
      throw opened.limit.whole;
    }
    const { observation, clock } = host;
    if (parent !== undefined || !observation.hearsTransactions) return await attempts(call, opened);
    return await observation.transaction(options.label, clock, () => attempts(call, opened));
  } finally {
    opened.limit?.end();
  }
}

/** The block, run again as often as may be. */
async function attempts<T>(call: Call<T>, opened: OpenedScope): Promise<T> {
  const { retries = 0 } = call.options;
  if (call.parent !== undefined || retries === 0) return runBlock(call, opened, 1);
  const { target } = call;
  const { policy } = call.host;
  // Asked now: a scope that was left is not bounded any more.
  const { limit } = opened.scope;
  try {
    return await runBlock(call, opened, 1);
  } catch (error) {
    return await retryAfter(error, policy, {
      what: 'transaction',
      attempt: (number) => runBlock(call, reopened(call, opened), number),
      classOf: (reason) => (target.isGone?.() === true ? undefined : policy.restartable(reason)),
      most: retries + 1,
      limit,
    });
  }
}

/** A further attempt's scope, under the same limit as the first one's. */
function reopened<T>({ outer, options }: Call<T>, { limit }: OpenedScope): OpenedScope {
  const { label } = options;
  return openScope(outer, label === undefined ? {} : { label }, 'transaction', limit);
}

async function runBlock<T>(
  { host, target, fn, options, outer, parent, beside }: Call<T>,
  { scope }: OpenedScope,
  attempt: number,
): Promise<T> {
  const { limit } = scope;
  const observed = parent === undefined ? host.observation.current : undefined;
  const slot = beside ? target.further(scope) : target.slot(scope);
  const frame =
    parent?.nested(scope, options.savepoint === false) ??
    Frame.outermost(host, scope, slot, modeOf(options));
  const lane = parent?.lane ?? slot.lane;
  const entering = lane.enter(frame, limit);
  if (entering !== undefined) {
    try {
      await entering;
    } catch (error) {
      frame.detach();
      await scope.leave();
      throw error;
    }
  }
  // No `await` of nothing below: it costs a turn of its own, and this is every transaction's way.
  const leave = (): Promise<void> | undefined => {
    frame.detach();
    lane.leave();
    const back = beside ? slot.giveBack() : undefined;
    return back === undefined ? scope.leave() : back.then(() => scope.leave());
  };
  const over = (outcome: Outcome): Promise<void> | undefined => {
    if (outcome !== 'unknown') observed?.transaction(outcome);
    const hooks = (): Promise<void> | undefined => runIn(outer, () => frame.settleHooks(outcome));
    const left = leave();
    return left === undefined ? hooks() : left.then(hooks);
  };
  const context: Context = { scope, frames: { key: target.key, frame, outer: outer?.frames } };
  let value: T;
  try {
    const block = new TransactionBlock(host, frame, attempt);
    if (limit === undefined) value = await runIn(context, () => fn(block));
    else
      value = await raced(
        limit,
        runIn(context, async () => fn(block)),
      );
    if (parent === undefined && frame.hooks.hasBeforeCommit) {
      await runIn(context, () => frame.hooks.runBeforeCommit());
    }
  } catch (error) {
    if (beside) hintAtOuter(error);
    await frame.rollBack(error as Error);
    await over('rolledBack');
    throw error;
  }
  try {
    await frame.commit();
  } catch (error) {
    if (beside) hintAtOuter(error);
    if (!(error instanceof CommitInDoubtError)) {
      await over('rolledBack');
      throw error;
    }
    observed?.transaction('inDoubt');
    await leave();
    const outcome = await runIn(outer, () => verified(host, options.verify));
    await runIn(outer, () => frame.settleHooks(outcome));
    if (outcome === 'committed') return value;
    if (outcome === 'unknown') throw error;
    throw limit?.hit === true ? limit.whole : error.cause;
  }
  const settled = over('committed');
  if (settled !== undefined) await settled;
  return value;
}

/** What the caller found out about a COMMIT in doubt. Never rejects. */
async function verified(
  { logger }: TransactionHost,
  verify: AtomicOptions['verify'],
): Promise<Outcome> {
  if (verify === undefined) return 'unknown';
  try {
    const found: unknown = await verify();
    if (typeof found === 'boolean') return found ? 'committed' : 'rolledBack';
    logger.error({}, 'verify() gave neither true nor false; the COMMIT stays in doubt');
  } catch (error) {
    logger.error(errorFields(error), 'verify() failed; the COMMIT stays in doubt');
  }
  return 'unknown';
}
