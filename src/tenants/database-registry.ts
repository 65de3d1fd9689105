import { EventEmitter } from 'node:events';
import { settledWithin, systemClock, type Clock } from '../clock';
import type { RetryingPooledDatabase } from '../database';
import { InvalidArgumentError, checkFunction, describe } from '../errors';
import { createLogger, errorFields, safeLogger, type Logger } from '../logger';
import { Periodic } from '../periodic';
import type { EndOptions } from '../pooled-database';
import { Budget } from './budget';
import { CloseHooks } from './close-hooks';
import { Protection, checkProtected, type Protected } from './protection';
import {
  resolveRegistryOptions,
  type CloseReason,
  type DatabaseFactory,
  type RegistryOptions,
  type ResolvedRegistryOptions,
} from './registry-options';
import { infoOf, type RegistryStats, type SweepSummary, type TenantInfo } from './registry-stats';
import type { Tenant } from './tenant';
import { TenantDirectory } from './tenant-directory';
import { TenantSweep } from './tenant-sweep';

export interface RegistryEvents {
  /** A tenant is about to open its first connection. */
  open: [tenant: string];
  /** The last connection of a tenant that was being closed is gone. */
  close: [tenant: string, reason: CloseReason];
  sweep: [summary: SweepSummary];
  /** A hook or a predicate failed: nobody's call failed by it. Emitted only where somebody listens. */
  error: [error: unknown, tenant: string | undefined];
}

/** @internal The open tenants of a registry, for the library's own modules above it. */
export let openTenantsOf: (registry: DatabaseRegistry) => ReadonlySet<Tenant>;

const END_DEADLINE = 10_000;

/**
 * The databases of many tenants, made when they are first asked for, with a bound on how many have
 * connections and how many connections all have together.
 *
 * A handle from {@link get} is a whole `RetryingPooledDatabase` and never goes stale: what is closed
 * and opened again are its connections. It may be kept, or asked for each time; the same tenant's is
 * the same object for as long as anybody holds it. One that nobody holds and that has no connections
 * is forgotten, and made anew by the factory.
 *
 * Where the bound is reached, callers wait in their tenant's pool, by their own deadlines, for an
 * unused tenant or connection to be closed, and end with `PoolExhaustedError` where none was to spare.
 *
 * @example
 * const registry = new DatabaseRegistry((tenant) => ({ ...server, database: `tenant_${tenant}` }), {
 *   maxOpen: 50,
 *   maxConnections: 100,
 * });
 * const db = await registry.get('acme');
 */
export class DatabaseRegistry extends EventEmitter<RegistryEvents> {
  static {
    openTenantsOf = (registry) => registry.#budget.open;
  }

  readonly #options: ResolvedRegistryOptions;
  readonly #clock: Clock = systemClock;
  readonly #logger: Logger;
  readonly #tenants: TenantDirectory;
  readonly #protection: Protection;
  readonly #budget: Budget;
  readonly #hooks: CloseHooks;
  readonly #sweep: TenantSweep;
  readonly #rounds: readonly Periodic[];
  readonly #totals = { opened: 0, closed: 0, displaced: 0, hookFailures: 0 };
  #ending: Promise<void> | undefined;

