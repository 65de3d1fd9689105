import type { Clock } from '../clock';
import type { Limit } from '../limit';
import type { Pool } from '../pool/pool';
import { Slot } from './slot';

/**
 * One decorated call, `connectionScope` or `atomic` that is under way.
 *
 * Calls nest. The outermost one that is still under way is the scope proper: it holds one lease for
 * each database that was used, for itself and for all calls inside it, and gives them back when it
 * ends. A call that outlives the one it was made in carries on as an outermost one: which call that
 * is, is found anew by each statement.
 */
export class Scope {
  readonly label: string | undefined;
  readonly #limit: Limit | undefined;
  #parent: Scope | undefined;
  #open = true;
  /** One for each database; seldom more than one. */
  #slots: Slot[] | undefined;

  /** @param limit its own, inside the one around it; that one where it has none of its own. */
  constructor(within: Scope | undefined, label: string | undefined, limit?: Limit) {
    this.label = label;
    this.#parent = Scope.nearestOpen(within);
    this.#limit = limit ?? this.#parent?.limit;
  }

  /**
   * What bounds the statements issued here. Late work is bounded by what is still under way; where the
   * scope ended by its limit, by that: nothing more is run.
   */
  get limit(): Limit | undefined {
    return this.#open || this.#limit?.hit === true
      ? this.#limit
      : Scope.nearestOpen(this.#parent)?.limit;
  }

  /** The outermost call under way that this one is part of; `undefined` when all are over. */
  root(): Scope | undefined {
    let outermost: Scope | undefined = this.#open ? this : undefined;
    for (let scope = this.#parent; scope !== undefined; scope = scope.#parent) {
      if (scope.#open) outermost = scope;
    }
    return outermost;
  }

  /** This scope's share of a database, if any statement has used it. Ask the {@link root}. */
  slotOf(pool: Pool): Slot | undefined {
    return this.#slots?.find((slot) => slot.pool === pool);
  }

  /** The same, made if there is none. */
  slotFor(pool: Pool, clock: Clock): Slot {
    const found = this.slotOf(pool);
    if (found !== undefined) return found;
    const slot = new Slot(pool, clock, this);
    this.#add(slot);
    return slot;
  }

  /** Takes over a slot that a transaction of this scope still uses. */
  adopt(slot: Slot): void {
    this.#slots = this.#slots?.filter(({ pool }) => pool !== slot.pool);
    this.#add(slot);
  }

  #add(slot: Slot): void {
    if (this.#slots === undefined) this.#slots = [slot];
    else this.#slots.push(slot);
  }

  /**
   * Ends this call. If it is the outermost: waits for statements still running, looks again, then
   * closes the scope and gives its leases back. Never rejects.
   */
  leave(): Promise<void> | undefined {
    if (this.#slots === undefined || this.root() !== this) {
      this.#close();
      return undefined;
    }
    return this.#slots.some(isBusy) ? this.#drain() : this.#handBack();
  }

  /**
   * Ends a call whose holder was garbage-collected: an async generator that nobody iterates any more.
   * What it held is reported as a leak.
   */
  abandon(): void {
    if (this.root() === this) {
      for (const slot of this.#slots ?? []) if (slot.lane.free) slot.reclaim();
    }
    void this.leave();
  }

  /**
   * Looks twice and no more: a loop nobody awaits that issues one statement after the other must not
   * keep its scope open for ever. What it issues after the second look is late work.
   */
  async #drain(): Promise<void> {
    const busy = this.#slots?.filter(isBusy) ?? [];
    await Promise.all(busy.map(({ lane }) => lane.passed()));
    await this.#handBack();
  }

  /** Closes the scope, then gives back each lease once what was issued before has run. */
  #handBack(): Promise<void> | undefined {
    const slots = this.#slots ?? [];
    this.#close();
    const [only] = slots;
    if (slots.length === 1 && only !== undefined) return settle(only);
    const returns = slots.map((slot) => settle(slot)).filter((returned) => returned !== undefined);
    return returns.length === 0 ? undefined : Promise.all(returns).then(() => undefined);
  }

  #close(): void {
    this.#open = false;
    this.#slots = undefined;
    // A chain of calls each of which outlives the last must not hold all its ancestors in memory.
    this.#parent = Scope.nearestOpen(this.#parent);
  }

  static readonly nearestOpen = (scope: Scope | undefined): Scope | undefined => {
    let found = scope;
    while (found !== undefined && !found.#open) found = found.#parent;
    return found;
  };
}

function isBusy({ lane }: Slot): boolean {
  return !lane.free && lane.block === undefined;
}

/** Gives a closed scope's lease back, or leaves it to the transaction that nobody awaited. */
function settle(slot: Slot): Promise<void> | undefined {
  const { lane } = slot;
  if (lane.block !== undefined) {
    // It goes on, and the lease with it.
    lane.block.adopt(slot);
    return undefined;
  }
  if (lane.free) return slot.giveBack();
  return lane.run(async () => slot.giveBack()).catch(() => lane.block?.adopt(slot));
}
