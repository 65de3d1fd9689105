/** A lease that was out for long, or whose holder is gone. */
export interface LeakReport {
  readonly threadId: number;
  /** The label of the decorated method or scope that has it. */
  readonly label: string | undefined;
  /** Where it was taken, where that was captured. */
  readonly stack: string | undefined;
  /** How long it is out, in ms; `undefined` where nobody looked at the clock. */
  readonly heldFor: number | undefined;
  /**
   * `held`: out for longer than the threshold. `returned`: it came back after such a report.
   * `reclaimed`: its holder was garbage-collected, and the pool has taken it back.
   */
  readonly kind: 'held' | 'returned' | 'reclaimed';
}

/** Why a connection left the pool. */
export type RemovalReason = 'retired' | 'lost' | 'unfit' | 'discarded';

/**
 * What happens in a pool, as it happens; counts are exact. Every method is optional, and none may
 * throw.
 */
export interface PoolTracker {
  connected?(threadId: number): void;
  acquired?(threadId: number): void;
  released?(threadId: number): void;
  removed?(threadId: number, reason: RemovalReason): void;
  /** An acquire could not be served at once. */
  enqueued?(): void;
  /** An acquire failed at its deadline. */
  timedOut?(): void;
  leaked?(report: LeakReport): void;
  /** A connect failed, or an idle connection was lost. */
  failed?(error: unknown): void;
}
