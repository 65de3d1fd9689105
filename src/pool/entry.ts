import type { Connection } from '../driver/connection';
import { Node } from './linked-list';

/**
 * Where a connection of the pool stands.
 *
 * idle → leased → returning → idle or gone. A connection that is lost while leased stays leased
 * until its borrower returns it; one that is lost while idle is gone at once.
 */
export type EntryState = 'idle' | 'leased' | 'returning' | 'gone';

/** A connection with what the pool knows of it. */
export class PoolEntry {
  state: EntryState = 'returning';
  /** Since when it is idle, by the pool's clock. */
  idleSince = 0;
  /** Its place on the idle stack. */
  readonly place: Node<PoolEntry> = new Node<PoolEntry>(this);
  constructor(readonly connection: Connection) {}
}
