/**
 * The error family.
 *
 * Every error this library raises on its own account extends {@link BoomerangError}. Errors of the
 * driver and of the server pass through as they are (`errno`, `code`, `sqlState`).
 *
 * A text says what happened, the numbers, and what to do. No text, and no property, carries a bound
 * value, a password or a key of the user's.
 */

const FAMILY = Symbol.for('mysql-boomerang/error@1');

/** What is known of a statement that was cut off. */
export type Outcome = 'executed' | 'notExecuted' | 'unknown';

export interface ErrorDetails {
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * The base class. `instanceof` works across copies of this package (a CommonJS and an ESM copy, or
 * two versions in one tree), because it looks at the code and not at the identity of the class.
 */
export class BoomerangError extends Error {
  static readonly code: string = 'ERR_BOOMERANG';
  /** True where the same call may succeed later without any change. */
  readonly retryable: boolean = false;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
  }

  /** Stable, one per class: `ERR_POOL_EXHAUSTED` and so on. */
  get code(): string {
    return (this.constructor as typeof BoomerangError).code;
  }

  override get name(): string {
    return this.constructor.name;
  }

  /** The codes of this error's class and of the classes above it. */
  get [FAMILY](): readonly string[] {
    const codes: string[] = [];
    let family = this.constructor as typeof BoomerangError | null;
    while (family?.code !== undefined) {
      codes.push(family.code);
      family = Object.getPrototypeOf(family) as typeof BoomerangError | null;
    }
    return codes;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!Object.hasOwn(this, 'code'))
      return Function.prototype[Symbol.hasInstance].call(this, value);
    return codesOf(value).includes(this.code);
  }
}

/** The codes of an error of this library, its own class's first; none for anything else. */
export function codesOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null || !(FAMILY in value)) return [];
  return value[FAMILY] as readonly string[];
}

/** An option that does not exist, has a wrong type or value, or is not carried out. */
export class ConfigurationError extends BoomerangError {
  static override readonly code: string = 'ERR_CONFIGURATION';
  constructor(
    /** The option's name, as the caller spells it. */
    readonly option: string,
    rule: string,
    details?: ErrorDetails,
  ) {
    super(`Option '${option}': ${rule}`, details);
  }
}

/** An argument of a wrong type or value. Nothing was sent to the server. */
export class InvalidArgumentError extends BoomerangError {
  static override readonly code: string = 'ERR_INVALID_ARGUMENT';
  constructor(
    /** The argument's name. */
    readonly argument: string,
    rule: string,
    details?: ErrorDetails,
  ) {
    super(`Argument '${argument}': ${rule}`, details);
  }
}

/** The pool's four numbers at the moment of an error. */
export interface PoolNumbers {
  readonly total: number;
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
}

/**
 * No connection was handed out: the acquire deadline passed, the queue is full, or waiting is
 * switched off. Nothing was sent to the server. `cause` is the last connect failure, if the pool
 * has failed to connect since its last success.
 */
export class PoolExhaustedError extends BoomerangError {
  static override readonly code: string = 'ERR_POOL_EXHAUSTED';
  override readonly retryable = true;
  constructor(
    message: string,
    readonly pool: PoolNumbers,
    details?: ErrorDetails,
  ) {
    super(message, details);
  }
}

/** The database was ended; it takes no more work. */
export class PoolClosedError extends BoomerangError {
  static override readonly code: string = 'ERR_POOL_CLOSED';
}

/** A connection was used after its `release()` or `destroy()`. */
export class LeaseReleasedError extends BoomerangError {
  static override readonly code: string = 'ERR_LEASE_RELEASED';
}

/** The call cannot be made while a transaction is open. Nothing happened. */
export class TransactionOpenError extends BoomerangError {
  static override readonly code: string = 'ERR_TRANSACTION_OPEN';
}

/** Late work of a transaction block that is over. It was not run. */
export class TransactionClosedError extends BoomerangError {
  static override readonly code: string = 'ERR_TRANSACTION_CLOSED';
}

/**
 * The transaction is already rolled back, or can only be rolled back; nothing more is run in it.
 * `cause` is the error that doomed it.
 */
export class TransactionDoomedError extends BoomerangError {
  static override readonly code: string = 'ERR_TRANSACTION_DOOMED';
  override readonly retryable = true;
}

/**
 * A statement ended the transaction on the server by itself. What came before it is committed, or
 * rolled back where a procedure did that.
 */
export class ImplicitCommitError extends BoomerangError {
  static override readonly code: string = 'ERR_IMPLICIT_COMMIT';
}

/** COMMIT was sent and no answer came: the transaction may or may not be committed. Never retried. */
export class CommitInDoubtError extends BoomerangError {
  static override readonly code: string = 'ERR_COMMIT_IN_DOUBT';
  readonly outcome: Outcome = 'unknown';
}

