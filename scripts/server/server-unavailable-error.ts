import { types } from 'node:util';

/** A server cannot be had on this machine. The message is the reason, fit to be printed beside a skipped test. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError';

  constructor(
    /** Which server was asked for. */
    readonly kind: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}

/** The words of anything that was thrown. Under Jest, Node's own errors are of another realm: no `instanceof` here. */
export function reasonOf(error: unknown): string {
  return types.isNativeError(error) ? error.message.trim() : String(error);
}
