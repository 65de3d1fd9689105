import fc from 'fast-check';
import {
  DistributedLocks,
  LockAcquireTimeoutError,
  LockLostError,
  type LockLease,
  type RetryingPooledDatabase,
} from '../../src/index';
import { LockBench } from '../support/lock-bench';
import {
  CLIENTS,
  LockModel,
  NAMES,
  lockHistory,
  type LockEnd,
  type LockStep,
} from '../support/lock-model';
import { longForm } from '../support/long-form';
import { onEachServer, type Workbench } from '../support/servers';
import { until } from '../support/until';

const PROPERTY = longForm<{ numRuns: number; seed?: number }>('BOOMERANG_LOCK_MODEL', {
  numRuns: 150,
});

/** Of the locks in ms: none is renewed by itself, or ends, before a history is over. */
const TTL = 600_000;

/** Does to locks what the model does to two rows. */
class Trial {
  readonly #bench: Workbench;
  readonly #clients: { readonly db: RetryingPooledDatabase; readonly locks: DistributedLocks }[];
  readonly #leases = new Map<string, LockLease>();
  /** Every token that was given, by name. */
  readonly tokens = new Map<string, bigint[]>(NAMES.map((name) => [name, []]));

  constructor(bench: Workbench, databases: readonly RetryingPooledDatabase[]) {
    this.#bench = bench;
    this.#clients = databases.map((db) => ({ db, locks: new DistributedLocks(db, { ttl: TTL }) }));
  }

  async run({ do: what, client, name }: LockStep): Promise<LockEnd> {
    const { locks, db } = this.#clients[client]!;
    const key = `${client} ${name}`;
    const lease = this.#leases.get(key);
    try {
      switch (what) {
        case 'tryAcquire':
          return this.#got(key, name, await locks.tryAcquire(name));
        case 'acquire':
          return this.#got(key, name, await locks.acquire(name, { wait: 0 }));
        case 'forceRelease':
          return (await locks.forceRelease(name)) ? 'done' : 'refused';
        case 'expire':
          await this.#bench.sql(
            `UPDATE ${this.#bench.schema}.boomerang_locks SET expires_at = UTC_TIMESTAMP(6) WHERE name = ?`,
            [name],
          );
          return 'done';
        default:
          if (lease === undefined) return 'nothing';
          if (what === 'assertHeld') await this.#write(db, lease);
          else if (what === 'extend') await lease.extend();
          else await lease.release();
          return 'done';
      }
    } catch (error) {
      if (error instanceof LockLostError) return 'lost';
      if (error instanceof LockAcquireTimeoutError) return 'refused';
      throw error;
    }
  }

  async isLocked(name: string): Promise<boolean> {
    return this.#clients[0]!.locks.isLocked(name);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(({ locks }) => locks.close()));
  }

  async #write(db: RetryingPooledDatabase, lease: LockLease): Promise<void> {
    await db.atomic(async () => {
      await db.query('UPDATE notes SET text = text + 1 WHERE id = 1');
      await lease.assertHeld();
    });
    const { deadline } = lease;
    // It is renewed at once, which the steps that follow are not to meet half-way.
    await until('it is renewed', () => lease.deadline > deadline);
  }

  #got(key: string, name: string, lease: LockLease | null): LockEnd {
    if (lease === null) return 'refused';
    this.#leases.set(key, lease);
    this.tokens.get(name)!.push(lease.token);
    return 'got';
  }
}

onEachServer((bench) => {
  new LockBench(bench);

  it('whatever three clients do in whatever order: one holder at a time, growing tokens, and no write of a stale one', async () => {
    const databases = Array.from({ length: CLIENTS }, () => bench.open({ connectionLimit: 2 }));
    const table = `${bench.schema}.notes`;
    const ends = new Set<string>();
    await fc.assert(
      fc.asyncProperty(lockHistory, async (steps) => {
        await bench.sql(`DELETE FROM ${bench.schema}.boomerang_locks`);
        await bench.sql(`REPLACE INTO ${table} VALUES (1, '0')`);
        const model = new LockModel();
        const trial = new Trial(bench, databases);
        for (const step of steps) {
          const expected = model.run(step);
          ends.add(`${step.do} ${expected}`);
          expect([step, await trial.run(step)]).toEqual([step, expected]);
          expect(await trial.isLocked(step.name)).toBe(model.isLocked(step.name));
        }
        for (const tokens of trial.tokens.values()) {
          expect(tokens.every((token, at) => at === 0 || token > tokens[at - 1]!)).toBe(true);
        }
        expect(await bench.sql(`SELECT text FROM ${table}`)).toEqual([
          { text: String(model.writes) },
        ]);
        await trial.close();
      }),
      PROPERTY,
    );
    // The histories came to where it matters.
    for (const end of ['assertHeld done', 'assertHeld lost', 'extend lost', 'acquire refused']) {
      expect(ends).toContain(end);
    }
  }, 3_600_000);
});
