import { settledWithin, type Clock } from '../clock';
import { StreamOpenError } from '../errors';
import { failedSource, type RowSource } from '../driver/connection';
import { traitsOf } from '../driver/sql-text';
import type { Statement } from '../driver/statement';
import type { Limit } from '../limit';
import type { Lease } from '../pool/lease';

/** What is nearly through when nobody wants it any more is read to its end, for so long in ms. */
const LAST_ROWS = 50;
/** How long the server may take to stop the rest, in ms. */
const PATIENCE = 5000;

/** The error of a statement that would have to wait for rows that nobody may ever take. */
export function streamOpen(): StreamOpenError {
  return new StreamOpenError(
    'A stream on this connection is not read to its end; this statement was not sent. Read or leave ' +
      'the stream first, or stream outside the transaction: there it has a connection of its own.',
  );
}

export interface StreamHome {
  readonly clock: Clock;
  /** Takes the connection back once the server has answered in full. Called once. */
  done(error: Error | undefined): Promise<void> | undefined;
}

/**
 * A statement whose rows are being taken, and the connection that is busy with it until they are, or
 * until nobody wants them.
 */
export class RunningStream {
  readonly #source: RowSource;
  readonly #lease: Lease;
  readonly #limit: Limit | undefined;
  readonly #sql: string;
  readonly #home: StreamHome;
  readonly #unlisten: (() => void) | undefined = undefined;
  #stopped: Promise<void> | undefined;
  #finished: Promise<void> | undefined;
  #cut: Error | undefined;

  constructor(statement: Statement, lease: Lease, limit: Limit | undefined, home: StreamHome) {
    this.#lease = lease;
    this.#limit = limit;
    this.#sql = statement.sql;
    this.#home = home;
    if (limit?.hit === true) {
      this.#source = failedSource(limit.error('notExecuted'));
      return;
    }
    this.#source = lease.connection.stream(statement);
    this.#unlisten = limit?.onHit(() => {
      this.#stopped = this.#cutOff(limit);
      limit.stopping(this.#stopped);
    });
  }

  /** The next rows; `undefined` after the last one, when the connection is back. */
  async next(): Promise<readonly unknown[] | undefined> {
    if (this.#cut === undefined && this.#finished !== undefined) return undefined;
    try {
      const rows = await this.#source.next();
      await this.#refuseIfCut();
      if (rows === undefined) await this.#finish(undefined);
      return rows;
    } catch (error) {
      await this.#refuseIfCut();
      await this.#finish(error as Error);
      throw error;
    }
  }

  /** The limit was hit: the connection goes back at once, whenever the next row may be asked for. */
  async #cutOff(limit: Limit): Promise<void> {
    await this.#stop();
    const lost = this.#lease.connection.lost !== undefined;
    const partly = lost || traitsOf(this.#sql).piecemeal;
    const error = limit.error(partly ? 'unknown' : 'notExecuted');
    this.#cut ??= error;
    await this.#finish(error);
  }

  async #refuseIfCut(): Promise<void> {
    await this.#stopped;
    if (this.#cut !== undefined) throw this.#cut;
  }

  /**
   * Takes no more rows. Resolves when the connection is back. Never rejects.
   *
   * @param reason what a reader who comes back is told: a result that was cut short must not look whole.
   */
  async leave(reason?: Error): Promise<void> {
    if (this.#finished === undefined) {
      this.#cut ??= reason;
      await this.#stop();
    }
    await this.#finish(undefined);
  }

  /** The holder is gone without leaving. */
  abandon(): void {
    if (this.#finished !== undefined) return;
    this.#lease.noteAbandoned();
    void this.leave();
  }

  /** Reads on for a moment, then has the server stop. */
  async #stop(): Promise<void> {
    const { connection } = this.#lease;
    this.#source.drop();
    if (this.#limit?.hit !== true) {
      await settledWithin(this.#home.clock, LAST_ROWS, connection.drained());
    }
    // Where no limit presses there is time to keep the connection.
    const grace = this.#limit?.hit === true ? undefined : PATIENCE;
    await (connection.pending > 0 ? this.#lease.cutOff(grace) : this.#lease.stopping);
  }

  #finish(error: Error | undefined): Promise<void> {
    this.#unlisten?.();
    this.#finished ??= Promise.resolve(this.#home.done(error));
    return this.#finished;
  }
}
