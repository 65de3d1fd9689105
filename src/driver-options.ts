import { describe } from './errors';
import {
  callback,
  duration,
  either,
  flag,
  listOf,
  record,
  refused,
  text,
  wholeNumber,
  type Rule,
} from './option-rules';

/** Connection options, named and meant as in mysql2, which carries them out. */
export interface DriverOptions {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** A string, or a function that is called at each connect: for tokens that expire. */
  readonly password?: string | (() => string | Promise<string>);
  readonly database?: string;
  readonly socketPath?: string;
  readonly localAddress?: string;
  readonly charset?: string;
  readonly timezone?: string;
  readonly ssl?: string | object;
  readonly compress?: boolean;
  readonly connectAttributes?: Readonly<Record<string, unknown>>;
  readonly decimalNumbers?: boolean;
  readonly dateStrings?: boolean | readonly string[];
  readonly supportBigNumbers?: boolean;
  readonly bigNumberStrings?: boolean;
  readonly stringifyObjects?: boolean;
  readonly jsonStrings?: boolean;
  readonly typeCast?: boolean | ((field: never, next: () => unknown) => unknown);
  readonly rowsAsArray?: boolean;
  readonly nestTables?: boolean | string;
  readonly disableEval?: boolean;
  readonly insecureAuth?: boolean;
  readonly enableCleartextPlugin?: boolean;
  readonly authPlugins?: Readonly<Record<string, unknown>>;
  readonly password1?: string;
  readonly password2?: string;
  readonly password3?: string;
  readonly passwordSha1?: string;
  readonly infileStreamFactory?: (path: string) => unknown;
  readonly enableKeepAlive?: boolean;
  /** Milliseconds before TCP's keep-alive begins. */
  readonly keepAliveInitialDelay?: number;
  readonly flags?: readonly string[];
  /** Prepared statements kept open on each connection. @default 250 */
  readonly maxPreparedStatements?: number;
  /** Captures a stack for each statement (about 10 µs each). @default false */
  readonly trace?: boolean;
}

export const DRIVER_DEFAULTS = { maxPreparedStatements: 250, trace: false };

/** Flags of the protocol that the library's promises rest on, or that would break them. */
const REFUSED_FLAGS = ['-FOUND_ROWS', '-SESSION_TRACK', '-TRANSACTIONS', 'MULTI_STATEMENTS'];

const protocolFlags: Rule = (value) => {
  const broken = listOf(text)(value);
  if (broken !== undefined) return broken;
  const bad = (value as string[]).find((one) =>
    REFUSED_FLAGS.includes(one.toUpperCase().replace(/^\+/, '')),
  );
  return bad === undefined ? undefined : `${bad} is refused: the library relies on the default`;
};

const port: Rule = (value) =>
  wholeNumber(1)(value) ?? ((value as number) < 65_536 ? undefined : 'must be below 65536');

export const DRIVER_RULES: Record<keyof DriverOptions, Rule> = {
  host: text,
  port,
  user: text,
  password: (value) =>
    typeof value === 'string' || typeof value === 'function'
      ? undefined
      : `must be a string or a function, got ${typeof value}`,
  database: text,
  socketPath: text,
  localAddress: text,
  charset: text,
  timezone: (value) =>
    typeof value === 'string' && /^(?:local|Z|[ +-]\d\d:\d\d)$/.test(value)
      ? undefined
      : `must be 'local', 'Z' or an offset such as '+02:00', got ${describe(value)}`,
  ssl: either(text, record),
  compress: flag,
  connectAttributes: record,
  decimalNumbers: flag,
  dateStrings: either(flag, listOf(text)),
  supportBigNumbers: flag,
  bigNumberStrings: flag,
  stringifyObjects: flag,
  jsonStrings: flag,
  typeCast: either(flag, callback),
  rowsAsArray: flag,
  nestTables: either(flag, text),
  disableEval: flag,
  insecureAuth: flag,
  enableCleartextPlugin: flag,
  authPlugins: record,
  password1: text,
  password2: text,
  password3: text,
  passwordSha1: text,
  infileStreamFactory: callback,
  enableKeepAlive: flag,
  keepAliveInitialDelay: duration,
  flags: protocolFlags,
  maxPreparedStatements: wholeNumber(1),
  trace: flag,
};

const ours = refused('is refused: the library opens and owns its sockets and its pool');

/** Options that users of mysql2 or of this library's documents may expect: the reason why not. */
export const REFUSED_RULES: Record<string, Rule> = {
  multipleStatements: (value) =>
    value === false
      ? undefined
      : 'is refused: a second statement in one text would pass under the transaction guard',
  stream: ours,
  pool: ours,
  isServer: ours,
  Promise: ours,
  authSwitchHandler: refused('is refused: use authPlugins'),
  queryFormat: refused('is refused: format with db.format() and send the text'),
  debug: refused('is refused: it prints packets, values included'),
  charsetNumber: refused('is refused: name the collation by charset'),
  gracefulEnd: refused('is refused: connections always say goodbye'),
};
