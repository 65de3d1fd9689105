import type { Result, Statement, StatementKind } from './statement';

export type Flavour = 'mariadb' | 'mysql';

/**
 * One session on a server: the seam between this library and a driver. The pool, scopes and
 * transactions know nothing else of the driver.
 *
 * Statements given to one connection run one after the other in the order given. Every promise
 * settles once the connection is lost or destroyed. No method throws synchronously.
 */
export interface Connection {
  /** The server's number for this session, as in PROCESSLIST. */
  readonly threadId: number;
  readonly flavour: Flavour;
  /** The server's own address, after name resolution; `undefined` for a local socket. */
  readonly address: string | undefined;
  /** As the last OK packet said. */
  readonly inTransaction: boolean;
  /**
   * True once the session may differ from a fresh one: the server said so, or a statement was neither
   * a read, a change of rows, nor plain transaction control. `markClean` sets it back.
   */
  readonly dirty: boolean;
  /** True where the session's default database was changed since `markClean`. */
  readonly schemaChanged: boolean;
  /** Bytes given to the network so far. Unchanged over a failed statement: it was never sent. */
  readonly sentBytes: number;
  /** Statements given and not settled yet. */
  readonly pending: number;
  /** Why the connection is of no more use; `undefined` while it is. */
  readonly lost: Error | undefined;

  run<T>(kind: StatementKind, statement: Statement): Promise<Result<T>>;
  /** Runs a prepared statement whose rows are taken as they arrive. Pending until the last one has. */
  stream(statement: Statement): RowSource;
  /** Resolves when no statement is pending. */
  drained(): Promise<void>;
  ping(): Promise<void>;
  /** Puts the session back to what a fresh one is (COM_RESET_CONNECTION); session set-up is undone too. */
  reset(): Promise<void>;
  /** Takes the session as it is now for clean. */
  markClean(): void;
  /** Says goodbye (COM_QUIT) and resolves when the socket is closed, after `within` ms at the latest. */
  close(within: number): Promise<void>;
  /** Closes the socket now. What is pending rejects with `reason`. */
  destroy(reason: Error): void;
  /** `listener` is told of each statement that took at least `threshold` ms. */
  watch(threshold: number, listener: (sql: string, elapsed: number) => void): void;
  /** `tracer` is told of each statement of {@link run} as it begins. */
  trace(tracer: StatementTracer): void;
  /**
   * `listener` is called once, when the connection is lost without our doing. Returns what takes it
   * away again.
   */
  onLost(listener: (reason: Error) => void): () => void;
}

/** Told how a statement ended, after so many ms; `error` is null where it was answered. */
export type StatementEnd = (elapsed: number, error: Error | null) => void;

/** Told of each statement; must not throw. */
export interface StatementTracer {
  /** Before it is sent, in the context of who issued it. What it gives is passed on to {@link ended}. */
  begun(sql: string, connection: Connection): StatementEnd | undefined;
  ended(
    sql: string,
    connection: Connection,
    elapsed: number,
    error: Error | null,
    trace: StatementEnd | undefined,
  ): void;
}

/** Rows as they arrive; reading from the network stops while nobody takes them. */
export interface RowSource {
  /** Rows in the order of the result, some at a time; `undefined` after the last. One call at a time. */
  next(): Promise<readonly unknown[] | undefined>;
  /** What still comes is read and thrown away. */
  drop(): void;
}

/** The rows of a statement that was never sent. */
export function failedSource(error: Error): RowSource {
  return { next: () => Promise.reject(error), drop: () => {} };
}

/** What makes connections. */
export interface Driver {
  /**
   * Opens a socket and authenticates. Rejects with the driver's own error, or with the signal's
   * reason; a connection that is not handed out leaves no socket behind.
   *
   * @param within ms, name resolution included; 0 is no limit.
   * @param address the server's own, instead of looking the configured name up.
   */
  connect(within: number, signal: AbortSignal, address?: string): Promise<Connection>;
  /** Character set and collation of the handshake, for the session set-up. */
  readonly charset: { readonly name: string; readonly collation: string };
  /** The configured default database. */
  readonly database: string | undefined;
  format(sql: string, values?: readonly unknown[]): string;
  escape(value: unknown): string;
  escapeId(value: string): string;
}
