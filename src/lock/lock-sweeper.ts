import type { Clock } from '../clock';
import { errorFields, type Logger } from '../logger';
import type { LockTable } from './lock-table';

/** Rows looked at, at a time. */
const BATCH = 500;
/** How often at most, in ms. */
const EVERY = 60_000;
/** How long the deletion of one batch may take, in ms. */
const WITHIN = 1000;

/** Forgets names that nobody has locked for long, some at a time, riding on acquisitions. */
export class LockSweeper {
  readonly #table: LockTable;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #idleAfter: number;
  #nextAt: number;
  #after: Buffer = Buffer.alloc(0);
  #stopped = false;

  /** @param idleAfter in ms; 0 keeps all. */
  constructor(table: LockTable, clock: Clock, logger: Logger, idleAfter: number) {
    this.#table = table;
    this.#clock = clock;
    this.#logger = logger;
    this.#idleAfter = idleAfter;
    this.#nextAt = clock.now() + EVERY * Math.random();
  }

  /** An acquisition has been made: the moment to look, if it is time. */
  ride(): void {
    const now = this.#clock.now();
    if (this.#idleAfter === 0 || this.#stopped || now < this.#nextAt) return;
    this.#nextAt = now + EVERY * (0.5 + Math.random());
    void this.sweep();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** One batch. Never rejects. Resolves to how many names were forgotten. */
  async sweep(): Promise<number> {
    try {
      const { last, idle } = await this.#table.idle(this.#after, this.#idleAfter, BATCH);
      this.#after = last ?? Buffer.alloc(0);
      return idle.length === 0 ? 0 : await this.#table.sweep(idle, this.#idleAfter, WITHIN);
    } catch (error) {
      this.#logger.warn(errorFields(error), 'idle locks were not swept');
      return 0;
    }
  }
}
