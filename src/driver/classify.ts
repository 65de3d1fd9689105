import { types } from 'node:util';
import type { Flavour } from './connection';
import type { ErrorClass } from './error-class';
import { CALLERS_FAULT, ERROR_CLASSES, NO_ERROR, NOT_RECOGNISED } from './error-table';

/** What is known beside the error itself. */
export interface Circumstances {
  readonly flavour?: Flavour | undefined;
  /** Whether bytes of the statement were given to the network; unknown counts as sent. */
  readonly sent?: boolean;
  /** Whether the session's settings were the pool's own; unknown counts as so. */
  readonly pristine?: boolean;
}

const { isNativeError } = types;

export interface DriverError extends Error {
  readonly errno?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly sqlState?: unknown;
}

/** True where the server itself answered with this error: the statement had no effect, few classes excepted. */
export function wasAnswered(error: unknown): boolean {
  const { errno, sqlState } = error as DriverError;
  return typeof errno === 'number' && errno > 0 && typeof sqlState === 'string';
}

/**
 * The error itself, then its causes, outermost first. Of an `AggregateError` its parts come before
 * itself: Node gives it the code of the first one, but not what tells a connect from a read. Not told
 * by `instanceof`: Node's own errors come from another realm where a program runs in a `vm` context,
 * as under Jest.
 */
export function* layers(error: unknown, seen = new Set<unknown>()): Generator<DriverError> {
  let next = error;
  while (isNativeError(next) && !seen.has(next)) {
    seen.add(next);
    const { errors } = next as AggregateError;
    if (Array.isArray(errors)) for (const part of errors as unknown[]) yield* layers(part, seen);
    yield next;
    next = next.cause;
  }
}

/** What a row is recognised by, in the order of trust. */
const MARKS: readonly ((one: ErrorClass, error: DriverError) => boolean)[] = [
  ({ errno, text }, error) =>
    typeof error.errno === 'number' &&
    errno?.includes(error.errno) === true &&
    (text === undefined || text.test(error.message)),
  ({ errno, code, syscall }, error) =>
    errno === undefined &&
    typeof error.code === 'string' &&
    code?.includes(error.code) === true &&
    (syscall === undefined || syscall === error.syscall),
  // Text alone is only for errors that bear nothing better.
  ({ errno, code, text }, error) =>
    errno === undefined &&
    code === undefined &&
    error.code === undefined &&
    text?.test(error.message) === true,
];

function applies(
  one: ErrorClass,
  { flavour, sent = true, pristine = true }: Circumstances,
): boolean {
  return (
    (one.flavour === undefined || flavour === undefined || one.flavour === flavour) &&
    (one.sent === undefined || one.sent === sent) &&
    (one.pristine === undefined || one.pristine === pristine)
  );
}

/** The row of the table that this error alone fits, causes left aside. */
export function rowOf(error: DriverError, circumstances: Circumstances): ErrorClass | undefined {
  for (const marks of MARKS) {
    const found = ERROR_CLASSES.find((one) => marks(one, error) && applies(one, circumstances));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The class of what no row fits: an answer is a refusal, anything else tells nothing. */
export function unlisted(error: unknown): ErrorClass {
  for (const layer of layers(error)) if (wasAnswered(layer)) return CALLERS_FAULT;
  return isNativeError(error) ? NOT_RECOGNISED : NO_ERROR;
}

/**
 * Tells which class an error belongs to: by `errno`, then `code`, then text; through `cause` and
 * `AggregateError`.
 */
export function classify(error: unknown, circumstances: Circumstances = {}): ErrorClass {
  for (const layer of layers(error)) {
    const found = rowOf(layer, circumstances);
    if (found !== undefined) return found;
  }
  return unlisted(error);
}
