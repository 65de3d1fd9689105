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
  #slots: Map<Pool, Slot> | undefined;

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
    return this.#slots?.get(pool);
  }

  /** The same, made if there is none. */
  slotFor(pool: Pool, clock: Clock): Slot {
    this.#slots ??= new Map();
    let slot = this.#slots.get(pool);
    if (slot === undefined) {
      slot = new Slot(pool, clock, this);
      this.#slots.set(pool, slot);
    }
    return slot;
  }

  /** Takes over a slot that a transaction of this scope still uses. */
  adopt(slot: Slot): void {
    this.#slots ??= new Map();
    this.#slots.set(slot.pool, slot);
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
    return this.#busySlots().length === 0 ? this.#handBack() : this.#drain();
  }

  /**
   * Ends a call whose holder was garbage-collected: an async generator that nobody iterates any more.
   * What it held is reported as a leak.
   */
  abandon(): void {
    if (this.root() === this) {
      for (const slot of this.#slots?.values() ?? []) if (slot.lane.free) slot.reclaim();
    }
    void this.leave();
  }

  /**
   * Looks twice and no more: a loop nobody awaits that issues one statement after the other must not
   * keep its scope open for ever. What it issues after the second look is late work.
   */
  async #drain(): Promise<void> {
    await Promise.all(this.#busySlots().map(({ lane }) => lane.passed()));
    await this.#handBack();
  }

  #busySlots(): Slot[] {
    return [...(this.#slots?.values() ?? [])].filter(
      ({ lane }) => !lane.free && lane.block === undefined,
    );
  }

  /** Closes the scope, then gives back each lease once what was issued before has run. */
  #handBack(): Promise<void> | undefined {
    const slots = [...(this.#slots?.values() ?? [])];
    this.#close();
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
