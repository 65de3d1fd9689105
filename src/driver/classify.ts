import { types } from 'node:util';
import type { Flavour } from './connection';
import { CALLERS_FAULT, ERROR_CLASSES, type ErrorClass } from './error-table';

/** What is known beside the error itself. */
export interface Circumstances {
  readonly flavour?: Flavour | undefined;
  /** Whether bytes of the statement were given to the network; unknown counts as sent. */
  readonly sent?: boolean;
  /** Whether the session's settings were the pool's own; unknown counts as so. */
  readonly pristine?: boolean;
}

const { isNativeError } = types;

interface DriverError extends Error {
  readonly errno?: unknown;
  readonly code?: unknown;
  readonly sqlState?: unknown;
}

/** True where the server itself answered with this error: the statement had no effect, few classes excepted. */
export function wasAnswered(error: unknown): boolean {
  const { errno, sqlState } = error as DriverError;
  return typeof errno === 'number' && errno > 0 && typeof sqlState === 'string';
}

/**
 * The error itself, then what it wraps (`AggregateError`, `cause`), outermost first. Not told by
 * `instanceof`: Node's own errors come from another realm where a program runs in a `vm` context,
 * as under Jest.
 */
function* layers(error: unknown): Generator<DriverError> {
  const seen = new Set<unknown>();
  const queue: unknown[] = [error];
  while (queue.length > 0) {
    const next = queue.shift();
    if (!isNativeError(next) || seen.has(next)) continue;
    seen.add(next);
    yield next;
    const { errors } = next as AggregateError;
    if (Array.isArray(errors)) queue.push(...(errors as unknown[]));
    queue.push(next.cause);
  }
}

/** What a row is recognised by, in the order of trust. */
const MARKS: readonly ((one: ErrorClass, error: DriverError) => boolean)[] = [
  ({ errno, text }, error) =>
    typeof error.errno === 'number' &&
    errno?.includes(error.errno) === true &&
    (text === undefined || text.test(error.message)),
  ({ errno, code }, error) =>
    errno === undefined && typeof error.code === 'string' && code?.includes(error.code) === true,
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

/**
 * Tells which class an error belongs to: by `errno`, then `code`, then text; through `cause` and
 * `AggregateError`.
 */
export function classify(error: unknown, circumstances: Circumstances = {}): ErrorClass {
  for (const layer of layers(error)) {
    for (const marks of MARKS) {
      const found = ERROR_CLASSES.find((one) => marks(one, layer) && applies(one, circumstances));
      if (found !== undefined) return found;
    }
  }
  return CALLERS_FAULT;
}
