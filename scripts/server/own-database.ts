import { randomBytes } from 'node:crypto';
import { logIn } from './account';
import type { Flavour, ServerHandle } from './server-handle';
import { reasonOf, ServerUnavailableError } from './server-unavailable-error';

const NO_RESTART =
  'the server behind DATABASE_URL belongs to its user and is never stopped or started here';

/** A database made for this run on the user's own server, which is left as it is otherwise. */
export class OwnDatabase implements ServerHandle {
  readonly kind = 'database-url';
  readonly restartable = false;
  readonly settings: readonly string[] = [];
  readonly pid = undefined;
  readonly origin: string;
  readonly url: string;
  readonly #adminUrl: URL;
  #version = '';
  #stopping: Promise<void> | undefined;

  private constructor(
    adminUrl: URL,
    readonly database: string,
  ) {
    this.#adminUrl = adminUrl;
    const own = new URL(adminUrl);
    own.pathname = `/${database}`;
    this.url = own.href;
    this.origin = `the server of DATABASE_URL, in a database made for this run`;
  }

  /** Makes the database. Rejects with the reason, which never holds the URL's password. */
  static async create(databaseUrl: string): Promise<OwnDatabase> {
    const adminUrl = parse(databaseUrl);
    // the time first, so that what a killed run left can be told from what is in use
    const name = `boomerang_${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`;
    const server = new OwnDatabase(adminUrl, name);
    try {
      server.#version = await logIn(adminUrl.href, [`CREATE DATABASE \`${name}\``]);
    } catch (error) {
      throw new ServerUnavailableError(
        'database-url',
        `DATABASE_URL names ${adminUrl.host}, where no database could be made: ${reasonOf(error)}`,
      );
    }
    return server;
  }

  get flavour(): Flavour {
    return /mariadb/i.test(this.#version) ? 'mariadb' : 'mysql';
  }

  get version(): string {
    return this.#version;
  }

  get host(): string {
    return this.#adminUrl.hostname;
  }

  get port(): number {
    return Number(this.#adminUrl.port || 3306);
  }

  get user(): string {
    return decodeURIComponent(this.#adminUrl.username);
  }

  get password(): string {
    return decodeURIComponent(this.#adminUrl.password);
  }

  async shutdown(): Promise<void> {
    throw new Error(NO_RESTART);
  }

  async kill(): Promise<void> {
    throw new Error(NO_RESTART);
  }

  async start(): Promise<void> {
    throw new Error(NO_RESTART);
  }

  async restart(): Promise<void> {
    throw new Error(NO_RESTART);
  }

  /** Drops the database. */
  stop(): Promise<void> {
    this.#stopping ??= logIn(this.#adminUrl.href, [
      `DROP DATABASE IF EXISTS \`${this.database}\``,
    ]).then(() => undefined);
    return this.#stopping;
  }
}

function parse(databaseUrl: string): URL {
  try {
    const url = new URL(databaseUrl);
    if (['mysql:', 'mariadb:'].includes(url.protocol)) return url;
  } catch {
    // the URL's own error would quote it, password and all
  }
  throw new ServerUnavailableError(
    'database-url',
    'DATABASE_URL is not of the form mysql://user:password@host:port/',
  );
}
