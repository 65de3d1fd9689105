import type { Result, StatementKind } from '../driver/statement';
import type { StatementRequest } from '../driver/statement-arguments';
import { LeaseReleasedError } from '../errors';
import { runWithin } from '../pool/cut-off';
import type { Limit } from '../limit';
import { releasedError, type Lease } from '../pool/lease';
import type { Pool } from '../pool/pool';
import type { Lane } from '../scope/lane';
import { Slot } from '../scope/slot';
import { atomic, type AtomicCallback, type AtomicTarget } from './atomic';
import type { AtomicOptions } from './atomic-options';
import { furtherSlot } from './further-slot';
import { StatementFace } from './statement-face';
import type { OpenStream } from './row-stream';
import { RunningStream, streamOpen } from './running-stream';
import { limitOf, underLimit } from './statement-limit';
import { currentFrame, runInFrame, streamInFrame } from './transaction-block';
import type { TransactionHost } from './transaction';

const DONE = Promise.resolve();

/** Connections whose holder is gone without giving them back. */
const abandoned = new FinalizationRegistry<Lease>((lease) => lease.reclaim());

/**
 * A connection of one's own, outside every scope, in the shape of mysql2's. The caller gives it
 * back with {@link release}; nothing else does.
 *
 * Statements run in the order they are issued. After `release()` or `destroy()` every use rejects
 * with {@link LeaseReleasedError}, whoever has the connection by then.
 */
export class PooledConnection extends StatementFace {
  readonly #lease: Lease;
  readonly #pool: Pool;
  #ownSlot: Slot | undefined;
  readonly #host: TransactionHost;
  #released: Promise<void> | undefined;
  #stream: RunningStream | undefined;
  #blocks = 0;

  /** @internal */
  constructor(lease: Lease, pool: Pool, host: TransactionHost) {
    super(host);
    this.#lease = lease;
    this.#pool = pool;
    abandoned.register(this, lease, this);
    this.#host = host;
  }

  /** The server's number for this session. */
  get threadId(): number {
    return this.#lease.connection.threadId;
  }

  async beginTransaction(): Promise<void> {
    await this.query('BEGIN');
  }

  async commit(): Promise<void> {
    await this.query('COMMIT');
  }

  async rollback(): Promise<void> {
    await this.query('ROLLBACK');
  }

  async ping(): Promise<void> {
    this.#refuseIfReleased();
    await this.#lease.connection.ping();
  }

  /** @internal `listener` is called once if the connection is lost. Returns what takes it away. */
  onLost(listener: (reason: Error) => void): () => void {
    return this.#lease.connection.onLost(listener);
  }

  /** As {@link RetryingPooledDatabase.atomic}, on this connection. Only its own calls take part. */
  async atomic<T>(fn: AtomicCallback<T>, options?: AtomicOptions): Promise<T> {
    this.#refuseIfReleased();
    this.#refuseIfBusy();
    const target: AtomicTarget = {
      key: this.#slot,
      slot: () => this.#slot,
      isGone: () => this.#lease.connection.lost !== undefined,
      further: (scope) => furtherSlot(this.#pool, this.#host.clock, scope),
    };
    try {
      return await atomic(this.#host, target, fn, options);
    } finally {
      // Keeps this object, and with it the lease, from being collected while the block runs.
      this.#blocks++;
    }
  }

  /**
   * Gives the connection back: statements still running are waited for, an open transaction is
   * rolled back, a changed session is reset. Resolves when that is done and never rejects. A second
   * call does nothing.
   */
  release(): Promise<void> {
    this.#released ??= this.#giveBack();
    abandoned.unregister(this);
    return this.#released;
  }

  /** Closes the connection instead of giving it back. What is running rejects. */
  destroy(): void {
    this.#released ??= Promise.resolve();
    abandoned.unregister(this);
    this.#lease.discard(new LeaseReleasedError('This connection was destroyed by its borrower'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** @internal */
  protected dispatch<T>(kind: StatementKind, request: StatementRequest): Promise<Result<T>> {
    this.#refuseIfReleased();
    const frame = currentFrame(this.#slot);
    if (frame !== undefined) return runInFrame<T>(frame, this.#host, kind, request);
    const { statement } = request;
    // The connection is outside all scopes, and so outside their limits.
    this.#refuseIfBusy();
    const run = async (limit: Limit | undefined): Promise<Result<T>> => {
      this.#refuseIfBusy();
      return runWithin<T>(limit, this.#lease, kind, statement);
    };
    return underLimit(request, undefined, this.#host, (limit) =>
      this.#slot.lane.run(() => run(limit), limit),
    );
  }

  /** @internal */
  protected dispatchStream(request: StatementRequest): OpenStream {
    this.#refuseIfReleased();
    const frame = currentFrame(this.#slot);
    if (frame !== undefined) return streamInFrame(frame, this.#host, request);
    return async () => {
      const limit = limitOf(request, undefined, this.#host);
      const { clock } = this.#host;
      const open = async (): Promise<RunningStream> => {
        this.#refuseIfBusy();
        return (this.#stream = new RunningStream(request.statement, this.#lease, limit, {
          clock,
          done: () => {
            this.#stream = undefined;
            limit?.end();
            return undefined;
          },
        }));
      };
      const running = await this.#slot.lane.run(open, limit);
      return { running, first: await running.next() };
    };
  }

  #giveBack(): Promise<void> {
    const lane = this.#ownSlot?.lane;
    if (this.#stream === undefined && (lane === undefined || lane.free)) {
      return this.#lease.giveBack() ?? DONE;
    }
    return this.#giveBackInTurn(lane);
  }

  /** Statements that were issued before still run; a block that is open is cut off and rolled back. */
  async #giveBackInTurn(lane: Lane | undefined): Promise<void> {
    await this.#stream?.leave(releasedError());
    await lane?.quiet();
    await this.#lease.giveBack();
  }

  /** The order of this connection's statements; made with the first of them. */
  get #slot(): Slot {
    return (this.#ownSlot ??= new Slot(this.#pool, this.#host.clock, {}, { pinned: this.#lease }));
  }

  #refuseIfBusy(): void {
    if (this.#stream !== undefined) throw streamOpen();
  }

  #refuseIfReleased(): void {
    if (this.#released === undefined) return;
    throw releasedError();
  }
}
