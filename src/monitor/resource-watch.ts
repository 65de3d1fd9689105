import { EventEmitter } from 'node:events';
import { systemClock, type Clock } from '../clock';
import { createLogger, errorFields, safeLogger, type Logger } from '../logger';
import { Periodic } from '../periodic';
import { EventLoopWatch } from './event-loop';
import type { DescriptorNumbers, ResourceSnapshot, ServerLoad } from './resource-snapshot';
import { sourcesOf, type ResourceSources, type Watched } from './resource-sources';
import {
  resolveWatchOptions,
  type ResolvedWatchOptions,
  type Resource,
  type ResourceWatchOptions,
} from './resource-watch-options';
import { Threshold } from './threshold';

/** A resource that has come to its threshold, or well below it again. */
export interface ResourceWarning {
  readonly resource: Resource;
  /** As `warnAt` counts it: a share, a number, or ms. */
  readonly value: number;
  readonly warnAt: number;
  readonly snapshot: ResourceSnapshot;
}

export interface ResourceWatchEvents {
  /** Once for each crossing. */
  warning: [warning: ResourceWarning];
  recovered: [warning: ResourceWarning];
  look: [snapshot: ResourceSnapshot];
}

/** @internal What a test puts in the place of the real thing. */
interface Seams {
  readonly clock: Clock;
  readonly sources?: ResourceSources;
}

const UNKNOWN: DescriptorNumbers = { open: undefined, limit: undefined, sockets: undefined };

/**
 * Looks at what runs out in production: file descriptors, connections of the server, callers that wait
 * for one, the time of the event loop. Warns once when a threshold is crossed, by event and log, and
 * tells when it is well below again. That looks fail again and again is a warning of its own.
 *
 * Each look opens a connection of its own for a moment, beside the pool, so that it tells the truth
 * also when the pool is empty or the server is full.
 *
 * @example
 * const watch = new ResourceWatch(db, { processes: 12 });
 * watch.on('warning', ({ resource, value, warnAt }) => page(`${resource}: ${value} of ${warnAt}`));
 * watch.start();
 */
export class ResourceWatch extends EventEmitter<ResourceWatchEvents> {
  readonly #options: ResolvedWatchOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #sources: ResourceSources;
  readonly #eventLoop = new EventLoopWatch();
  readonly #thresholds: ReadonlyMap<Resource, Threshold>;
  readonly #rounds: Periodic;
  #failures = 0;
  #looking: Promise<ResourceSnapshot> | undefined;

