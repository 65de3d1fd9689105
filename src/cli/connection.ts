import { RetryingPooledDatabase } from '../database';
import { explain } from '../driver/explain';
import { resolveOptions, type ResolvedOptions } from '../options';
import { partsOf } from '../pooled-database';
import { UsageError } from './exit';
import { printable } from './units';

/** Enough for whatever the commands do at once. */
const CONNECTIONS = 4;

/** What the URL says of rows is for those of the operator's own programs. */
const PLAIN_ROWS = {
  rowsAsArray: false,
  nestTables: false,
  typeCast: true,
  dateStrings: false,
  decimalNumbers: false,
  supportBigNumbers: false,
  bigNumberStrings: false,
} as const;

/** No session could be had. */
export class Unreachable extends Error {
  constructor(
    message: string,
    readonly advice: string,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The database that the operator has named. */
export class Target {
  readonly #url: string;
  readonly #timeout: number;
  /** As the URL has them, over the defaults. */
  readonly options: ResolvedOptions;

  /** @throws {UsageError} where none is named. @throws {ConfigurationError} for a bad one, never quoting it. */
  constructor(url: string | undefined, timeout: number) {
    if (url === undefined || url === '') {
      throw new UsageError('no database is named', 'give --url or set DATABASE_URL');
    }
    this.#url = url;
    this.#timeout = timeout;
    this.options = resolveOptions(url);
  }

  /** Who and where, without a password and without options. */
  get address(): string {
    const { host = 'localhost', port = 3306, user, database, socketPath } = this.options.driver;
    const who = user === undefined ? '' : `${user}@`;
    const where = socketPath ?? `${host.includes(':') ? `[${host}]` : host}:${port}`;
    return printable(`${who}${where}${database === undefined ? '' : `/${database}`}`);
  }

  /**
   * Opens it, after one attempt to have a session: the pool would try again until its deadline, and
   * whoever stands at a terminal wants to know now.
   *
   * @throws {Unreachable} saying why, and what to do.
   */
  async connect(): Promise<RetryingPooledDatabase> {
    const db = new RetryingPooledDatabase({
      uri: this.#url,
      ...PLAIN_ROWS,
      logLevel: 'silent',
      connectionLimit: CONNECTIONS,
      minIdle: 0,
      maxIdle: CONNECTIONS,
      acquireTimeout: this.#timeout,
      connectTimeout: this.#timeout,
    });
    try {
      const signal = new AbortController().signal;
      const connection = await partsOf(db).driver.connect(this.#timeout, signal);
      await connection.close(1000);
      return db;
    } catch (error) {
      await db.end({ deadline: 0 });
      throw unreachable(error, this.options);
    }
  }
}

type Reason = readonly [what: string, advice: string];

const FULL: Reason = [
  'the server has no connection left for this account',
  'Look who has them (SHOW PROCESSLIST with an account that still gets in, kill-idle), raise ' +
    'max_connections or max_user_connections, or lower the connectionLimit of the processes.',
];
const REFUSED: Reason = [
  'the server refused the login: a wrong password, or no such account from this host',
  "Check user and password ('%40' stands for '@' in a URL), and that the account may log in from here.",
];
const NO_DATABASE: Reason = [
  'the server let the account in, but not to this database: it is not there, or not for this account',
  'Create it, or GRANT the account its rights on it; or name another one at the end of the URL.',
];
const HOST: Reason = [
  'the server lets nobody in from this host',
  'Create the account for this host; a host that is blocked after errors is freed by FLUSH HOSTS.',
];
const NOWHERE: Reason = [
  'nothing listens there',
  'Check host and port, and that the server runs and listens on an address that is reached from here.',
];
const UNKNOWN_HOST: Reason = [
  'the name of the host is not known here',
  'Check its spelling, and the name service of this machine.',
];
const SILENT: Reason = [
  'there was no answer in time',
  'Look for a firewall or a wrong address; a slow one is given more time by --timeout.',
];
const TLS: Reason = [
  'the encrypted connection could not be made',
  'Check the ssl option of the URL, and the certificate and its authority.',
];

const REASONS: Readonly<Record<string | number, Reason>> = {
  1040: FULL,
  1203: FULL,
  1226: FULL,
  1045: REFUSED,
  1698: REFUSED,
  1044: NO_DATABASE,
  1049: NO_DATABASE,
  1129: HOST,
  1130: HOST,
  ECONNREFUSED: NOWHERE,
  ENOENT: NOWHERE,
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  ETIMEDOUT: SILENT,
  EHOSTUNREACH: SILENT,
  ENETUNREACH: SILENT,
  HANDSHAKE_NO_SSL_SUPPORT: TLS,
  HANDSHAKE_SSL_ERROR: TLS,
};

function unreachable(error: unknown, { driver }: ResolvedOptions): Unreachable {
  const { code = '', errno = 0 } = error as { code?: string; errno?: number };
  const isTls =
    driver.ssl !== undefined && /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_|UNABLE_)/.test(code);
  const known = isTls ? TLS : (REASONS[errno] ?? REASONS[code]);
  const { says, advice } = explain(error);
  const [what, todo] = known ?? [says, advice];
  const mark = code === '' ? '' : ` (${code})`;
  return new Unreachable(`${what}${mark}`, todo, { cause: error });
}
