import { detached } from '../async-context';
import type { Clock } from '../clock';
import type { PoolEntry } from '../pool/entry';
import type { CloseReason } from './registry-options';
import type { Closing, Tenant } from './tenant';
import { WaitingLine } from './waiting-line';

/**
 * How long, in ms, a tenant keeps a place that its own callers ask for while others wait for it: short
 * enough that 100 tenants take their turns on 10 places within the default `acquireTimeout`.
 */
export const TURN = 100;
/** Where opening a connection takes long, turns are so many times as long, or most would go into that. */
const OPENINGS_IN_TURN = 4;
const LONGEST_TURN = 500;

export interface BudgetLimits {
  /** 0 is no bound. */
  readonly maxOpen: number;
  /** 0 is no bound. */
  readonly maxConnections: number;
}

export interface BudgetListener {
  /** Never closed to make room, and not before its turn is over: in use, or protected. */
  isKept(tenant: Tenant): boolean;
  opened(tenant: Tenant): void;
  /** The last connection of a tenant that was being closed is gone. */
  closed(tenant: Tenant, closing: Closing): void;
}

/**
 * What all tenants share: how many may be open, and how many connections they may have in all.
 *
 * A place is taken before a connection is opened and given back when its session is over, so there
 * are never more. A tenant that finds none stands in line; its callers wait in its own pool, by their
 * own deadlines. Room is made for it in this order: an idle connection, or a whole idle tenant, unused
 * for longest, is closed; a connection that comes back and that nobody of its tenant waits for is
 * closed; where tenants have callers waiting all the time they take turns (round robin in slices of
 * {@link TURN}), so that nobody is shut out by others who are always busy.
 */
export class Budget {
  readonly #maxOpen: number;
  readonly #maxConnections: number;
  readonly #clock: Clock;
  readonly #listener: BudgetListener;
  /** Open, or closing: the longest open first. */
  readonly #open = new Set<Tenant>();
  readonly #line = new WaitingLine();
  readonly #draining = new Set<Tenant>();
  #connections = 0;
  #closing = 0;
  /** Connections that are being closed for those in line. */
  #coming = 0;
  /** How long opening a connection takes, in ms; the last ones count most. */
  #opening = 0;
  /** Who was called up, and takes the next place whoever else waits. */
  #called: Tenant | undefined;

  constructor(limits: BudgetLimits, clock: Clock, listener: BudgetListener) {
    this.#maxOpen = limits.maxOpen || Infinity;
    this.#maxConnections = limits.maxConnections || Infinity;
    this.#clock = clock;
    this.#listener = listener;
  }

