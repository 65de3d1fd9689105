/** Open file descriptors of this process; `undefined` where the platform does not tell. */
export interface DescriptorNumbers {
  readonly open: number | undefined;
  /** The soft limit: opening more fails. */
  readonly limit: number | undefined;
  /** How many of the open ones are sockets. Told on Linux. */
  readonly sockets: number | undefined;
}

/** The pools that are watched, all together. */
export interface PoolLoad {
  /** Databases: 1, or the registry's open tenants. */
  readonly pools: number;
  /** Connections that are open, idle or out. */
  readonly connections: number;
  /** Connections that are out. */
  readonly leases: number;
  /** Callers that wait for a connection. */
  readonly waiters: number;
  /** The most connections these pools may have together. */
  readonly limit: number;
}

/** The connections of all clients to the server. */
export interface ServerLoad {
  /** It refused the watch because it has all it takes; the numbers are not known then. */
  readonly full: boolean;
  /** `Threads_connected`, of all clients, without the watch's own. */
  readonly connected: number | undefined;
  /** `max_connections`. */
  readonly limit: number | undefined;
  /** The account's `max_user_connections`; `undefined` where it has none. */
  readonly accountLimit: number | undefined;
}

/** How late timers came since the last look, in ms. */
export interface EventLoopDelay {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

/** What a look has found. */
export interface ResourceSnapshot {
  readonly at: Date;
  readonly descriptors: DescriptorNumbers;
  readonly pools: PoolLoad;
  /** `undefined` where it could not be had; see `failures`. */
  readonly server: ServerLoad | undefined;
  /** What all processes of the fleet may open: `pools.limit` times `processes`. */
  readonly fleet: number;
  readonly eventLoopDelay: EventLoopDelay;
  /** How many looks in a row failed in part or as a whole, this one included. */
  readonly failures: number;
}
