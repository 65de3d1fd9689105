import type { RetryingPooledDatabase } from '../../src/index';
import { resolveOptions, type DatabaseOptions } from '../../src/options';
import { Pool } from '../../src/pool/pool';
import { Budget, type BudgetLimits } from '../../src/tenants/budget';
import { Tenant, type Closing } from '../../src/tenants/tenant';
import { FakeDriver } from './fake-driver';
import { ManualClock } from './manual-clock';
import { RecordingLogger } from './recording-logger';

/** Tenants on fake servers, one each, that share a budget and a clock. */
export class FakeTenants {
  readonly clock = new ManualClock();
  readonly logger = new RecordingLogger();
  readonly budget: Budget;
  /** Which were opened and closed, in order: `+a`, `-a idle`. */
  readonly story: string[] = [];
  /** Called when one was closed. */
  onClosed: (tenant: Tenant, closing: Closing) => void = () => {};
  /** Names that are never closed. */
  readonly kept = new Set<string>();
  /** The most connections there ever were at a time. */
  most = 0;
  readonly drivers = new Map<string, FakeDriver>();
  readonly #tenants: Tenant[] = [];

  constructor(limits: Partial<BudgetLimits>) {
    this.budget = new Budget({ maxOpen: 0, maxConnections: 0, ...limits }, this.clock, {
      isKept: ({ name, users }) => users > 0 || this.kept.has(name),
      opened: ({ name }) => this.story.push(`+${name}`),
      closed: (tenant, closing) => {
        this.story.push(`-${tenant.name} ${closing.reason}`);
        this.onClosed(tenant, closing);
      },
    });
  }

  make(name: string, options: DatabaseOptions = {}): Tenant {
    const driver = new FakeDriver(this.clock);
    driver.everyConnect = () => {
      const open = [...this.drivers.values()].reduce((sum, one) => sum + one.open, 0);
      this.most = Math.max(this.most, open + 1);
      return Promise.resolve();
    };
    const quiet = { validateAfter: 0, keepaliveInterval: 0, maxLifetime: 0, idleTimeout: 0 };
    const resolved = resolveOptions({ ...quiet, ...options });
    const pool = new Pool(driver, resolved, this.clock, this.logger);
    const tenant = new Tenant(
      name,
      Object.create(null) as RetryingPooledDatabase,
      pool,
      this.budget,
      this.clock.now(),
    );
    this.drivers.set(name, driver);
    this.#tenants.push(tenant);
    return tenant;
  }

  /** Takes a connection and gives it back after `ms`. */
  async use(tenant: Tenant, ms = 0): Promise<void> {
    const lease = await tenant.pool.acquire();
    if (ms > 0) await new Promise<void>((resolve) => this.clock.setTimer(resolve, ms));
    await lease.giveBack();
  }

  /** Names of the tenants that have connections, and how many: `a2 b1`. */
  get standing(): string {
    return this.#tenants
      .filter(({ places }) => places > 0)
      .map(({ name, places }) => `${name}${places}`)
      .join(' ');
  }

  /** Ends all; throws where places were not given back. */
  async end(): Promise<void> {
    const endings = this.#tenants.map(({ pool }) => pool.end(0));
    await this.clock.advance(3_600_000);
    await Promise.all(endings);
    const { connections, waiting } = this.budget;
    const { openTimers } = this.clock;
    if (connections !== 0 || openTimers !== 0) {
      throw new Error(`left behind: ${JSON.stringify({ connections, waiting, openTimers })}`);
    }
  }
}
