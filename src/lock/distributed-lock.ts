import { LockAcquireTimeoutError } from '../errors';
import type { DistributedLocks } from './distributed-locks';
import type { LockLease } from './lock-lease';
import type { AcquireLockOptions, LockOptions } from './lock-options';

/**
 * One name of {@link DistributedLocks}, as an object that is locked and released, for those who are
 * used to that: one holder at a time per object. Where several callers share it, take leases.
 */
export class DistributedLock {
  readonly name: string;
  readonly #locks: DistributedLocks;
  readonly #options: AcquireLockOptions;
  #lease: LockLease | undefined;

  constructor(locks: DistributedLocks, name: string, options: AcquireLockOptions = {}) {
    this.#locks = locks;
    this.name = name;
    this.#options = options;
  }

  /** The lease, while the lock is held through this object. */
  get lease(): LockLease | undefined {
    return (this.#lease?.expiresIn ?? 0) > 0 ? this.#lease : undefined;
  }

  /** Tries once. False where it is held: by somebody else, or through this very object. */
  async acquire(options: LockOptions = {}): Promise<boolean> {
    if (this.lease !== undefined) return false;
    const { wait: _wait, signal: _signal, ...own } = this.#options;
    const lease = await this.#locks.tryAcquire(this.name, { ...own, ...options });
    if (lease === null) return false;
    this.#lease = lease;
    return true;
  }

  /** Waits for it; false where it was not to be had within `wait`. */
  async spinAcquire(options: AcquireLockOptions = {}): Promise<boolean> {
    try {
      this.#lease = await this.#locks.acquire(this.name, { ...this.#options, ...options });
      return true;
    } catch (error) {
      if (error instanceof LockAcquireTimeoutError) return false;
      throw error;
    }
  }

  /** False where it was not held through this object any more. */
  async release(): Promise<boolean> {
    const { lease } = this;
    this.#lease = undefined;
    await lease?.release();
    return lease !== undefined;
  }
}
