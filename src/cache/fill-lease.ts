import type { Clock, Timer } from '../clock';
import type { RetryingPooledDatabase } from '../database';
import { errorFields, type Logger } from '../logger';
import type { CacheKey } from './cache-key';
import type { CacheRows } from './cache-rows';
import type { Entry } from './entry';
import { newVersion } from './entry-writer';

/** When a lease is renewed, as a share of its length. */
const RENEW_AT = 1 / 3;

export interface LeaseGround {
  readonly db: RetryingPooledDatabase;
  readonly table: CacheRows;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The right to make one value, which one process in the world has. It is renewed until it is ended; of
 * a process that died it runs out. It guards nothing by itself: what was made is stored only while the
 * row still names this filler, and a deletion or another value takes the name away.
 */
export class FillLease {
  readonly #ground: LeaseGround;
  readonly #key: CacheKey;
  readonly #filler: Buffer;
  readonly #ms: number;
  #timer: Timer | undefined;

  private constructor(ground: LeaseGround, key: CacheKey, filler: Buffer, ms: number) {
    this.#ground = ground;
    this.#key = key;
    this.#filler = filler;
    this.#ms = ms;
    this.#renewLater();
  }

  /** `undefined` where somebody else has it, or the value is not that of version `seen` any more. */
  static async take(
    ground: LeaseGround,
    key: CacheKey,
    seen: Buffer | null,
    ms: number,
  ): Promise<FillLease | undefined> {
    const filler = newVersion();
    const taken = await ground.table.lease(key, seen, filler, ms);
    return taken ? new FillLease(ground, key, filler, ms) : undefined;
  }

  /** Stores the value and ends the lease. False where it was overtaken. */
  store(entry: Entry, cost: number): Promise<boolean> {
    this.stopRenewing();
    return this.#ground.table.fill(entry, this.#filler, newVersion(), cost);
  }

  /** Ends the lease without a value: the next one who asks may make it. Never rejects. */
  async giveUp(): Promise<void> {
    this.stopRenewing();
    await this.#reported('a fill lease could not be given back; it runs out by itself', () =>
      this.#ground.table.giveUp(this.#key, this.#filler),
    );
  }

  /** From here on it runs out, unless what it was taken for comes first. */
  stopRenewing(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #renewLater(): void {
    this.#timer = this.#ground.clock.setTimer(() => void this.#renew(), this.#ms * RENEW_AT);
  }

  async #renew(): Promise<void> {
    const timer = this.#timer;
    const still = await this.#reported('a fill lease was not renewed', () =>
      this.#ground.table.renew(this.#key, this.#filler, this.#ms),
    );
    // Where the answer failed to come it is tried again; where it is lost there is nothing to renew.
    if (this.#timer === timer && still !== false) this.#renewLater();
  }

  async #reported<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#ground.logger.warn(errorFields(error), what);
      return undefined;
    }
  }
}
