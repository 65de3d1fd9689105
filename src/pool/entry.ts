import type { Connection } from '../driver/connection';
import { Node } from './linked-list';
import type { ServerFacts } from './server-facts';

/** Who has a lease, as far as it is known: for leak reports and hints. */
export interface Owner {
  /** The label of the decorated method or scope. */
  readonly label?: string | undefined;
  /** Where it was taken; captured only where leaks are watched. */
  readonly stack?: string | undefined;
}

/** How long a connection may serve, by the pool's clock. */
export interface Lifespan {
  /** When it is to be retired; `Infinity` for never. */
  readonly retireAt: number;
  /** How long it may rest without a sign of life, in ms; `Infinity` for ever. */
  readonly keepaliveEvery: number;
}

/** A connection with what the pool knows of it. Where it stands is told by what it is in. */
export class PoolEntry {
  /** Since when it is idle. */
  idleSince = 0;
  /** When it last gave a sign of life. */
  provenAt = 0;
  /** When the lease that is out began; `NaN` where nobody looked at the clock. */
  lentAt = NaN;
  owner: Owner | undefined;
  /** The order to stop what ran is under way: it could still hit whatever else is run. */
  stopping: Promise<void> | undefined;
  /** A leak report was made for the lease that is out. */
  reported = false;
  /** Its place on the idle stack. */
  readonly place: Node<PoolEntry> = new Node<PoolEntry>(this);

  constructor(
    readonly connection: Connection,
    readonly facts: ServerFacts,
    readonly generation: number,
    readonly lifespan: Lifespan,
    readonly bornAt: number,
  ) {
    this.idleSince = this.provenAt = bornAt;
  }

  /** When the housekeeper has to look at it next, while it is idle. */
  dueAt(idleTimeout: number): number {
    const { retireAt, keepaliveEvery } = this.lifespan;
    return Math.min(retireAt, this.provenAt + keepaliveEvery, this.idleSince + idleTimeout);
  }
}