  /**
   * @param watched a database, or a registry of them.
   * @throws {ConfigurationError} naming the option and the rule.
   */
  constructor(watched: Watched, options?: ResourceWatchOptions);
  /** @internal */
  // eslint-disable-next-line @typescript-eslint/unified-signatures -- one of them is not published
  constructor(watched: Watched, options: ResourceWatchOptions, seams: Seams);
  constructor(
    watched: Watched,
    options: ResourceWatchOptions = {},
    { clock, sources }: Seams = { clock: systemClock },
  ) {
    super();
    const resolved = resolveWatchOptions(options);
    const { interval: every, jitter, hysteresis, server } = resolved;
    this.#options = resolved;
    this.#clock = clock;
    this.#logger = safeLogger(resolved.logger ?? createLogger(resolved.logLevel));
    this.#sources = sources ?? sourcesOf(watched, server, clock);
    this.#thresholds = new Map(
      Object.entries(resolved.warnAt).map(([resource, warnAt]) => [
        resource as Resource,
        new Threshold(warnAt, hysteresis),
      ]),
    );
    this.#rounds = new Periodic({ clock, every, jitter, work: () => this.look() });
  }

  /** Looks by itself from now on, after a first pause. A second call does nothing. */
  start(): void {
    this.#eventLoop.start();
    this.#rounds.start();
  }

  /** Looks no more by itself. */
  stop(): void {
    this.#eventLoop.stop();
    this.#rounds.stop();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /**
   * Looks now. What cannot be found out is `undefined` in the snapshot and counted in `failures`; never
   * rejects. Whoever asks while a look is under way gets that one's.
   *
   * The event loop is measured from {@link start} on, and between two looks.
   */
  look(): Promise<ResourceSnapshot> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<ResourceSnapshot> {
    const failed: unknown[] = [];
    const noted = (error: unknown): undefined => void failed.push(error);
    const [descriptors, server] = await Promise.all([
      this.#sources.descriptors().catch(noted),
      this.#sources.server().catch(noted),
    ]);
    this.#failures = failed.length === 0 ? 0 : this.#failures + 1;
    for (const error of failed) {
      this.#logger.debug({ ...errorFields(error), failures: this.#failures }, 'a look failed');
    }
    const pools = this.#sources.pools();
    const snapshot: ResourceSnapshot = Object.freeze({
      at: this.#clock.date(),
      descriptors: descriptors ?? UNKNOWN,
      pools,
      server,
      fleet: pools.limit * this.#options.processes,
      eventLoopDelay: this.#eventLoop.take(),
      failures: this.#failures,
    });
    this.#compare(snapshot, failed.at(-1));
    this.#tell('look', snapshot);
    return snapshot;
  }

  #compare(snapshot: ResourceSnapshot, failure: unknown): void {
    const { descriptors, pools, server, fleet, eventLoopDelay, failures } = snapshot;
    const values: Record<Resource, number | undefined> = {
      descriptors: shareOf(descriptors.open, descriptors.limit),
      waiters: pools.waiters,
      server: fullnessOf(server),
      fleet: shareOf(fleet, lowerLimitOf(server)),
      eventLoopDelay: eventLoopDelay.p99,
      failures,
    };
    for (const [resource, threshold] of this.#thresholds) {
      const value = values[resource];
      const crossing = threshold.note(value);
      if (crossing === undefined || value === undefined) continue;
      this.#announce(crossing, { resource, value, snapshot }, failure);
    }
  }

  #announce(
    crossing: 'crossed' | 'recovered',
    { resource, value, snapshot }: Omit<ResourceWarning, 'warnAt'>,
    failure: unknown,
  ): void {
    const warnAt = this.#options.warnAt[resource];
    const { descriptors, pools, server, fleet } = snapshot;
    const fields = {
      resource,
      value,
      warnAt,
      descriptors: descriptors.open,
      connections: pools.connections,
      leases: pools.leases,
      waiters: pools.waiters,
      fleet,
      serverConnections: server?.connected,
      serverLimit: server?.limit,
      ...(resource === 'failures' && failure !== undefined ? errorFields(failure) : {}),
    };
    const warning = Object.freeze({ resource, value, warnAt, snapshot });
    if (crossing === 'crossed') {
      this.#logger.warn(fields, 'a resource runs short');
      this.#tell('warning', warning);
    } else {
      this.#logger.info(fields, 'a resource is back below its threshold');
      this.#tell('recovered', warning);
    }
  }

  /** A listener that throws does not end the watch. */
  #tell<K extends keyof ResourceWatchEvents>(event: K, ...args: ResourceWatchEvents[K]): void {
    try {
      (this as EventEmitter).emit(event, ...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** Rounded, for people to read; `undefined` where one of the two is not known. */
function shareOf(part: number | undefined, whole: number | undefined): number | undefined {
  if (part === undefined || whole === undefined || !(whole > 0)) return undefined;
  return Math.round((part / whole) * 1000) / 1000;
}

function fullnessOf(server: ServerLoad | undefined): number | undefined {
  return server?.full === true ? 1 : shareOf(server?.connected, server?.limit);
}

/** What one account may open, which is all that a fleet of one account can exhaust. */
function lowerLimitOf(server: ServerLoad | undefined): number | undefined {
  if (server?.limit === undefined) return undefined;
  return Math.min(server.limit, server.accountLimit ?? Infinity);
}
