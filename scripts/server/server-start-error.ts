/**
 * A server was there to be started, and ended or never answered. Not a `ServerUnavailableError`: a test that skips
 * what cannot be had must not skip over settings that are wrong.
 */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';

  constructor(
    what: string,
    /** The end of what the daemon wrote. */
    readonly log: string,
  ) {
    super(log === '' ? what : `${what}; the end of its log:\n${log}`);
  }

  /** Between probing a port and binding it, somebody else may have taken it. */
  get isPortTaken(): boolean {
    return /address already in use|already have another|do you already/i.test(this.log);
  }
}
