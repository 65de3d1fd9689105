import type { RemovalReason } from './tracker';

/** How an outermost transaction block ended. `inDoubt`: COMMIT was sent and its answer did not come. */
export type TransactionOutcome = 'committed' | 'rolledBack' | 'inDoubt';

/** A statement that was answered, or failed. */
export interface ObservedStatement {
  /** Its first word in capitals, `OTHER` where that is none of the usual: fit for a metric's label. */
  readonly operation: string;
  /** From sending to the answer, in ms. A stream is none of these: it takes as long as its reader. */
  readonly elapsed: number;
  /** The class of its error, as `explain()` names it; `undefined` where it was answered. */
  readonly errorClass: string | undefined;
  /** The text with every literal replaced; made when it is read. Never a value. */
  readonly text: string;
}

/**
 * Told of what takes time in a database, and of what goes wrong: the seam for metrics. Durations are in
 * ms. Every method is optional, and is called on the way of statements: do little.
 */
export interface Observer {
  /** A connection was handed out after so long; 0 where one was idle. */
  acquired?(waited: number): void;
  /** A connection came back, or was closed by its borrower, after so long. */
  held?(elapsed: number): void;
  /** A connection was opened and set up. */
  connected?(elapsed: number): void;
  /** A connect failed. */
  connectFailed?(): void;
  /** A connection left the pool. */
  removed?(reason: RemovalReason): void;
  /** An acquire failed at its deadline. */
  timedOut?(): void;
  /** A lease is out for long, or its holder is gone. */
  leaked?(kind: 'held' | 'reclaimed'): void;
  statement?(statement: ObservedStatement): void;
  /** A statement, BEGIN or a transaction is run again after an error of this class. */
  repeated?(errorClass: string): void;
  transaction?(outcome: TransactionOutcome): void;
}

/** An observer all of whose methods are there. */
export type FullObserver = Required<Observer>;

const METHODS: Readonly<Record<keyof Observer, true>> = {
  acquired: true,
  held: true,
  connected: true,
  connectFailed: true,
  removed: true,
  timedOut: true,
  leaked: true,
  statement: true,
  repeated: true,
  transaction: true,
};

export const OBSERVED = Object.keys(METHODS) as readonly (keyof Observer)[];

/** As an event handler's error would without us: seen, and not swallowed. */
function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** One that tells all of them. What one of them throws reaches nobody's statement. */
export function tellingAll(observers: readonly Observer[]): FullObserver {
  const told = OBSERVED.map((method) => {
    const listeners = observers
      .filter((observer) => observer[method] !== undefined)
      .map((observer) => (observer[method] as (what: unknown) => void).bind(observer));
    const tell = (what: unknown): void => {
      for (const listener of listeners) {
        try {
          listener(what);
        } catch (error) {
          surface(error);
        }
      }
    };
    return [method, tell];
  });
  return Object.fromEntries(told) as FullObserver;
}
