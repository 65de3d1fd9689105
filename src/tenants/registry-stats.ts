import type { Tenant } from './tenant';

/** A registry at one moment, with totals since it was made. */
export interface RegistryStats {
  /** Tenants that are open, those on their way out included; at most `maxOpen`, where that is not 0. */
  readonly open: number;
  readonly maxOpen: number;
  /**
   * Connections of all tenants, those being opened and those saying goodbye included; at most
   * `maxConnections`, where that is not 0.
   */
  readonly connections: number;
  readonly maxConnections: number;
  /** Tenants whose callers wait because a bound is reached. */
  readonly tenantsWaiting: number;
  /** Connections that are out. */
  readonly active: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
  /** How often tenants were opened, closed, and of these closed because others needed the place. */
  readonly opened: number;
  readonly closed: number;
  readonly displaced: number;
  /** Databases that the factory made, and how often it failed. */
  readonly made: number;
  readonly factoryFailures: number;
  readonly hookFailures: number;
}

/** What a sweep did. */
export interface SweepSummary {
  /** Open tenants that were looked at. */
  readonly evaluated: number;
  /** Those in use: a connection is out or waited for, or `use` runs. */
  readonly active: number;
  /** Those that were unused for long enough, and are protected. */
  readonly protected: number;
  /** Those that were closed. */
  readonly closed: number;
  /** Those that came into use, or under protection, after they were chosen; they stay open. */
  readonly spared: number;
  /** Those whose connections did not go in time; they still may. */
  readonly failed: number;
}

/** One tenant at one moment. */
export interface TenantInfo {
  readonly tenant: string;
  readonly state: 'closed' | 'open' | 'closing';
  readonly connections: number;
  readonly active: number;
  readonly idle: number;
  readonly waiting: number;
  /** Calls of `use` that run. */
  readonly users: number;
  readonly protected: boolean;
  /** Since when it is unused, in ms; 0 while it is in use. */
  readonly unusedFor: number;
}

export function infoOf(tenant: Tenant, now: number, isProtected: boolean): TenantInfo {
  const { active, idle, waiting } = tenant.pool.numbers;
  const { name, state, places, users } = tenant;
  return Object.freeze({
    tenant: name,
    state,
    connections: places,
    active,
    idle,
    waiting,
    users,
    protected: isProtected,
    unusedFor: tenant.isActive ? 0 : Math.round(now - tenant.usedAt),
  });
}
