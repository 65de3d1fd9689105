/** One hub per signal: Node walks through all listeners of a signal whenever one comes or goes. */
const hubs = new WeakMap<AbortSignal, Hub>();

class Hub {
  readonly listeners = new Set<() => void>();
  readonly tell = (): void => {
    for (const listener of [...this.listeners]) listener();
  };
}

/**
 * Calls `listener` once when the signal is aborted, in O(1) however many listen to the same signal.
 * Returns what takes the listener away again. Throws for what is no signal.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let hub = hubs.get(signal);
  if (hub === undefined) {
    hub = new Hub();
    signal.addEventListener('abort', hub.tell);
    hubs.set(signal, hub);
  }
  const { listeners, tell } = hub;
  // Of its own, so that the same function may listen twice.
  const own = (): void => {
    listeners.delete(own);
    listener();
  };
  listeners.add(own);
  return () => {
    listeners.delete(own);
    if (listeners.size > 0 || hubs.get(signal)?.tell !== tell) return;
    hubs.delete(signal);
    signal.removeEventListener('abort', tell);
  };
}
