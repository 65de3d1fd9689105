import * as mysql2 from 'mysql2';
import { connect as openSocket, type Socket } from 'node:net';
import { detached } from '../async-context';
import { systemClock } from '../clock';
import type { DriverOptions } from '../driver-options';
import { ConfigurationError } from '../errors';
import type { Driver } from './connection';
import { Mysql2Connection } from './mysql2-connection';

const DEFAULT_CHARSET = 'UTF8MB4_UNICODE_CI';

/** mysql2 knows collations by number; the session set-up needs them by name. */
function charsetOf(option: string): { name: string; collation: string } {
  const numbers = mysql2.Charsets as unknown as Readonly<Record<string, number>>;
  const number = numbers[option.toUpperCase()];
  const collation = Object.keys(numbers).find(
    (name) => numbers[name] === number && (name.includes('_') || name === 'BINARY'),
  );
  if (number === undefined || collation === undefined) {
    throw new ConfigurationError(
      'charset',
      'must be a character set or collation that mysql2 knows',
    );
  }
  // Servers have dropped the old alias `utf8`.
  const spelled = collation.toLowerCase().replace(/^utf8_/, 'utf8mb3_');
  return { name: spelled.split('_', 1)[0] ?? spelled, collation: spelled };
}

function timedOut(within: number): Error {
  return Object.assign(new Error(`connect ETIMEDOUT: no session after ${within} ms`), {
    code: 'ETIMEDOUT',
    syscall: 'connect',
    fatal: true,
  });
}

/** Makes mysql2 connections on sockets of our own. The one importer of mysql2 at run time. */
export class Mysql2Driver implements Driver {
  readonly #options: mysql2.ConnectionOptions;
  readonly #source: DriverOptions['password'];
  readonly charset: { readonly name: string; readonly collation: string };
  readonly database: string | undefined;

  constructor(options: DriverOptions) {
    this.charset = charsetOf(options.charset ?? DEFAULT_CHARSET);
    this.database = options.database;
    const { password, ...rest } = options;
    this.#source = password;
    this.#options = {
      ...(rest as mysql2.ConnectionOptions),
      // mysql2 writes into this object and keeps TLS sessions by its identity: one copy for all.
      ...(typeof options.ssl === 'object' ? { ssl: { ...options.ssl } } : {}),
      // Ours covers name resolution as well, and closes the socket.
      connectTimeout: 0,
    };
    this.#checkSslProfile(options.ssl);
  }

  connect(within: number, signal: AbortSignal, address?: string): Promise<Mysql2Connection> {
    // A socket's events run in the async context in which it was opened: nobody's.
    return detached(() => this.#withinLimits(within, signal, address));
  }

  /** One limit for the password, name resolution, connect and authentication. */
  #withinLimits(
    within: number,
    signal: AbortSignal,
    address: string | undefined,
  ): Promise<Mysql2Connection> {
    return new Promise((resolve, reject) => {
      const attempt = new AbortController();
      const giveUp = (reason: Error): void => {
        settle(() => reject(reason));
        attempt.abort(reason);
      };
      const onAbort = (): void => giveUp(signal.reason as Error);
      const deadline =
        within > 0 ? systemClock.setTimer(() => giveUp(timedOut(within)), within) : undefined;
      const settle = (outcome: () => void): void => {
        deadline?.cancel();
        signal.removeEventListener('abort', onAbort);
        outcome();
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.#password()
        .then((password) => this.#handshake(password, attempt.signal, address))
        .then(
          (connection) => settle(() => resolve(connection)),
          (error: unknown) => settle(() => reject(error)),
        );
    });
  }

  async #password(): Promise<string | undefined> {
    const password = this.#source;
    if (typeof password !== 'function') return password;
    const given: unknown = await password();
    if (typeof given !== 'string') {
      throw new ConfigurationError('password', `must give a string, gave ${typeof given}`);
    }
    return given;
  }

  #handshake(
    password: string | undefined,
    signal: AbortSignal,
    address: string | undefined,
  ): Promise<Mysql2Connection> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const socket = this.#openSocket(address);
      // The pool holds the process while somebody waits; an idle connection must not.
      socket.unref();
      const core = mysql2.createConnection({
        ...this.#options,
        ...(password === undefined ? {} : { password }),
        stream: () => socket,
      });
      const onAbort = (): void => void socket.destroy(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      core.on('error', (error: Error) => {
        socket.destroy();
        reject(error);
      });
      core.on('connect', (handshake: { serverVersion?: string }) => {
        signal.removeEventListener('abort', onAbort);
        resolve(new Mysql2Connection(core, socket, handshake.serverVersion ?? ''));
      });
    });
  }

  format(sql: string, values: readonly unknown[] = []): string {
    return mysql2.format(
      sql,
      values as never[],
      this.#options.stringifyObjects,
      this.#options.timezone,
    );
  }

  escape(value: unknown): string {
    return mysql2.escape(value as never, this.#options.stringifyObjects, this.#options.timezone);
  }

  escapeId(value: string): string {
    return mysql2.escapeId(value);
  }

  #openSocket(address: string | undefined): Socket {
    const { socketPath, host = 'localhost', port = 3306, localAddress } = this.#options;
    if (socketPath !== undefined) return openSocket(socketPath);
    const socket = openSocket({
      host: address ?? host,
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    socket.setNoDelay(true);
    if (this.#options.enableKeepAlive !== false) {
      socket.setKeepAlive(true, this.#options.keepAliveInitialDelay);
    }
    return socket;
  }

  /** mysql2 throws for an unknown profile only when it connects; the constructor is the place. */
  #checkSslProfile(ssl: string | object | undefined): void {
    if (typeof ssl !== 'string' || ssl === 'Amazon RDS') return;
    throw new ConfigurationError('ssl', "must be an object or the profile name 'Amazon RDS'");
  }
}