  /** The open tenants, those on their way out included. */
  get open(): ReadonlySet<Tenant> {
    return this.#open;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Tenants whose callers wait for a place. */
  get waiting(): number {
    return this.#line.size;
  }

  enter(tenant: Tenant): boolean {
    if (tenant === this.#called) {
      // One place for each turn in line.
      this.#called = undefined;
      this.#take(tenant);
      return true;
    }
    const ahead = tenant.state === 'open' ? this.#line.ready : this.#line.size;
    if (ahead === 0 && this.#fits(tenant)) {
      this.#take(tenant);
      return true;
    }
    // What is only to be kept ready (`minIdle`) waits for nobody's place.
    if (tenant.pool.numbers.waiting > 0) {
      this.#line.add(tenant);
      this.#serve();
    }
    return false;
  }

  leave(tenant: Tenant): void {
    tenant.places--;
    this.#connections--;
    if (tenant.promised > 0) {
      tenant.promised--;
      this.#coming--;
    }
    this.#settle(tenant);
    this.#serve();
  }

  /** Whether a connection that has just become free is to be closed for somebody else. */
  yields(tenant: Tenant, entry: PoolEntry): boolean {
    this.#noteTurn(tenant, entry);
    // Somebody was served in the middle of the closing: it goes on.
    if (tenant.state === 'closing') return true;
    if (this.#line.size === 0 || this.#listener.isKept(tenant)) return false;
    if (tenant.drain !== undefined) return this.#comes(tenant, 1);
    const { active, waiting } = tenant.pool.numbers;
    if (this.#openingsWanted() > 0) {
      if (active === 0 && waiting === 0) {
        this.close(tenant, 'displaced');
        return true;
      }
      if (this.#turnIsOver(tenant.turnSince)) {
        this.#drain(tenant);
        return this.#comes(tenant, 1);
      }
    }
    if (this.#placesWanted() === 0) return false;
    if (waiting === 0) return this.#comes(tenant, 1);
    return this.#turnIsOver(entry.bornAt) && this.#isRicher(tenant) && this.#comes(tenant, 1);
  }

  /** Something that kept a tenant open does so no more. */
  review(): void {
    if (this.#line.size > 0) this.#makeRoom();
  }

  /**
   * Closes what a tenant has idle, and all that becomes idle. Done when its last connection is
   * gone, after which it is open no more.
   *
   * @returns the closing that is under way, if there is one.
   */
  close(tenant: Tenant, reason: CloseReason): Closing {
    if (tenant.closing !== undefined) return tenant.closing;
    let resolve = (): void => {};
    const done = new Promise<void>((settled) => (resolve = settled));
    const closing = { reason, done, resolve };
    if (tenant.state === 'closed') {
      resolve();
      return closing;
    }
    tenant.closing = closing;
    tenant.state = 'closing';
    this.#closing++;
    this.#endDrain(tenant);
    this.#line.moved(tenant);
    this.#comes(tenant, tenant.places);
    // Only the places tell: the sessions may be over before or after what this promise waits for.
    void tenant.pool.rest();
    this.#settle(tenant);
    // Without connections it is closed by now, and its place free.
    if (tenant.closing === undefined) this.#serve();
    return closing;
  }

  refusalOf(tenant: Tenant): string | undefined {
    if (!this.#line.has(tenant)) return undefined;
    const what =
      tenant.state !== 'open' && this.#open.size >= this.#maxOpen
        ? `as many databases as may be open (maxOpen ${this.#maxOpen})`
        : `as many connections as there may be (maxConnections ${this.#maxConnections})`;
    return (
      `The registry of tenants has ${what}, and none was to spare: keep work short, close what ` +
      'use() and protect() keep open, or raise the bound.'
    );
  }

  #fits(tenant: Tenant): boolean {
    if (this.#connections >= this.#maxConnections) return false;
    if (tenant.state === 'open') return tenant.drain === undefined;
    return tenant.state === 'closed' && this.#open.size < this.#maxOpen;
  }

  #take(tenant: Tenant): void {
    this.#connections++;
    tenant.places++;
    if (tenant.state === 'open') return;
    tenant.state = 'open';
    tenant.openedAt = this.#clock.now();
    tenant.turnSince = undefined;
    this.#open.add(tenant);
    detached(() => this.#listener.opened(tenant));
  }

  /** After a place was given back: a tenant that was on its way out may have arrived. */
  #settle(tenant: Tenant): void {
    if (tenant.places === 0 && tenant.drain !== undefined) {
      this.close(tenant, 'displaced');
    } else if (tenant.places === 0 && tenant.closing !== undefined) {
      const { closing } = tenant;
      tenant.closing = undefined;
      tenant.state = 'closed';
      this.#closing--;
      this.#open.delete(tenant);
      closing.resolve();
      detached(() => this.#listener.closed(tenant, closing));
    }
    this.#line.moved(tenant);
  }

  /** Gives places to those in line, as long as there are, and sees to it that there will be. */
  #serve(): void {
    do {
      this.#callUp();
    } while (this.#endNeedlessDrains());
    this.#makeRoom();
  }

  #callUp(): void {
    while (this.#connections < this.#maxConnections) {
      const next = this.#line.next({ opening: this.#open.size < this.#maxOpen });
      if (next === undefined) return;
      this.#line.delete(next);
      this.#called = next;
      next.pool.poke();
      this.#called = undefined;
    }
  }

  /** How many tenants have to be closed for those in line, beside those that are on their way out. */
  #openingsWanted(): number {
    const free = this.#maxOpen - this.#open.size + this.#closing + this.#draining.size;
    return Math.max(0, this.#line.unopened - free);
  }

  /** How many connections have to be closed for those in line, beside those that are being closed. */
  #placesWanted(): number {
    const openings = this.#maxOpen - this.#open.size + this.#closing;
    const able = this.#line.ready + Math.min(this.#line.unopened, openings);
    return Math.max(0, able - (this.#maxConnections - this.#connections) - this.#coming);
  }

  /** Closes what is idle for those in line. */
  #makeRoom(): void {
    if (this.#line.size === 0) return;
    for (let wanted = this.#openingsWanted(); wanted > 0; wanted--) {
      const idle = this.#longestUnused((tenant) => !tenant.isActive);
      if (idle === undefined) break;
      this.close(idle, 'displaced');
    }
    for (let wanted = this.#placesWanted(); wanted > 0; wanted--) {
      const rich = this.#longestUnused(({ pool }) => pool.numbers.idle > 0);
      if (rich === undefined) break;
      this.#comes(rich, rich.pool.closeIdle(1));
    }
  }

  #longestUnused(fits: (tenant: Tenant) => boolean): Tenant | undefined {
    let found: Tenant | undefined;
    for (const tenant of this.#open) {
      if (tenant.state !== 'open' || (found !== undefined && found.usedAt <= tenant.usedAt))
        continue;
      if (fits(tenant) && !this.#listener.isKept(tenant)) found = tenant;
    }
    return found;
  }

  #isRicher(tenant: Tenant): boolean {
    const next = this.#line.next({ opening: this.#open.size < this.#maxOpen });
    // Taking from one to give to one that has as many would go on for ever.
    return next !== undefined && (next.places === 0 || next.places + 1 < tenant.places);
  }

  /** A turn begins with a connection at hand: one that takes long to open serves somebody all the same. */
  #noteTurn(tenant: Tenant, { bornAt }: PoolEntry): void {
    if (tenant.turnSince !== undefined) return;
    tenant.turnSince = this.#clock.now();
    if (tenant.openedAt === undefined) return;
    this.#opening += (bornAt - tenant.openedAt - this.#opening) / 8;
    tenant.openedAt = undefined;
  }

  get #turn(): number {
    return Math.min(LONGEST_TURN, Math.max(TURN, this.#opening * OPENINGS_IN_TURN));
  }

  #turnIsOver(since = Infinity): boolean {
    return this.#clock.now() - since >= this.#turn;
  }

  /** Has a tenant that is always in use hand its place over, unless that takes longer than a turn. */
  #drain(tenant: Tenant): void {
    tenant.drain = this.#clock.setTimer(() => {
      // A lease that is out for long: its other callers have not to wait for that.
      this.#endDrain(tenant);
      this.#serve();
    }, this.#turn);
    this.#draining.add(tenant);
    this.#comes(tenant, tenant.pool.closeIdle());
  }

  #endDrain(tenant: Tenant): void {
    tenant.drain?.cancel();
    tenant.drain = undefined;
    this.#draining.delete(tenant);
    tenant.turnSince = undefined;
  }

  /** Those for whom places were to be handed over have found others. */
  #endNeedlessDrains(): boolean {
    const free = this.#maxOpen - this.#open.size + this.#closing;
    const needed = Math.max(0, this.#line.unopened - free);
    if (this.#draining.size <= needed) return false;
    for (const tenant of this.#draining) {
      if (this.#draining.size > needed) this.#endDrain(tenant);
    }
    return true;
  }

  /** So many of the tenant's connections are on their way out, and their places to come. */
  #comes(tenant: Tenant, count: number): true {
    const further = Math.min(count, tenant.places - tenant.promised);
    tenant.promised += further;
    this.#coming += further;
    return true;
  }
}
