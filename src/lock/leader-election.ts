import { EventEmitter } from 'node:events';
import { LockAcquireTimeoutError, PoolClosedError, checkOptionNames } from '../errors';
import { errorFields } from '../logger';
import type { DistributedLocks } from './distributed-locks';
import type { LockLease } from './lock-lease';
import { checkTtl } from './lock-options';

export interface LeaderElectionOptions {
  /** How long after a leader's death another is elected, in ms. @default 30000 */
  readonly ttl?: number;
  /** What others see of the leader in `locks.holder(name)`. */
  readonly meta?: unknown;
}

export interface LeaderEvents {
  /** This process leads; until `lease.signal` is aborted. */
  elected: [lease: LockLease];
  /** This process leads no more: it resigned, or lost the lock. It goes on campaigning in the latter case. */
  lost: [];
}

/** How long one wait for the lock is, in ms; it is begun anew until the campaign ends. */
const TERM = 60_000;

/** The pause after an attempt that failed, in ms. */
const PAUSE = 1000;

/**
 * One leader among all processes that campaign for the same name: whoever holds its lock. After a
 * leader's end another is elected, at once if it resigned, else within its `ttl`.
 *
 * @example
 * const election = new LeaderElection(locks, 'scheduler');
 * election.on('elected', (lease) => schedule(lease.signal));
 * election.campaign();
 */
export class LeaderElection extends EventEmitter<LeaderEvents> {
  readonly name: string;
  readonly #locks: DistributedLocks;
  readonly #options: LeaderElectionOptions;
  #lease: LockLease | undefined;
  #campaign: { readonly over: AbortController; readonly ended: Promise<void> } | undefined;

  /** @throws {InvalidArgumentError} naming the option and the rule. */
  constructor(locks: DistributedLocks, name: string, options: LeaderElectionOptions = {}) {
    super();
    checkOptionNames('options', options, ['ttl', 'meta']);
    if (options.ttl !== undefined) checkTtl(options.ttl);
    this.name = name;
    this.#locks = locks;
    this.#options = options;
  }

  /** Whether this process leads, by its own clock. */
  get isLeader(): boolean {
    return (this.#lease?.expiresIn ?? 0) > 0;
  }

  /** The leader's lock, with its token and signal, while this process leads. */
  get lease(): LockLease | undefined {
    return this.isLeader ? this.#lease : undefined;
  }

  /** Stands for election, and again after each loss, until {@link resign}. A second call does nothing. */
  campaign(): void {
    if (this.#campaign !== undefined) return;
    const over = new AbortController();
    this.#campaign = { over, ended: this.#stand(over.signal) };
  }

  /** Gives the lead up, and stands no more. Resolves when the lock is given back. */
  async resign(): Promise<void> {
    const campaign = this.#campaign;
    if (campaign === undefined) return;
    this.#campaign = undefined;
    campaign.over.abort();
    await campaign.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign();
  }

  /** Never rejects. */
  async #stand(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        const lease = await this.#locks.acquire(this.name, {
          ...this.#options,
          wait: TERM,
          signal: over,
        });
        await this.#lead(lease, over);
      } catch (error) {
        if (over.aborted || error instanceof LockAcquireTimeoutError) continue;
        // Locks that were closed give nobody the lead any more.
        if (error instanceof PoolClosedError) return;
        this.#locks.logger.warn(errorFields(error), 'an election failed; it is tried again');
        await untilAborted(over, PAUSE);
      }
    }
  }

  async #lead(lease: LockLease, over: AbortSignal): Promise<void> {
    this.#lease = lease;
    this.#tell('elected', lease);
    await untilAborted(AbortSignal.any([lease.signal, over]));
    this.#lease = undefined;
    await lease.release().catch((error: unknown) => {
      this.#locks.logger.warn(
        errorFields(error),
        'the lead could not be given back; it ends by its ttl',
      );
    });
    this.#tell('lost');
  }

  /** A listener that throws does not end the campaign. */
  #tell<K extends keyof LeaderEvents>(event: K, ...args: LeaderEvents[K]): void {
    try {
      (this as EventEmitter).emit(event, ...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** Resolves when the signal is aborted, or `within` ms have passed. */
function untilAborted(signal: AbortSignal, within?: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = within === undefined ? undefined : setTimeout(done, within);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
