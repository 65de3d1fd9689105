import type { Clock } from '../clock';
import type { Driver } from '../driver/connection';
import { partsOf, PooledDatabase } from '../pooled-database';
import { DatabaseRegistry, openTenantsOf } from '../tenants/database-registry';
import { descriptorNumbers } from './descriptors';
import type { DescriptorNumbers, PoolLoad, ServerLoad } from './resource-snapshot';
import { refuseWatched } from './resource-watch-options';
import { serverLoad } from './server-load';

/** Where a watch has its numbers from. */
export interface ResourceSources {
  descriptors(): Promise<DescriptorNumbers>;
  pools(): PoolLoad;
  /** `undefined` where there is nobody to ask at the moment. */
  server(): Promise<ServerLoad | undefined>;
}

/** What may be watched. */
export type Watched = PooledDatabase | DatabaseRegistry;

/** @throws {InvalidArgumentError} for what is neither a database nor a registry. */
export function sourcesOf(
  watched: Watched,
  server: PooledDatabase | undefined,
  clock: Clock,
): ResourceSources {
  const one = watched instanceof PooledDatabase ? watched : undefined;
  if (one === undefined && !(watched instanceof DatabaseRegistry)) refuseWatched();
  const driver = (): Driver | undefined => {
    const asked = server ?? one ?? lastUsed(watched as DatabaseRegistry);
    return asked === undefined ? undefined : partsOf(asked).driver;
  };
  return {
    descriptors: descriptorNumbers,
    pools: () => (one === undefined ? registryLoad(watched as DatabaseRegistry) : loadOf(one)),
    server: async () => {
      const way = driver();
      return way === undefined ? undefined : serverLoad(way, clock);
    },
  };
}

function loadOf(db: PooledDatabase): PoolLoad {
  const { pool } = partsOf(db);
  const { total, active, waiting } = pool.numbers;
  const { connectionLimit } = pool.limits;
  return { pools: 1, connections: total, leases: active, waiters: waiting, limit: connectionLimit };
}

function registryLoad(registry: DatabaseRegistry): PoolLoad {
  const { open, connections, active, waiting, maxConnections } = registry.stats();
  let limits = 0;
  // Without a bound of the registry's, the tenants that are open now may open as many.
  for (const { pool } of openTenantsOf(registry)) limits += pool.limits.connectionLimit;
  const limit = maxConnections > 0 ? maxConnections : limits;
  return { pools: open, connections, leases: active, waiters: waiting, limit };
}

function lastUsed(registry: DatabaseRegistry): PooledDatabase | undefined {
  const open = [...openTenantsOf(registry)].filter(({ pool }) => !pool.ended);
  return open.sort((a, b) => b.usedAt - a.usedAt)[0]?.db;
}
