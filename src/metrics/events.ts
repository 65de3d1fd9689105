import type { EventEmitter } from 'node:events';
import type { LeakReport, PoolTracker, RemovalReason } from './tracker';

/**
 * What a database emits. Counts are exact: one `acquire` for each lease, one `release` for each that
 * came back. `error` is emitted only where somebody listens to it.
 */
export interface DatabaseEvents {
  /** A connection was opened. */
  connect: [threadId: number];
  acquire: [threadId: number];
  release: [threadId: number];
  /** A connection left the pool. */
  remove: [threadId: number, reason: RemovalReason];
  /** An acquire could not be served at once. */
  enqueue: [];
  /** An acquire failed at its deadline. */
  timeout: [];
  leak: [report: LeakReport];
  /** A connect failed, or an idle connection was lost: nobody's call failed by it alone. */
  error: [error: unknown];
}

/** Turns what happens in a pool into events. A listener that throws throws into nobody's statement. */
export function emittingTracker(emitter: EventEmitter<DatabaseEvents>): PoolTracker {
  // Asked first: most programs listen to nothing, and these stand on the way of every statement.
  const heard = (event: keyof DatabaseEvents): boolean => emitter.listenerCount(event) > 0;
  const emit = <K extends keyof DatabaseEvents>(event: K, ...args: DatabaseEvents[K]): void => {
    try {
      (emitter as EventEmitter).emit(event, ...args);
    } catch (error) {
      // As an event handler's error would without us: seen, and not swallowed.
      queueMicrotask(() => {
        throw error;
      });
    }
  };
  return {
    connected(threadId) {
      if (heard('connect')) emit('connect', threadId);
    },
    acquired(threadId) {
      if (heard('acquire')) emit('acquire', threadId);
    },
    released(threadId) {
      if (heard('release')) emit('release', threadId);
    },
    removed(threadId, reason) {
      if (heard('remove')) emit('remove', threadId, reason);
    },
    enqueued() {
      if (heard('enqueue')) emit('enqueue');
    },
    timedOut() {
      if (heard('timeout')) emit('timeout');
    },
    leaked(report) {
      if (heard('leak')) emit('leak', report);
    },
    failed(error) {
      if (heard('error')) emit('error', error);
    },
  };
}
