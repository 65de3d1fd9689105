import type { Clock } from '../clock';
import { RetryingPooledDatabase } from '../database';
import { FactoryTimeoutError, InvalidArgumentError, PoolClosedError } from '../errors';
import { partsOf } from '../pooled-database';
import { withoutScope } from '../scope/context';
import type { Budget } from './budget';
import type { DatabaseFactory, Made } from './registry-options';
import { Tenant } from './tenant';

export interface TenantDirectoryOptions {
  readonly clock: Clock;
  readonly budget: Budget;
  readonly factory: DatabaseFactory;
  /** ms; 0 is no limit. */
  readonly factoryTimeout: number;
}

/**
 * The tenants by name: makes each when it is first asked for, once for all who ask meanwhile.
 *
 * Holds nobody. A tenant keeps itself by its connections while it has any, and whoever holds its
 * handle does; the others can be collected, so that a million tenants in a year cost nothing.
 */
export class TenantDirectory {
  readonly #options: TenantDirectoryOptions;
  readonly #tenants = new Map<string, WeakRef<Tenant>>();
  readonly #making = new Map<string, Promise<Tenant>>();
  readonly #collected = new FinalizationRegistry<string>((name) => {
    if (this.#tenants.get(name)?.deref() === undefined) this.#tenants.delete(name);
  });
  readonly totals = { made: 0, factoryFailures: 0 };
  #closed = false;

  constructor(options: TenantDirectoryOptions) {
    this.#options = options;
  }

  /** How many names are known. */
  get size(): number {
    return this.#tenants.size;
  }

  /** @throws what the factory throws, which is not kept. */
  of(name: string): Promise<Tenant> {
    if (typeof name !== 'string' || name === '') {
      const rule = `must be a string, not empty, got ${typeof name}`;
      return Promise.reject(new InvalidArgumentError('tenant', rule));
    }
    if (this.#closed) return Promise.reject(closed());
    const known = this.#known(name);
    if (known !== undefined) {
      known.usedAt = this.#options.clock.now();
      return Promise.resolve(known);
    }
    let making = this.#making.get(name);
    if (making === undefined) {
      making = this.#make(name).finally(() => this.#making.delete(name));
      this.#making.set(name, making);
    }
    return making;
  }

  /** The tenant as it is known or being made; none is made for this. */
  async find(name: string): Promise<Tenant | undefined> {
    return this.#making.get(name)?.catch(() => undefined) ?? this.#known(name);
  }

  *alive(): Generator<Tenant> {
    for (const reference of this.#tenants.values()) {
      const tenant = reference.deref();
      if (tenant !== undefined) yield tenant;
    }
  }

  forget(tenant: Tenant): void {
    if (this.#tenants.get(tenant.name)?.deref() === tenant) this.#tenants.delete(tenant.name);
  }

  /** Makes no more. Resolves when what is being made has come, and was ended, or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#making.values());
  }

  #known(name: string): Tenant | undefined {
    const known = this.#tenants.get(name)?.deref();
    if (known?.pool.ended !== true) return known;
    // By its own end(): nobody else would close what it has open here.
    this.#options.budget.close(known, 'ended');
    this.forget(known);
    return undefined;
  }

  async #make(name: string): Promise<Tenant> {
    // Let `#making` be set before anybody's code runs.
    await Promise.resolve();
    const { budget, clock } = this.#options;
    let db: RetryingPooledDatabase;
    try {
      db = fresh(await this.#produced(name));
    } catch (error) {
      this.totals.factoryFailures++;
      throw error;
    }
    if (this.#closed) {
      await db.end({ deadline: 0 });
      throw closed();
    }
    const tenant = new Tenant(name, db, partsOf(db).pool, budget, clock.now());
    this.#tenants.set(name, new WeakRef(tenant));
    this.#collected.register(tenant, name);
    this.totals.made++;
    return tenant;
  }

  /** What the factory makes, within its time. What comes later is ended. */
  #produced(name: string): Promise<Made> {
    const { factory, factoryTimeout, clock } = this.#options;
    // Several callers may get it: it belongs to nobody's scope or transaction.
    const making = withoutScope(async () => factory(name));
    if (factoryTimeout === 0) return making;
    return new Promise((resolve, reject) => {
      const late = clock.setDeadline(() => {
        const text = `The factory made no database for a tenant within ${factoryTimeout} ms`;
        reject(new FactoryTimeoutError(text));
        making.then(discard, () => {});
      }, factoryTimeout);
      making.then(resolve, reject).finally(() => late.cancel());
    });
  }
}

function discard(made: Made): void {
  if (made instanceof RetryingPooledDatabase) void made.end({ deadline: 0 });
}

/** @throws {InvalidArgumentError} where the database is somebody else's already. */
function fresh(made: Made): RetryingPooledDatabase {
  if (!(made instanceof RetryingPooledDatabase)) return new RetryingPooledDatabase(made);
  const { pool } = partsOf(made);
  const { created, connecting, waiting } = pool.stats();
  if (!pool.governed && !pool.ended && created + connecting + waiting === 0) return made;
  throw new InvalidArgumentError(
    'factory',
    'must give each tenant a database of its own that was not used yet',
  );
}

function closed(): PoolClosedError {
  return new PoolClosedError('This registry was ended and has no more tenants');
}
