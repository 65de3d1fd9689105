import { settledWithin, type Clock } from '../clock';
import type { Logger } from '../logger';
import type { Budget } from './budget';
import type { CloseHooks } from './close-hooks';
import type { SweepSummary } from './registry-stats';
import type { Tenant } from './tenant';

/** How long the closing of one tenant is waited for, in ms; it goes on behind that. */
const PATIENCE = 5000;

/** How many tenants are closed at a time: a dead network must not make a sweep last for ever. */
const AT_ONCE = 8;

type Verdict = 'active' | 'recent' | 'protected' | 'candidate';

export interface TenantSweepOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly budget: Budget;
  readonly hooks: CloseHooks;
  /** ms */
  readonly idleAfter: number;
  readonly isProtected: (tenant: string) => boolean;
}

/**
 * Closes the tenants that nobody used for a while. Each is looked at again right before it is closed,
 * in the same breath; one that fails, or takes long, does not stop the others.
 */
export class TenantSweep {
  readonly #options: TenantSweepOptions;
  #running: Promise<SweepSummary> | undefined;

  constructor(options: TenantSweepOptions) {
    this.#options = options;
  }

  /** Whoever asks while one is under way gets that one's outcome. Never rejects. */
  run(): Promise<SweepSummary> {
    this.#running ??= this.#all().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #all(): Promise<SweepSummary> {
    const { clock, logger, budget, hooks } = this.#options;
    const begun = clock.now();
    const counts = { evaluated: 0, active: 0, protected: 0, closed: 0, spared: 0, failed: 0 };
    const candidates: Tenant[] = [];
    for (const tenant of budget.open) {
      if (tenant.state !== 'open') continue;
      counts.evaluated++;
      const verdict = this.#verdictOn(tenant);
      if (verdict === 'candidate') candidates.push(tenant);
      else if (verdict !== 'recent') counts[verdict]++;
    }
    const left = candidates.values();
    const lane = async (): Promise<void> => {
      for (const tenant of left) counts[await this.#close(tenant)]++;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    await hooks.settled();
    const summary = Object.freeze(counts);
    logger.info({ ...summary, elapsed: Math.round(clock.now() - begun) }, 'tenants swept');
    return summary;
  }

  #verdictOn(tenant: Tenant): Verdict {
    const { clock, idleAfter, isProtected } = this.#options;
    if (tenant.isActive) return 'active';
    if (clock.now() - tenant.usedAt < idleAfter) return 'recent';
    return isProtected(tenant.name) ? 'protected' : 'candidate';
  }

  async #close(tenant: Tenant): Promise<'closed' | 'spared' | 'failed'> {
    const { clock, budget, hooks } = this.#options;
    // Nothing can come between this look and the closing.
    if (tenant.state !== 'open' || this.#verdictOn(tenant) !== 'candidate') return 'spared';
    const closing = budget.close(tenant, 'idle');
    await settledWithin(clock, PATIENCE, closing.done);
    // Begun by now, unless it did not come to its end.
    hooks.begin(tenant.name, closing);
    return tenant.closing === closing ? 'failed' : 'closed';
  }
}
