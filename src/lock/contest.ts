import type { Clock, Timer } from '../clock';
import { explain } from '../driver/explain';
import { PoolExhaustedError, StatementAbortedError, StatementTimeoutError } from '../errors';
import { Limit } from '../limit';
import type { Claim, HolderRow, LockTable } from './lock-table';
import { newOwner } from './owner';

/** How long one statement that contends may take, in ms: a transaction that asserts has the row locked. */
export const CONTEND = 500;
/** After how long it is looked whether that is so, in ms. */
const PEEK = 30;
/** How long a read of the row may take, in ms: it waits for no lock, so the network is dead. */
const READ = 1000;

export interface Won {
  readonly claim: Claim;
  /** When the statement that took it was sent, by the clock. */
  readonly sentAt: number;
}

/** Attempts to take a name, one statement each. */
export class Contest {
  readonly #table: LockTable;
  readonly #clock: Clock;
  readonly #pollInterval: number;

  constructor(table: LockTable, clock: Clock, pollInterval: number) {
    this.#table = table;
    this.#clock = clock;
    this.#pollInterval = pollInterval;
  }

  /**
   * One attempt; `undefined` where somebody else has the name. What is not known after it is read
   * back from the row: a lost answer may have been a yes.
   *
   * @param patience how long it may wait for a connection, in ms, within `acquireTimeout`.
   */
  async once(
    name: Buffer,
    ttl: number,
    note: Buffer,
    patience = Infinity,
  ): Promise<Won | undefined> {
    const owner = newOwner();
    const sentAt = this.#clock.now();
    const won = (token: number): Won | undefined =>
      token === 0 ? undefined : { claim: { name, owner, token }, sentAt };
    try {
      return won(await this.#insert(name, owner, ttl, note, patience));
    } catch (error) {
      const holder = await this.#settle(name, owner, error as Error);
      return won(holder?.owner.equals(owner) === true ? holder.token : 0);
    }
  }

  /**
   * Who has the name after an attempt of which the answer is not known. One that was called off has
   * met a row that is locked: somebody holds the name, whatever can be read of it.
   *
   * @throws the attempt's error, where nothing can be said.
   */
  async #settle(name: Buffer, owner: Buffer, error: Error): Promise<HolderRow | undefined> {
    if (error.cause instanceof PoolExhaustedError) throw error.cause;
    const cutOff = error instanceof StatementTimeoutError || error instanceof StatementAbortedError;
    // Certainly not run: there is nothing to read back.
    if (!cutOff && explain(error).statement === 'safe') throw error;
    let holder: HolderRow | undefined;
    let known = true;
    try {
      holder = await this.#table.holder(name, READ);
    } catch {
      known = false;
    }
    if (holder?.owner.equals(owner) === true) return holder;
    if (!cutOff || error.outcome === 'unknown') {
      // Should it still be on its way to the server, nobody is to wait for its end.
      void this.#table.withdraw({ name, owner }, CONTEND).catch(() => {});
    }
    if (!cutOff || !known) throw error;
    return holder;
  }

  /** While a transaction that asserts the lock has its row locked, the statement waits: it is called off. */
  async #insert(
    name: Buffer,
    owner: Buffer,
    ttl: number,
    note: Buffer,
    patience: number,
  ): Promise<number> {
    const limit = new Limit(this.#clock, { kind: 'statement' }, {});
    const begun = this.#clock.now();
    let seenAt: number | undefined;
    let timer: Timer | undefined;
    let over = false;
    const look = async (): Promise<void> => {
      const now = this.#clock.now();
      if (!limit.hasListeners) {
        // It still waits for a connection.
        if (now - begun >= patience) limit.callOff();
        else arm();
        return;
      }
      seenAt ??= now;
      const left = seenAt + CONTEND - now;
      // Behind others who wait for a connection it would only make them wait longer.
      const isHeld =
        left <= 0 || (!this.#table.hasToWait && (await this.#table.remaining(name, left)) > 0);
      if (isHeld) limit.callOff();
      else arm();
    };
    const arm = (): void => {
      if (over) return;
      timer = this.#clock.setTimer(() => void look().catch(() => limit.callOff()), PEEK);
    };
    arm();
    try {
      return await this.#table.acquire(name, owner, ttl, note, limit);
    } finally {
      over = true;
      timer?.cancel();
      limit.end();
    }
  }

  /** Gives a claim that still holds to another owner of this process; `undefined` where it had ended. */
  async handOver(
    claim: Claim,
    ttl: number,
    note: Buffer,
    within: number,
  ): Promise<Won | undefined> {
    const { name } = claim;
    const owner = newOwner();
    const sentAt = this.#clock.now();
    try {
      const token = await this.#table.handOver(claim, owner, ttl, note, within);
      return token === 0 ? undefined : { claim: { name, owner, token }, sentAt };
    } catch (error) {
      void this.#table.withdraw({ name, owner }, CONTEND).catch(() => {});
      throw error;
    }
  }

  /** How long to wait before the next attempt, in ms: about the poll interval, never past the holder's end. */
  async pause(name: Buffer): Promise<number> {
    const remaining = await this.#table.remaining(name, READ);
    const jittered = this.#pollInterval * (0.5 + Math.random());
    // Free by now: whoever looks first has it, and not all are to look at once.
    return remaining === 0 ? Math.random() * 5 : Math.min(remaining, jittered);
  }
}
