import type { RetryingPooledDatabase } from '../database';
import { UnsafeTopologyError } from '../errors';
import { Limit } from '../limit';
import { partsOf } from '../pooled-database';

/** What kind of server, or cluster, stands behind a database. */
export interface Topology {
  readonly version: string;
  /** A member of a Galera cluster. */
  readonly galera: boolean;
  /** A member of a MySQL replication group. */
  readonly groupReplication: boolean;
  readonly readOnly: boolean;
}

const NAMES = ['version', 'wsrep_on', 'group_replication_group_name', 'read_only'];

/** How long the server has to answer, in ms. */
const ANSWER = 5000;

/** Asked once for each generation of a pool's connections: a failover may lead elsewhere. */
const known = new WeakMap<object, { readonly generation: number; found: Promise<Topology> }>();

/**
 * Only a server that takes writes is remembered: one that does not may be about to.
 *
 * @throws the driver's error, where the server cannot be asked.
 */
export function topologyOf(db: RetryingPooledDatabase): Promise<Topology> {
  const { pool } = partsOf(db);
  const { generation } = pool;
  const last = known.get(pool);
  if (last?.generation === generation) return last.found;
  const found = ask(db);
  known.set(pool, { generation, found });
  const forget = (): boolean => known.delete(pool);
  found.then(({ readOnly }) => readOnly && forget(), forget);
  return found;
}

async function ask(db: RetryingPooledDatabase): Promise<Topology> {
  const list = NAMES.map((name) => `'${name}'`).join(', ');
  const { host, statements } = partsOf(db);
  const limit = new Limit(host.clock, { kind: 'statement' }, { timeout: ANSWER });
  const rows = await statements
    .alone<{ Variable_name: string; Value: string }[]>(
      `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${list})`,
      [],
      { idempotent: true, limit },
    )
    .finally(() => limit.end());
  const values = new Map(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  const isOn = (name: string): boolean => ['ON', '1'].includes(values.get(name) ?? '');
  return {
    version: values.get('version') ?? '',
    galera: isOn('wsrep_on'),
    groupReplication: (values.get('group_replication_group_name') ?? '') !== '',
    // MariaDB 12 has further words for degrees of it.
    readOnly: !['', 'OFF', '0'].includes(values.get('read_only') ?? ''),
  };
}

/**
 * Makes sure that what is written here is seen by all who look at the primary: whoever may do
 * everything may also write to a replica.
 *
 * @throws {UnsafeTopologyError} where the server is read-only; the next call connects anew.
 */
export async function checkWritable(db: RetryingPooledDatabase, what: string): Promise<void> {
  if (!(await topologyOf(db)).readOnly) return;
  db.evictAll();
  throw new UnsafeTopologyError(
    `This server is read-only: a replica, or a primary that is being taken out of service. ${what} ` +
      'on it would be unknown to the primary. Connect to the primary.',
  );
}
