import { DistributedLocks, type DistributedLocksOptions } from '../../src/index';
import { installed } from './installed';
import type { Workbench } from './servers';

/** Locks on a workbench: the table is there, and what a test made is closed after it. */
export class LockBench {
  readonly #bench: Workbench;
  readonly #made: DistributedLocks[] = [];

  constructor(bench: Workbench) {
    this.#bench = bench;
    installed(bench);
    afterEach(async () => {
      await Promise.all(this.#made.splice(0).map((locks) => locks.close()));
      await bench.sql(`DELETE FROM ${bench.schema}.boomerang_locks`);
    });
  }

  /** Locks over a pool of their own, as another process would have them. */
  others(options: DistributedLocksOptions = {}): DistributedLocks {
    return this.keep(new DistributedLocks(this.#bench.open(), { pollInterval: 20, ...options }));
  }

  /** Closes these after the test. */
  keep(locks: DistributedLocks): DistributedLocks {
    this.#made.push(locks);
    return locks;
  }
}
