import fc from 'fast-check';
import type { PooledConnection } from '../../src/transaction/pooled-connection';
import type { RetryingPooledDatabase } from '../../src/index';
import { onEachServer, type Workbench } from '../support/servers';
import { longForm } from '../support/long-form';
import { until } from '../support/until';

const PROPERTY = longForm<{ numRuns: number; seed?: number }>('BOOMERANG_PROPERTY', {
  numRuns: 30,
});

/** What may happen to a pool. Each step is taken when the one before has settled. */
type Step =
  | { readonly do: 'acquire' | 'cancel' | 'evict' | 'statement' }
  | { readonly do: 'release' | 'releaseAgain' | 'kill' | 'destroy'; readonly which: number }
  | { readonly do: 'resize'; readonly limit: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ do: 'acquire' }) },
  fc.constantFrom<Step>({ do: 'cancel' }, { do: 'evict' }, { do: 'statement' }),
  fc.record({
    do: fc.constantFrom('release', 'release', 'releaseAgain', 'kill', 'destroy'),
    which: fc.nat(9),
  }) as fc.Arbitrary<Step>,
  fc.record({ do: fc.constant('resize' as const), limit: fc.integer({ min: 1, max: 5 }) }),
);

/** The pool under test, and what it must look like. */
class Trial {
  readonly held: PooledConnection[] = [];
  readonly returned: PooledConnection[] = [];
  #limit = 3;
  #acquired = 0;

  constructor(
    readonly db: RetryingPooledDatabase,
    readonly bench: Workbench,
  ) {}

  async take(step: Step): Promise<void> {
    const { db } = this;
    switch (step.do) {
      case 'acquire':
        if (this.held.length >= this.#limit) {
          await expect(db.getConnection()).rejects.toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
        } else {
          this.held.push(await db.getConnection());
          this.#acquired++;
        }
        return;
      case 'cancel':
        await expect(
          db.getConnection({ signal: AbortSignal.abort(new Error('no')) }),
        ).rejects.toThrow('no');
        return;
      case 'evict':
        db.evictAll();
        return;
      case 'statement':
        if (this.held.length >= this.#limit) return;
        await db.query('DO 0', [], { idempotent: true });
        // A repeat after a kill takes a second lease: the totals tell how many it were.
        this.#acquired = db.stats().acquired;
        return;
      case 'resize':
        this.#limit = step.limit;
        db.resize({ connectionLimit: step.limit });
        return;
      default:
        await this.#toOne(step.do, step.which);
    }
  }

  async #toOne(
    action: 'release' | 'releaseAgain' | 'kill' | 'destroy',
    which: number,
  ): Promise<void> {
    const from = action === 'releaseAgain' ? this.returned : this.held;
    const connection = from[which % Math.max(from.length, 1)];
    if (connection === undefined) return;
    if (action === 'kill') {
      // What is killed stays out until its borrower returns it.
      await this.bench.sql(`KILL CONNECTION ${connection.threadId}`).catch(() => undefined);
      return;
    }
    if (action === 'destroy') connection.destroy();
    else await connection.release();
    if (action === 'releaseAgain') return;
    this.held.splice(this.held.indexOf(connection), 1);
    this.returned.push(connection);
  }

  check(): void {
    const { total, active, idle, waiting, acquired, released, created, destroyed } =
      this.db.stats();
    expect({ active, waiting, acquired }).toEqual({
      active: this.held.length,
      waiting: 0,
      acquired: this.#acquired,
    });
    expect(total).toBe(active + idle);
    expect(acquired - released).toBe(active);
    expect(created - destroyed).toBe(total);
    expect(idle).toBeLessThanOrEqual(Math.max(0, this.#limit - active));
  }

  async finish(): Promise<void> {
    for (const connection of this.held.splice(0)) await connection.release();
    this.check();
    // Killed idle ones are noticed as their sockets close.
    await until('pool and server agree', async () => {
      const sessions = await this.bench.sessions();
      return sessions.length === this.db.stats().total + this.db.stats().connecting;
    });
    await this.db.end();
    await until('nothing is left', async () => (await this.bench.sessions()).length === 0);
  }
}

onEachServer((bench) => {
  it('whatever is done in whatever order: the numbers are a model’s at every step, and PROCESSLIST’s at rest', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const db = bench.open({
          connectionLimit: 3,
          // An acquire that cannot be served fails at once; one that can has time to connect.
          waitForConnections: false,
          acquireTimeout: 20_000,
          // As many as may be idle and lost without the pool having been told yet.
          retry: { attempts: 10, minDelay: 0, maxDelay: 0 },
        });
        const trial = new Trial(db, bench);
        try {
          for (const one of steps) {
            await trial.take(one);
            trial.check();
          }
          await trial.finish();
        } finally {
          // What a failed history leaves behind must not fail the next.
          await db.end({ deadline: 0 });
        }
      }),
      PROPERTY,
    );
  }, 3_600_000);
});
