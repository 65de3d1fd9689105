import type { RetryingPooledDatabase } from '../database';
import { ConfigurationError } from '../errors';
import { internals } from '../internals';

/** What is asked of a database that is monitored. */
export type MonitoredDatabase = Pick<
  RetryingPooledDatabase,
  'stats' | 'limits' | 'health' | 'holders' | 'instruments' | 'observe'
>;

/**
 * Several databases by name, those that are open whenever it is asked: a registry of tenants, or a
 * `Map`. A database that appears is watched from the next look on (once a second), one that is gone no
 * longer. Where an event `open` tells of one, as a registry's does, it is watched from then on.
 */
export interface MonitoredDatabases {
  [Symbol.iterator](): Iterator<readonly [name: string, database: MonitoredDatabase]>;
  on?(event: 'open', listener: () => void): unknown;
  off?(event: 'open', listener: () => void): unknown;
}

/** The name of the one database where there is only one. */
const ONLY = 'main';

const METHODS = ['stats', 'limits', 'health', 'holders', 'instruments', 'observe'] as const;

function isMany(source: object): source is MonitoredDatabases {
  return Symbol.iterator in source;
}

/** @throws {ConfigurationError} for what is neither a database nor several by name. */
export function databasesOf(source: MonitoredDatabase | MonitoredDatabases): {
  readonly many: boolean;
  readonly open: () => Iterable<readonly [string, MonitoredDatabase]>;
  /** Has `opened` called when a database appears, where the source tells; returns what ends that. */
  readonly onOpen: (opened: () => void) => () => void;
} {
  const { describe } = internals;
  if (typeof source !== 'object' || source === null) {
    const rule = `must be a database, or databases by name, got ${describe(source)}`;
    throw new ConfigurationError('source', rule);
  }
  if (isMany(source)) {
    return {
      many: true,
      open: () => source as Iterable<readonly [string, MonitoredDatabase]>,
      onOpen(opened) {
        source.on?.('open', opened);
        return () => void source.off?.('open', opened);
      },
    };
  }
  if (METHODS.some((method) => typeof source[method] !== 'function')) {
    const rule = `must be a database, or databases by name, got ${describe(source)}`;
    throw new ConfigurationError('source', rule);
  }
  const entries = [[ONLY, source]] as const;
  return { many: false, open: () => entries, onOpen: () => () => {} };
}
