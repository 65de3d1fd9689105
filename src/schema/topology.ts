import type { RetryingPooledDatabase } from '../database';
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

/** Asked once for each generation of a pool's connections: a failover may lead elsewhere. */
const known = new WeakMap<object, { readonly generation: number; found: Promise<Topology> }>();

/** @throws the driver's error, where the server cannot be asked. */
export function topologyOf(db: RetryingPooledDatabase): Promise<Topology> {
  const { pool } = partsOf(db);
  const { generation } = pool;
  const last = known.get(pool);
  if (last?.generation === generation) return last.found;
  const found = db.withoutScope(() => ask(db));
  known.set(pool, { generation, found });
  found.catch(() => known.delete(pool));
  return found;
}

async function ask(db: RetryingPooledDatabase): Promise<Topology> {
  const list = NAMES.map((name) => `'${name}'`).join(', ');
  const [rows] = await db.query<{ Variable_name: string; Value: string }[]>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${list})`,
    [],
    { idempotent: true },
  );
  const values = new Map(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  const isOn = (name: string): boolean => ['ON', '1'].includes(values.get(name) ?? '');
  return {
    version: values.get('version') ?? '',
    galera: isOn('wsrep_on'),
    groupReplication: (values.get('group_replication_group_name') ?? '') !== '',
    readOnly: isOn('read_only'),
  };
}