  /**
   * @param factory makes a tenant's database: a URL, options, or a database that was not used yet.
   * @throws {ConfigurationError} naming the option and the rule.
   */
  constructor(factory: DatabaseFactory, options: RegistryOptions = {}) {
    super();
    checkFunction('factory', factory);
    const resolved = resolveRegistryOptions(options);
    const clock = this.#clock;
    this.#options = resolved;
    this.#logger = safeLogger(resolved.logger ?? createLogger(resolved.logLevel));
    this.#protection = new Protection((error) => this.#report(error, undefined, 'protect'));
    this.#protection.add(resolved.protect);
    this.#hooks = new CloseHooks(resolved.onClose, clock, (error, tenant) => {
      this.#totals.hookFailures++;
      this.#report(error, tenant, 'onClose');
    });
    this.#budget = new Budget(resolved, clock, {
      isKept: ({ name, users }) => users > 0 || this.#protection.covers(name),
      opened: ({ name }) => {
        this.#totals.opened++;
        this.#tell('open', name);
      },
      closed: ({ name }, closing) => {
        this.#totals.closed++;
        if (closing.reason === 'displaced') this.#totals.displaced++;
        this.#tell('close', name, closing.reason);
        this.#hooks.begin(name, closing);
      },
    });
    const { idleAfter, interval, jitter, recycleInterval, factoryTimeout } = resolved;
    const isProtected = (tenant: string): boolean => this.#protection.covers(tenant);
    const budget = this.#budget;
    const hooks = this.#hooks;
    const logger = this.#logger;
    this.#tenants = new TenantDirectory({ clock, budget, factory, factoryTimeout });
    this.#sweep = new TenantSweep({ clock, logger, budget, hooks, idleAfter, isProtected });
    this.#rounds = [
      new Periodic({ clock, every: interval, jitter, work: () => this.sweep() }),
      new Periodic({ clock, every: recycleInterval, jitter, work: async () => this.recycle() }),
    ];
    for (const round of this.#rounds) round.start();
  }

  /**
   * The tenant's database. Callers who ask for the same at the same time wait for one factory call; one
   * that fails is not kept, and the next caller tries again.
   *
   * @throws what the factory throws; {@link FactoryTimeoutError} where it took too long.
   * @throws {PoolClosedError} after {@link end}.
   */
  async get(tenant: string): Promise<RetryingPooledDatabase> {
    return (await this.#tenants.of(tenant)).db;
  }

  /**
   * Runs `fn` with the tenant's database, whose idle connections stay open until it settles: neither
   * a sweep nor another tenant's need closes them. Opens no scope.
   */
  async use<T>(tenant: string, fn: (db: RetryingPooledDatabase) => PromiseLike<T> | T): Promise<T> {
    checkFunction('fn', fn);
    const user = await this.#tenants.of(tenant);
    user.users++;
    try {
      return await fn(user.db);
    } finally {
      user.users--;
      user.usedAt = this.#clock.now();
      this.#budget.review();
    }
  }

  /**
   * Keeps tenants open: neither a sweep nor another tenant's need closes their connections. Holds for
   * tenants that are yet to come as well.
   *
   * @returns what lifts it again.
   */
  protect(which: Protected): () => void {
    checkProtected(which);
    const lift = this.#protection.add(which);
    return () => {
      lift();
      this.#budget.review();
    };
  }

  /**
   * Closes the tenants that were unused for `idleAfter`, are in nobody's use and not protected.
   * Resolves when they are closed and their hooks have run. Never rejects.
   */
  async sweep(): Promise<SweepSummary> {
    const summary = await this.#sweep.run();
    this.#tell('sweep', summary);
    return summary;
  }

  /**
   * Closes the idle connections of every tenant, protected ones too, and leaves those in use alone.
   *
   * @returns how many were closed.
   */
  recycle(): number {
    let closed = 0;
    for (const { pool } of this.#budget.open) closed += pool.closeIdle();
    this.#logger.info({ closed }, 'idle connections of all tenants were closed');
    return closed;
  }

  /**
   * Ends one tenant's database for good, as its own `end()` does, for a tenant that is gone or has
   * moved: the next {@link get} asks the factory again. False where it was not known.
   */
  async close(tenant: string, options: EndOptions = {}): Promise<boolean> {
    const known = await this.#tenants.find(tenant);
    if (known === undefined) return false;
    await this.#finish(known, options);
    await this.#hooks.settled();
    return true;
  }

  /**
   * Takes no more tenants and ends the databases of all, at the same time, each as its own `end()`
   * does. Resolves when all are ended and the hooks have run. A factory that has not settled at the deadline
   * is not waited for; what it still makes is ended. A second call gives the first one's promise.
   */
  end({ deadline = END_DEADLINE }: EndOptions = {}): Promise<void> {
    if (typeof deadline !== 'number' || !(deadline >= 0)) {
      const rule = `must be a number of milliseconds, 0 or more, got ${describe(deadline)}`;
      return Promise.reject(new InvalidArgumentError('deadline', rule));
    }
    this.#ending ??= this.#end(deadline);
    return this.#ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /** All tenants together at this moment, with totals since the registry was made. */
  stats(): RegistryStats {
    const { maxOpen, maxConnections } = this.#options;
    const pools = { active: 0, idle: 0, waiting: 0 };
    for (const tenant of this.#tenants.alive()) {
      const { active, idle, waiting } = tenant.pool.numbers;
      pools.active += active;
      pools.idle += idle;
      pools.waiting += waiting;
    }
    const { open, connections, waiting: tenantsWaiting } = this.#budget;
    const bounds = { open: open.size, maxOpen, connections, maxConnections, tenantsWaiting };
    return Object.freeze({ ...bounds, ...pools, ...this.#totals, ...this.#tenants.totals });
  }

  /** The tenants that are open, or whose callers wait for that. */
  list(): TenantInfo[] {
    const now = this.#clock.now();
    return [...this.#tenants.alive()]
      .filter(({ state, pool }) => state !== 'closed' || pool.numbers.waiting > 0)
      .map((tenant) => infoOf(tenant, now, this.#protection.covers(tenant.name)));
  }

  /** The databases of the open tenants by name, as a monitor looks at them. */
  *[Symbol.iterator](): IterableIterator<[tenant: string, database: RetryingPooledDatabase]> {
    for (const { name, db } of this.#budget.open) yield [name, db];
  }

  /** The hooks run whatever becomes of the rest. */
  async #finish(tenant: Tenant, options: EndOptions): Promise<void> {
    try {
      await tenant.db.end(options);
    } finally {
      this.#tenants.forget(tenant);
      // What was still out at the deadline gives its place back when its borrower returns it.
      if (tenant.state !== 'closed')
        this.#hooks.begin(tenant.name, this.#budget.close(tenant, 'ended'));
    }
  }

  async #end(deadline: number): Promise<void> {
    // Let `#ending` be set before anything below looks at it.
    await Promise.resolve();
    for (const round of this.#rounds) round.stop();
    const endings = [...this.#tenants.alive()].map((tenant) =>
      this.#finish(tenant, { deadline }).catch((error: unknown) => {
        this.#report(error, tenant.name, 'end');
      }),
    );
    const making = settledWithin(this.#clock, deadline, this.#tenants.close());
    await Promise.all([...endings, making]);
    await this.#hooks.settled();
  }

  #report(error: unknown, tenant: string | undefined, what: string): void {
    this.#logger.warn({ ...errorFields(error), what }, 'a function of a registry failed');
    if (this.listenerCount('error') > 0) this.#tell('error', error, tenant);
  }

  /** A listener that throws throws into nobody's statement. */
  #tell<K extends keyof RegistryEvents>(event: K, ...args: RegistryEvents[K]): void {
    try {
      (this as EventEmitter).emit(event, ...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
