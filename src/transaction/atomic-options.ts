import { InvalidArgumentError, TransactionOpenError, describe } from '../errors';
import { SCOPE_OPTIONS, checkScopeOptions, type ScopeOptions } from '../scope/connection-scope';
import type { Frame } from './frame';
import type { TransactionMode } from './transaction';

export const ISOLATION_LEVELS = [
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SERIALIZABLE',
] as const;

export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/**
 * How a block is run. `timeout` and `signal` bound the whole transaction: what runs is stopped on the
 * server, then rolled back. They never stop a COMMIT: past the deadline it is not sent; one that is
 * not answered by then ends in {@link CommitInDoubtError}; a signal aborted by then is not heard.
 */
export interface AtomicOptions extends ScopeOptions {
  /**
   * False: no savepoint inside an open transaction; a failure dooms the block around it too.
   * @default true
   */
  readonly savepoint?: boolean;
  /** Must be the outermost: what it resolves with is committed for good. @default false */
  readonly durable?: boolean;
  /**
   * A transaction of its own on a second connection, whatever is open. It cannot see, and must not
   * wait for, what the open one has changed: a lock wait's error then bears a `hint` that says so.
   * @default false
   */
  readonly requiresNew?: boolean;
  /** Of this one transaction. A nested block must agree with the outermost one. @default the session's */
  readonly isolationLevel?: IsolationLevel;
  /** The server refuses changes. A nested block must agree with the outermost one. @default false */
  readonly readOnly?: boolean;
  /** What it reads is as of BEGIN, which goes with the first statement, also where that reads nothing. @default false */
  readonly consistentSnapshot?: boolean;
  /**
   * How often the outermost callback may be run again after a deadlock, a lock wait or a lost
   * connection before COMMIT was sent. In a nested block it has no effect: the outermost decides.
   * @default 0
   */
  readonly retries?: number;
  /**
   * Settles a COMMIT whose answer did not come: true where the transaction's effects are there. Runs
   * outside the transaction. It must look with a lock (`SELECT … FOR UPDATE` of a row the transaction
   * wrote), because the old session may still be at it.
   */
  readonly verify?: () => PromiseLike<boolean> | boolean;
}

const FLAGS = ['savepoint', 'durable', 'requiresNew', 'readOnly', 'consistentSnapshot'] as const;
/** The names of all of them. */
export const ATOMIC_OPTIONS: readonly string[] = [
  ...SCOPE_OPTIONS,
  ...FLAGS,
  'isolationLevel',
  'retries',
  'verify',
];

function refuse(name: string, rule: string, value: unknown): never {
  throw new InvalidArgumentError(name, `must be ${rule}, got ${describe(value)}`);
}

/** @throws {InvalidArgumentError} naming the option and the rule. */
export function checkAtomicOptions(
  options: unknown,
  known: readonly string[] = ATOMIC_OPTIONS,
): asserts options is AtomicOptions {
  checkScopeOptions(options, known);
  const given = options as Record<string, unknown>;
  for (const name of FLAGS) {
    const value = given[name];
    if (value !== undefined && typeof value !== 'boolean') refuse(name, 'true or false', value);
  }
  const { isolationLevel, retries, verify } = given;
  if (
    isolationLevel !== undefined &&
    !ISOLATION_LEVELS.includes(isolationLevel as IsolationLevel)
  ) {
    refuse('isolationLevel', `one of '${ISOLATION_LEVELS.join("', '")}'`, isolationLevel);
  }
  if (retries !== undefined && !(Number.isSafeInteger(retries) && (retries as number) >= 0)) {
    refuse('retries', 'a whole number, 0 or more', retries);
  }
  if (verify !== undefined && typeof verify !== 'function') refuse('verify', 'a function', verify);
  if (given['requiresNew'] === true && given['savepoint'] === false) {
    throw new InvalidArgumentError('savepoint', 'and requiresNew exclude each other');
  }
}

export function modeOf(options: AtomicOptions): TransactionMode {
  const { isolationLevel, readOnly, consistentSnapshot } = options;
  return { isolationLevel, readOnly, consistentSnapshot };
}

/**
 * Whether a block with these options can be part of the transaction that is open.
 *
 * @throws {TransactionOpenError} where it cannot; nothing has happened then.
 */
export function checkNesting(parent: Frame, options: AtomicOptions): void {
  if (options.durable === true) {
    throw new TransactionOpenError(
      'atomic({ durable: true }) inside a transaction: what it writes would not be durable before ' +
        'the outermost block has committed. Call it outside, or use { requiresNew: true }.',
    );
  }
  for (const name of ['isolationLevel', 'readOnly', 'consistentSnapshot'] as const) {
    const asked = options[name];
    if (asked === undefined || asked === (parent.mode[name] ?? false)) continue;
    throw new TransactionOpenError(
      `${name} holds for a whole transaction, and the one that is open was begun otherwise: set it on ` +
        'the outermost atomic(), or use { requiresNew: true }.',
    );
  }
}
