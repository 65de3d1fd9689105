import type { DatabaseStats } from '../metrics/counters';
import type { Histogram } from './histogram';
import type { Labels } from './histogram-text';
import type { Recorder, Tally } from './recorder';
import type { MonitoredDatabase } from './source';

/** A pool as it is at the moment of a scrape. */
export interface PoolNow {
  readonly name: string;
  readonly stats: DatabaseStats;
  readonly limits: ReturnType<MonitoredDatabase['limits']>;
}

interface Named {
  readonly name: string;
  readonly help: string;
}

interface GaugeRow extends Named {
  readonly of: readonly (readonly [labels: Labels, read: (pool: PoolNow) => number])[];
}

interface HistogramRow extends Named {
  readonly of: (recorder: Recorder) => Iterable<readonly [Labels, Histogram]>;
}

interface CounterRow extends Named {
  readonly labels: readonly string[];
  readonly of: (recorder: Recorder) => Iterable<readonly [Labels, number]>;
}

/*
 * `db_client_…` are OpenTelemetry's semantic conventions for database clients as Prometheus spells them;
 * `mysql_boomerang_…` is what these do not know. Units are seconds. No SQL text, key or lock name is ever
 * a label.
 */

export const GAUGES: readonly GaugeRow[] = [
  {
    name: 'db_client_connection_count',
    help: 'Connections that are open, by whether they are out.',
    of: [
      [{ state: 'used' }, ({ stats }) => stats.active],
      [{ state: 'idle' }, ({ stats }) => stats.idle],
    ],
  },
  {
    name: 'db_client_connection_max',
    help: 'The most connections there may be.',
    of: [[{}, ({ limits }) => limits.connectionLimit]],
  },
  {
    name: 'db_client_connection_idle_max',
    help: 'The most idle connections that are kept.',
    of: [[{}, ({ limits }) => limits.maxIdle]],
  },
  {
    name: 'db_client_connection_idle_min',
    help: 'Idle connections that are kept ready.',
    of: [[{}, ({ limits }) => limits.minIdle]],
  },
  {
    name: 'db_client_connection_pending_requests',
    help: 'Callers that wait for a connection.',
    of: [[{}, ({ stats }) => stats.waiting]],
  },
  {
    name: 'mysql_boomerang_connecting',
    help: 'Connects under way.',
    of: [[{}, ({ stats }) => stats.connecting]],
  },
  {
    name: 'mysql_boomerang_auxiliary_connections',
    help: 'Connections beside the pools, which stop statements.',
    of: [[{}, ({ stats }) => stats.auxiliary]],
  },
  { name: 'mysql_boomerang_databases', help: 'Databases that are open.', of: [[{}, () => 1]] },
];

export const HISTOGRAMS: readonly HistogramRow[] = [
  {
    name: 'db_client_connection_wait_time_seconds',
    help: 'How long callers waited for a connection.',
    of: ({ waits }) => [[{}, waits]],
  },
  {
    name: 'db_client_connection_use_time_seconds',
    help: 'How long connections were out.',
    of: ({ uses }) => [[{}, uses]],
  },
  {
    name: 'db_client_connection_create_time_seconds',
    help: 'How long opening a connection and setting up its session took.',
    of: ({ connects }) => [[{}, connects]],
  },
  {
    name: 'db_client_operation_duration_seconds',
    help: 'How long statements took, from sending to the answer; error_type where they failed.',
    *of(recorder) {
      for (const { operation, errorClass, durations } of recorder.statements()) {
        const labels = { db_operation_name: operation };
        // None of all beside some with an error_type: Prometheus takes an absent label for an empty one.
        yield [
          errorClass === undefined ? labels : { ...labels, error_type: errorClass },
          durations,
        ];
      }
    },
  },
];

const byName =
  <Name extends string>(label: string, tallyOf: (recorder: Recorder) => Tally<Name>) =>
  (recorder: Recorder): (readonly [Labels, number])[] =>
    [...tallyOf(recorder).counts].map(([name, count]) => [{ [label]: name }, count]);

export const COUNTERS: readonly CounterRow[] = [
  {
    name: 'db_client_connection_timeouts_total',
    help: 'Callers that got no connection before their deadline.',
    labels: [],
    of: ({ timeouts }) => [[{}, timeouts]],
  },
  {
    name: 'mysql_boomerang_connect_failures_total',
    help: 'Connects that failed.',
    labels: [],
    of: ({ connectFailures }) => [[{}, connectFailures]],
  },
  {
    name: 'mysql_boomerang_connections_closed_total',
    help: 'Connections that left the pool.',
    labels: ['reason'],
    of: byName('reason', ({ removals }) => removals),
  },
  {
    name: 'mysql_boomerang_retries_total',
    help: 'Statements, BEGINs and transactions that were run again by themselves.',
    labels: ['error_type'],
    of: byName('error_type', ({ repeats }) => repeats),
  },
  {
    name: 'mysql_boomerang_transactions_total',
    help: 'Outermost transaction blocks, by how they ended.',
    labels: ['outcome'],
    of: byName('outcome', ({ outcomes }) => outcomes),
  },
  {
    name: 'mysql_boomerang_leaks_total',
    help: 'Connections that were out for long, or whose holder was gone.',
    labels: ['kind'],
    of: byName('kind', ({ leaks }) => leaks),
  },
];
