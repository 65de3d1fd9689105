import type { Result, StatementKind } from '../driver/statement';
import type { StatementRequest } from '../driver/statement-arguments';
import { CommitInDoubtError, checkFunction } from '../errors';
import { currentContext, frameFor, runIn, type Context } from '../scope/context';
import { checkScopeOptions, openScope } from '../scope/connection-scope';
import type { Scope } from '../scope/scope';
import type { Slot } from '../scope/slot';
import { Frame } from './frame';
import type { Hook } from './hooks';
import { StatementFace } from './statement-face';
import type { TransactionHost } from './transaction';

export interface AtomicOptions {
  /** Names the block in errors and logs. */
  readonly label?: string;
}

/** Where a transaction runs: what tells its database apart, and the connection's slot. */
export interface AtomicTarget {
  /** Frames of the same key nest. */
  readonly key: object;
  slot(scope: Scope): Slot;
}

/** The transaction block as its callback sees it; `db.query` inside the block does the same. */
export class TransactionBlock extends StatementFace {
  readonly #frame: Frame;
  /** Which run of the callback this is, from 1. */
  readonly attempt: number = 1;

  constructor(frame: Frame) {
    super();
    this.#frame = frame;
  }

  /** Runs `hook` once this block's writes are committed for good; never, if they are not. */
  afterCommit(hook: Hook): void {
    addHook(this.#frame, 'afterCommit', hook);
  }

  /** Runs `hook` once this block's writes are rolled back. */
  afterRollback(hook: Hook): void {
    addHook(this.#frame, 'afterRollback', hook);
  }

  protected dispatch<T>(kind: StatementKind, { statement }: StatementRequest): Promise<Result<T>> {
    return this.#frame.run<T>(kind, statement);
  }
}

/** @throws {TransactionClosedError} where the frame is over, {@link InvalidArgumentError} for no function. */
export function addHook(frame: Frame, kind: 'afterCommit' | 'afterRollback', hook: Hook): void {
  checkFunction('hook', hook);
  const refusal = frame.isOver ? frame.refusal() : undefined;
  if (refusal !== undefined) throw refusal;
  frame.hooks[kind](hook);
}

/** The innermost frame of `key` in a context, open or over. Frames are made here and nowhere else. */
export function frameOf(context: Context | undefined, key: object): Frame | undefined {
  return frameFor(context, key) as Frame | undefined;
}

/** The innermost frame of `key` that the caller is in, open or over. */
export function currentFrame(key: object): Frame | undefined {
  return frameOf(currentContext(), key);
}

/**
 * Runs `fn` in a transaction, or in a savepoint where one is open already, and resolves to its
 * result once that is committed. The first error always reaches the caller.
 */
export async function atomic<T>(
  host: TransactionHost,
  target: AtomicTarget,
  fn: (tx: TransactionBlock) => PromiseLike<T> | T,
  options: AtomicOptions = {},
): Promise<T> {
  checkFunction('fn', fn);
  checkScopeOptions(options);
  const outer = currentContext();
  const parent = currentFrame(target.key);
  const refusal = parent?.refusal();
  if (refusal !== undefined) throw refusal;
  const { scope } = openScope(outer, options.label);
  const slot = target.slot(scope);
  const frame = parent?.nested(scope) ?? Frame.outermost(host, scope, slot);
  const lane = parent?.lane ?? slot.lane;
  const entering = lane.enter(frame);
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
  const over = (outcome: Outcome): Promise<void> | undefined => {
    frame.detach();
    lane.leave();
    const hooks = (): Promise<void> | undefined => runIn(outer, () => frame.settleHooks(outcome));
    const left = scope.leave();
    return left === undefined ? hooks() : left.then(hooks);
  };
  const context: Context = { scope, frames: { key: target.key, frame, outer: outer?.frames } };
  let value: T;
  try {
    value = await runIn(context, () => fn(new TransactionBlock(frame)));
  } catch (error) {
    await frame.rollBack();
    await over('rolledBack');
    throw error;
  }
  try {
    await frame.commit();
  } catch (error) {
    await over(error instanceof CommitInDoubtError ? 'unknown' : 'rolledBack');
    throw error;
  }
  const settled = over('committed');
  if (settled !== undefined) await settled;
  return value;
}

/** How a block ended; `unknown` where COMMIT is in doubt. */
type Outcome = 'committed' | 'rolledBack' | 'unknown';
