import type { RowSource } from './connection';

/** A mysql2 command that was given no callback: it tells what comes by events. */
export interface RowCommand {
  on(event: 'result', listener: (row: unknown) => void): unknown;
  on(event: 'fields', listener: (fields: unknown) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface RowFlow {
  /** Stops and resumes reading from the network. */
  pause(): void;
  resume(): void;
  /** The server has answered in full, or never will. */
  finished(error: Error | undefined): void;
  /** An answer without rows. */
  noteAnswer(answer: unknown): void;
}

/** Rows kept before reading from the network stops. */
const HIGH_WATER = 200;

/**
 * Rows of a mysql2 command as they arrive. Reading from the network stops while enough of them are
 * waiting to be taken.
 */
export class Mysql2RowSource implements RowSource {
  readonly #flow: RowFlow;
  #rows: unknown[] = [];
  #hasRows = true;
  #paused = false;
  #dropping = false;
  #over = false;
  #error: Error | undefined;
  #waiting:
    { resolve: (rows: unknown[] | undefined) => void; reject: (e: Error) => void } | undefined;

  constructor(flow: RowFlow) {
    this.#flow = flow;
  }

  /** Takes what the command tells. Once more where it was begun anew. */
  follow(command: RowCommand, failed: (error: Error) => boolean): void {
    let abandoned = false;
    command.on('fields', (fields) => (this.#hasRows = fields !== undefined));
    command.on('result', (row) => {
      if (this.#hasRows) this.#take(row);
      else this.#flow.noteAnswer(row);
    });
    command.on('error', (error) => {
      abandoned = failed(error);
      if (!abandoned) this.fail(error);
    });
    command.on('end', () => {
      if (!abandoned) this.#end(undefined);
    });
  }

  /** The connection is lost: what was read before can still be taken. */
  fail(error: Error): void {
    this.#end(error);
  }

  next(): Promise<readonly unknown[] | undefined> {
    if (this.#rows.length > 0) return Promise.resolve(this.#handOut());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#over) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  drop(): void {
    this.#dropping = true;
    this.#rows = [];
    this.#resume();
  }

  #take(row: unknown): void {
    if (this.#dropping) return;
    this.#rows.push(row);
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      // What else has arrived with it comes along.
      this.#waiting = undefined;
      queueMicrotask(() => waiting.resolve(this.#handOut()));
    } else if (this.#rows.length >= HIGH_WATER && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
  }

  #handOut(): unknown[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#resume();
    return rows;
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#flow.resume();
  }

  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    // Nothing of it stands in the way of whoever uses the connection next.
    this.#resume();
    this.#flow.finished(error);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error === undefined) waiting?.resolve(undefined);
    else waiting?.reject(error);
  }
}
