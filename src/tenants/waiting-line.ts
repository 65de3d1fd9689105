import type { Tenant } from './tenant';

/** Where a tenant stands that waits for a place, the poorest first. */
type Standing = 'unopened' | 'empty' | 'partial';

function standingOf({ state, places }: Tenant): Standing {
  if (state !== 'open') return 'unopened';
  return places === 0 ? 'empty' : 'partial';
}

/**
 * The tenants that wait for a place for a connection. Each stands once, however many of its callers
 * wait, and goes to the end after each place it gets. Those without any connection come before those
 * who want a further one.
 */
export class WaitingLine {
  readonly #lines: Record<Standing, Map<Tenant, number>> = {
    unopened: new Map(),
    empty: new Map(),
    partial: new Map(),
  };
  #ticket = 0;

  get size(): number {
    return this.unopened + this.ready;
  }

  /** How many are not open, and need a place among the open tenants first. */
  get unopened(): number {
    return this.#lines.unopened.size;
  }

  /** How many are open, and need a connection only. */
  get ready(): number {
    return this.#lines.empty.size + this.#lines.partial.size;
  }

  has(tenant: Tenant): boolean {
    return Object.values(this.#lines).some((line) => line.has(tenant));
  }

  add(tenant: Tenant): void {
    if (!this.has(tenant)) this.#lines[standingOf(tenant)].set(tenant, ++this.#ticket);
  }

  delete(tenant: Tenant): void {
    for (const line of Object.values(this.#lines)) line.delete(tenant);
  }

  /** A tenant's standing may have changed: it goes to the end of where it belongs now. */
  moved(tenant: Tenant): void {
    if (this.#lines[standingOf(tenant)].has(tenant) || !this.has(tenant)) return;
    this.delete(tenant);
    this.add(tenant);
  }

  /**
   * Whose turn it is.
   *
   * @param opening whether a tenant that is not open may be opened.
   */
  next({ opening }: { readonly opening: boolean }): Tenant | undefined {
    const { unopened, empty, partial } = this.#lines;
    const closed = opening ? firstOf(unopened) : undefined;
    const bare = firstOf(empty);
    if (closed === undefined || bare === undefined) {
      return (closed ?? bare ?? firstOf(partial))?.[0];
    }
    return closed[1] < bare[1] ? closed[0] : bare[0];
  }
}

/** The first who still wants it and may have it; those whose callers have all left step out. */
function firstOf(line: Map<Tenant, number>): [Tenant, number] | undefined {
  for (const place of line) {
    const [tenant] = place;
    if (tenant.pool.numbers.waiting === 0) line.delete(tenant);
    else if (tenant.state !== 'closing' && tenant.drain === undefined) return place;
  }
  return undefined;
}
