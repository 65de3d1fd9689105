import { MonitorServer } from './monitor-server';
import { Observatory } from './observatory';
import { resolveMonitorOptions, type MonitorOptions } from './options';
import type { MonitoredDatabase, MonitoredDatabases } from './source';

/** A monitor that is running. */
export interface Monitor {
  /** Where it is: `http://127.0.0.1:9464`. */
  readonly url: string;
  /** Stops watching, and ends every connection to it. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Watches a database, or several by name, and serves what it sees: `/health`, `/metrics` for Prometheus,
 * `/api/state` as JSON, `/api/events` as server-sent events, and a dashboard at `/`.
 *
 * Read-only, and reached from this machine alone unless `host` says otherwise. With a `token` all but
 * `/health` asks for it. It does not keep the process alive.
 *
 * @throws {ConfigurationError} naming the option and the rule; a `host` that other machines reach needs
 * a `token`.
 * @throws Node's error where it cannot listen.
 *
 * @example
 * const { url } = await monitor(db, { port: 9464 });
 */
export async function monitor(
  source: MonitoredDatabase | MonitoredDatabases,
  options: MonitorOptions = {},
): Promise<Monitor> {
  const resolved = resolveMonitorOptions(options);
  const observatory = new Observatory(source, resolved);
  const server = new MonitorServer(observatory, resolved);
  const close = async (): Promise<void> => {
    observatory.close();
    await server.close();
  };
  try {
    const url = await server.listen();
    return Object.freeze({ url, close, [Symbol.asyncDispose]: close });
  } catch (error) {
    observatory.close();
    throw error;
  }
}
