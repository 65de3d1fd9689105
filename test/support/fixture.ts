import type {
  StatementObject,
  StatementOptions,
  StatementValues,
} from '../../src/driver/statement-arguments';
import type { Result } from '../../src/driver/statement';
import { Observation } from '../../src/metrics/observation';
import { resolveOptions, type DatabaseOptions } from '../../src/options';
import type { Lease } from '../../src/pool/lease';
import { Pool } from '../../src/pool/pool';
import { RetryPolicy } from '../../src/retry/policy';
import { atomic, type AtomicCallback, type AtomicTarget } from '../../src/transaction/atomic';
import type { AtomicOptions } from '../../src/transaction/atomic-options';
import { furtherSlot } from '../../src/transaction/further-slot';
import { addHook, currentFrame } from '../../src/transaction/transaction-block';
import { PooledConnection } from '../../src/transaction/pooled-connection';
import { StatementRouter } from '../../src/transaction/router';
import type { TransactionHost } from '../../src/transaction/transaction';
import { FakeDriver, type FakeDriverOptions } from './fake-driver';
import { ManualClock } from './manual-clock';
import { RecordingLogger } from './recording-logger';

const made: FakeDatabase[] = [];

/**
 * Ends every database a test has made, by force, and looks whether one left a timer behind.
 * For `afterEach`.
 */
export async function endAll(): Promise<void> {
  for (const { pool, clock, driver } of made.splice(0)) {
    const ended = watched(pool.end(0));
    // Whatever still waits comes to its deadline.
    await clock.advance(3_600_000);
    await clock.advance(0);
    const left = { ended: ended.state, timers: clock.openTimers, connections: driver.open };
    if (left.ended !== 'fulfilled' || left.timers > 0 || left.connections > 0) {
      throw new Error(`a database left something behind: ${JSON.stringify(left)}`);
    }
  }
}

/**
 * What `RetryingPooledDatabase` puts together, over the fake driver and the manual clock.
 */
export class FakeDatabase {
  readonly clock = new ManualClock();
  readonly logger = new RecordingLogger();
  readonly observation = new Observation();
  readonly driver: FakeDriver;
  readonly pool: Pool;
  readonly host: TransactionHost;
  readonly #router: StatementRouter;
  readonly #target: AtomicTarget;

  constructor(options: DatabaseOptions = {}, server: FakeDriverOptions = {}) {
    made.push(this);
    // What looks after idle connections is off unless a test asks for it.
    const quiet = { validateAfter: 0, keepaliveInterval: 0, maxLifetime: 0 };
    const resolved = resolveOptions({ ...quiet, ...options });
    this.driver = new FakeDriver(this.clock, server);
    const { clock, logger, observation } = this;
    this.pool = new Pool(this.driver, resolved, clock, logger, {}, observation);
    const { pool } = this;
    const policy = new RetryPolicy(resolved.retry, pool.acquireTimeout, clock, logger, observation);
    this.host = { clock, logger, policy, observation, ...resolved.statement };
    this.#router = new StatementRouter(this.pool, this.host);
    this.#target = {
      key: this.pool,
      slot: (scope) => (scope.root() ?? scope).slotFor(pool, clock),
      further: (scope) => furtherSlot(pool, clock, scope),
    };
  }

  /** `[total, active, idle, waiting]` */
  get numbers(): [number, number, number, number] {
    const { total, active, idle, waiting } = this.pool.stats();
    return [total, active, idle, waiting];
  }

  query<T>(
    sql: string | StatementObject,
    values?: StatementValues,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#router.query<T>(sql, values, options);
  }

  atomic<T>(fn: AtomicCallback<T>, options: string | AtomicOptions = {}): Promise<T> {
    const given = typeof options === 'string' ? { label: options } : options;
    return atomic(this.host, this.#target, fn, given);
  }

  /** Registers a hook on the open frame. */
  hook(kind: 'afterCommit' | 'afterRollback', hook: () => unknown): void {
    addHook(currentFrame(this.pool)!, kind, hook);
  }

  async getConnection(): Promise<PooledConnection> {
    return new PooledConnection(await this.pool.acquire(), this.pool, this.host);
  }

  /** So many leases at once. */
  take(count: number): Promise<Lease[]> {
    return Promise.all(Array.from({ length: count }, () => this.pool.acquire()));
  }

  /** So many idle connections. */
  async fill(count: number): Promise<void> {
    for (const lease of await this.take(count)) await lease.giveBack();
  }
}

/** The reason of a promise that rejects. */
export async function rejection(promise: Promise<unknown>): Promise<any> {
  const [outcome] = await Promise.allSettled([promise]);
  if (outcome.status === 'rejected') return outcome.reason;
  throw new Error('was expected to reject, and resolved');
}

/** Watches a promise without waiting for it. */
export function watched<T>(promise: Promise<T>): {
  readonly promise: Promise<T>;
  state: 'pending' | 'fulfilled' | 'rejected';
  reason: any;
} {
  const seen: ReturnType<typeof watched<T>> = { promise, state: 'pending', reason: undefined };
  promise.then(
    () => (seen.state = 'fulfilled'),
    (reason: unknown) => {
      seen.state = 'rejected';
      seen.reason = reason;
    },
  );
  return seen;
}
