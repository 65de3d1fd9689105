import type { Clock } from '../clock';
import { layers } from '../driver/classify';
import type { Pool } from '../pool/pool';
import type { Scope } from '../scope/scope';
import { Slot } from '../scope/slot';

/** The longest wait in ms for a connection beside the one that the caller holds. */
const PATIENCE = 1000;

/**
 * A second connection for a caller who holds one: with every caller in that place, the pool is empty
 * for good, so the wait is short and its error says so.
 */
export function furtherSlot(pool: Pool, clock: Clock, scope: Scope): Slot {
  const { acquireTimeout } = pool;
  const within = acquireTimeout > 0 ? Math.min(acquireTimeout, PATIENCE) : PATIENCE;
  const hint = (): string =>
    'atomic({ requiresNew: true }) needs a second connection while its caller holds the first: a ' +
    'connectionLimit above the number of such callers, or they wait for each other.';
  return new Slot(pool, clock, scope, { within, hint });
}

const LOCK_WAIT = 1205;

const BLOCKED =
  'This lock wait was in atomic({ requiresNew: true }): it is probably blocked by its own outer ' +
  'transaction, which cannot go on before the inner one ends. Write in it only what the outer one ' +
  'has not touched, or leave requiresNew out.';

/** Adds `hint` to the driver's error of a lock wait in a transaction that stands beside another. */
export function hintAtOuter(error: unknown): void {
  for (const layer of layers(error)) {
    if (layer.errno === LOCK_WAIT) Object.assign(layer, { hint: BLOCKED });
  }
}
