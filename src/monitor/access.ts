import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from './loopback';

/** Why a request is turned away. */
export type Refusal = 'no token' | 'foreign host';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The name in a Host header, without port and brackets. */
function hostName(header: string): string {
  return header.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
}

/**
 * Who may look. With a token, whoever presents it. Without one, this machine, and only under its own
 * name: a page of somebody else's whose name was made to point here (DNS rebinding) reads nothing.
 */
export class Access {
  readonly #token: Buffer | undefined;

  constructor(token: string | undefined) {
    this.#token = token === undefined ? undefined : digest(token);
  }

  /** `undefined` where the request may pass. Takes as long whatever the token presented is. */
  refusal(headers: IncomingHttpHeaders): Refusal | undefined {
    if (this.#token === undefined) {
      return isLoopback(hostName(headers.host ?? '')) ? undefined : 'foreign host';
    }
    const presented = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(presented), this.#token) ? undefined : 'no token';
  }
}