/** A nested block kept the connection of its scope or frame for longer than `acquireTimeout`. */
export class TurnTimeoutError extends BoomerangError {
  static override readonly code: string = 'ERR_TURN_TIMEOUT';
  override readonly retryable = true;
}

/**
 * A statement's, or its scope's, time limit passed. It was stopped on the server; `outcome` says what
 * is known of it.
 */
export class StatementTimeoutError extends BoomerangError {
  static override readonly code: string = 'ERR_STATEMENT_TIMEOUT';
  constructor(
    message: string,
    readonly outcome: Outcome,
    details?: ErrorDetails,
  ) {
    super(message, details);
  }
}

/** A statement was called off by its caller's signal, whose reason is the `cause`; `outcome` as above. */
export class StatementAbortedError extends BoomerangError {
  static override readonly code: string = 'ERR_STATEMENT_ABORTED';
  constructor(
    message: string,
    readonly outcome: Outcome,
    details?: ErrorDetails,
  ) {
    super(message, details);
  }
}

/** A transaction's own time limit passed before COMMIT was sent. Nothing of it stays. */
export class TransactionTimeoutError extends BoomerangError {
  static override readonly code: string = 'ERR_TRANSACTION_TIMEOUT';
  override readonly retryable = true;
}

/** A statement was issued in a transaction block, or on a connection, whose stream is not read to its end. */
export class StreamOpenError extends BoomerangError {
  static override readonly code: string = 'ERR_STREAM_OPEN';
}

/** The call only makes sense inside a transaction block, and none is open. Nothing was sent. */
export class NoTransactionError extends BoomerangError {
  static override readonly code: string = 'ERR_NO_TRANSACTION';
}

/** A table of this library's is missing or of another version. */
export class SchemaError extends BoomerangError {
  static override readonly code: string = 'ERR_SCHEMA';
}

/** The server or cluster cannot keep what this mode promises. Nothing was sent. */
export class UnsafeTopologyError extends BoomerangError {
  static override readonly code: string = 'ERR_UNSAFE_TOPOLOGY';
}

/** A lock was not got within `wait`. */
export class LockAcquireTimeoutError extends BoomerangError {
  static override readonly code: string = 'ERR_LOCK_ACQUIRE_TIMEOUT';
  override readonly retryable = true;
}

/** A lock was lost while it was held, or used after it was: somebody else may have it. */
export class LockLostError extends BoomerangError {
  static override readonly code: string = 'ERR_LOCK_LOST';
}

/** A command met a key that holds another kind of value. Nothing was changed. */
export class WrongTypeError extends BoomerangError {
  static override readonly code: string = 'ERR_WRONG_TYPE';
}

/** The function that makes a cache's value, or a tenant's database, did not settle within its time limit. */
export class FactoryTimeoutError extends BoomerangError {
  static override readonly code: string = 'ERR_FACTORY_TIMEOUT';
  override readonly retryable = true;
}

/** A message is no longer this consumer's: its claim ran out, and somebody else may have it. */
export class ClaimLostError extends BoomerangError {
  static override readonly code: string = 'ERR_CLAIM_LOST';
}

/** Transaction control sent as text where `atomic` is in charge. It was not sent. */
export class TransactionControlError extends BoomerangError {
  static override readonly code: string = 'ERR_TRANSACTION_CONTROL';
}

/** A generator that was begun inside one transaction frame is continued in another. */
export class FrameMismatchError extends BoomerangError {
  static override readonly code: string = 'ERR_FRAME_MISMATCH';
}

/**
 * A value described for an error text by its type and size, never by its content: a value may be
 * a secret that landed in the wrong place.
 */
export function describeType(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? `a ${typeof value}`
    : describe(value);
}

/** The same, with numbers and booleans as they are: for options, where they are the point. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (Buffer.isBuffer(value)) return `a Buffer of ${value.length} bytes`;
  switch (typeof value) {
    case 'undefined':
      return 'undefined';
    case 'string':
      return `a string of ${value.length} characters`;
    case 'number':
    case 'boolean':
      return `the ${typeof value} ${String(value)}`;
    case 'object':
      return `an object (${value.constructor?.name ?? 'no prototype'})`;
    default:
      return `a ${typeof value}`;
  }
}

/**
 * Refuses what is no object of options, and options that do not exist or are not carried out: never
 * silently ignored.
 *
 * @throws {InvalidArgumentError} naming `argument`.
 */
export function checkOptionNames(
  argument: string,
  options: unknown,
  known: readonly string[],
): asserts options is object {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(argument, `must be an object, got ${describe(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(argument, `has '${unknown}', which is not carried out`);
  }
}

/** @throws {InvalidArgumentError} where `value` is no function. */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') {
    throw new InvalidArgumentError(name, `must be a function, got ${describe(value)}`);
  }
}
