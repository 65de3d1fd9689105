import { ConfigurationError } from '../errors';
import { internals } from '../internals';
import { isLoopback } from './loopback';

export interface MonitorOptions {
  /** Where it listens. Beyond this machine only with a `token`. @default '127.0.0.1' */
  readonly host?: string;
  /** 0: any that is free. @default 0 */
  readonly port?: number;
  /** What has to be presented as `Authorization: Bearer …` for everything but `/health`. */
  readonly token?: string;
  /** How often the dashboard's numbers are taken, in ms. @default 1000 */
  readonly interval?: number;
  /** From how many ms on a statement is listed as slow, by its text without literals; 0 lists none. @default 250 */
  readonly slowStatement?: number;
  /**
   * Of how many of the connections that `getConnection()` and scopes take the dashboard can show where
   * that was, each second (about 10 µs each); 0 for none. @default 50
   */
  readonly stacksPerSecond?: number;
  /** Metrics bear the database's name as a label: a series each for every tenant. @default false */
  readonly databaseLabel?: boolean;
}

const { describe, resolve, rules } = internals;

const DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  token: undefined as string | undefined,
  interval: 1000,
  slowStatement: 250,
  stacksPerSecond: 50,
  databaseLabel: false,
};

export type ResolvedMonitorOptions = Readonly<typeof DEFAULTS>;

const RULES = {
  host: (value: unknown) => (value === '' ? 'must not be empty' : rules.text(value)),
  port: (value: unknown) =>
    rules.wholeNumber(0)(value) ?? ((value as number) < 65_536 ? undefined : 'must be below 65536'),
  // Of another one its file's line break would be a part, or a name's accent: no header bears these.
  token: (value: unknown) =>
    rules.text(value) ??
    (/^[\x21-\x7e]+$/.test(value as string)
      ? undefined
      : 'must be printable ASCII without white space, and not empty'),
  interval: (value: unknown) => (value === 0 ? 'must be above 0' : rules.duration(value)),
  slowStatement: rules.duration,
  stacksPerSecond: rules.duration,
  databaseLabel: rules.flag,
};

/** @throws {ConfigurationError} naming the option and the rule. */
export function resolveMonitorOptions(given: MonitorOptions): ResolvedMonitorOptions {
  if (rules.record(given) !== undefined) {
    throw new ConfigurationError('options', `must be an object, got ${describe(given)}`);
  }
  const options = resolve(given, RULES, DEFAULTS);
  if (options.token === undefined && !isLoopback(options.host)) {
    const rule =
      'needs a token where it is reached from other machines: it shows names, texts and stacks';
    throw new ConfigurationError('host', rule);
  }
  return options;
}
