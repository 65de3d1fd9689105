import type { Result, ResultHeader, StatementKind } from '../driver/statement';
import type { StatementRequest } from '../driver/statement-arguments';
import { traitsOf } from '../driver/sql-text';
import type { Limit } from '../limit';
import { runWithin } from '../pool/cut-off';
import type { Lease } from '../pool/lease';
import type { Pool } from '../pool/pool';
import { noteFailure } from '../retry/failures';
import type { Failure } from '../retry/policy';
import { retryAfter } from '../retry/retry';
import { currentContext } from '../scope/context';
import type { Slot } from '../scope/slot';
import { controlRefusal } from './frame';
import { StatementFace } from './statement-face';
import { underLimit } from './statement-limit';
import { ownStream } from './own-stream';
import type { OpenStream } from './row-stream';
import { frameOf, runInFrame, streamInFrame } from './transaction-block';
import type { TransactionHost } from './transaction';

/**
 * One attempt's connection: taken, used, and dealt with after an error, by the scope's slot or for
 * this statement alone.
 */
interface Holder {
  take(limit: Limit | undefined): Lease | Promise<Lease>;
  /** After an error that leaves the connection unusable. */
  discard(lease: Lease, reason: Error): void;
  /** After the statement, otherwise. */
  done(lease: Lease): Promise<void> | undefined;
}

/** How a statement for itself alone is run. */
export interface AloneOptions {
  readonly idempotent?: boolean;
  readonly retries?: number;
  readonly limit?: Limit | undefined;
}

/** A statement on its way. */
interface Errand {
  readonly kind: StatementKind;
  readonly request: StatementRequest;
  readonly holder: Holder;
  readonly limit: Limit | undefined;
}

/**
 * Finds the connection for each statement: the open frame's, else the open scope's, else one for
 * this statement alone. Outside of frames it repeats what may be repeated.
 *
 * This is the path of every statement: without an error it costs one promise beside the driver's.
 */
export class StatementRouter extends StatementFace {
  readonly #pool: Pool;
  readonly #host: TransactionHost;
  readonly #alone: Holder;

  constructor(pool: Pool, host: TransactionHost) {
    super(host);
    this.#pool = pool;
    this.#host = host;
    this.#alone = {
      take: (limit) => pool.tryAcquire() ?? pool.acquire({ limit }),
      discard: (lease, reason) => lease.discard(reason),
      done: (lease) => lease.giveBack(),
    };
  }

  protected dispatch<T>(kind: StatementKind, request: StatementRequest): Promise<Result<T>> {
    const context = currentContext();
    const frame = frameOf(context, this.#pool);
    if (frame !== undefined) return runInFrame<T>(frame, this.#host, kind, request);
    const refusal = controlRefusal(request.statement.sql);
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#host.policy.noteCall();
    const scope = context?.scope;
    const root = scope?.root();
    return underLimit(request, scope?.limit, this.#host, (limit) => {
      if (root === undefined) {
        return this.#attempt<T>({ kind, request, holder: this.#alone, limit });
      }
      const slot = root.slotFor(this.#pool, this.#host.clock);
      const errand: Errand = { kind, request, holder: holderOf(slot), limit };
      return slot.lane.run(() => this.#attempt<T>(errand), limit);
    });
  }

  /**
   * Runs a prepared statement on a connection for itself alone, whatever scope and transaction the
   * caller stands in: for the library's own tables.
   */
  async alone<T>(
    sql: string,
    values: readonly unknown[],
    { limit, ...request }: AloneOptions = {},
  ): Promise<T> {
    this.#host.policy.noteCall();
    const errand: Errand = {
      kind: 'execute',
      request: { statement: { sql, values }, idempotent: undefined, ...request },
      holder: this.#alone,
      limit,
    };
    const [rows] = await this.#attempt<T>(errand);
    return rows;
  }

  /** Text with values escaped into it by the library. */
  async runEscaped(sql: string): Promise<ResultHeader> {
    const request = { statement: { sql, escaped: true }, idempotent: undefined };
    const [header] = await this.dispatch<ResultHeader>('query', request);
    return header;
  }

  protected dispatchStream(request: StatementRequest): OpenStream {
    const context = currentContext();
    const frame = frameOf(context, this.#pool);
    if (frame !== undefined) return streamInFrame(frame, this.#host, request);
    const refusal = controlRefusal(request.statement.sql);
    if (refusal !== undefined) throw refusal;
    this.#host.policy.noteCall();
    return ownStream(this.#pool, this.#host, request, context?.scope);
  }

  /** The first attempt, and all others if it fails. */
  #attempt<T>(errand: Errand): Promise<Result<T>> {
    const { holder, limit } = errand;
    if (limit?.hit === true) return Promise.reject(limit.error('notExecuted'));
    const taken = holder.take(limit);
    const failed = (error: unknown, failure: Failure): Promise<Result<T>> =>
      this.#again<T>(error, failure, errand);
    if (!(taken instanceof Promise)) return this.#on<T>(taken, errand, failed);
    return taken.then(
      (lease) => this.#on<T>(lease, errand, failed),
      (error: unknown) => failed(error, { idempotent: this.#isIdempotent(errand), sent: false }),
    );
  }

  #on<T>(
    lease: Lease,
    errand: Errand,
    failed: (error: unknown, failure: Failure) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const { kind, request, holder, limit } = errand;
    const { connection } = lease;
    const before = connection.sentBytes;
    const pristine = !connection.dirty && this.#pool.plainSessions;
    const { statement } = request;
    const running =
      limit === undefined
        ? connection.run<T>(kind, statement)
        : runWithin(limit, lease, () => connection.run<T>(kind, statement));
    return running.then(
      (result) => {
        const done = holder.done(lease);
        return done === undefined ? result : done.then(() => result);
      },
      async (error: unknown) => {
        const sent = connection.sentBytes > before;
        const { flavour } = connection;
        const idempotent = this.#isIdempotent(errand);
        const failure: Failure = { idempotent, sent, pristine, flavour };
        noteFailure(error, failure);
        const { policy } = this.#host;
        if (policy.condemnsServer(error, failure)) this.#pool.evictOlder(lease);
        if (policy.spoils(error, failure)) holder.discard(lease, error as Error);
        else await holder.done(lease);
        return failed(error, failure);
      },
    );
  }

  /** After a first attempt that failed. */
  #again<T>(error: unknown, failure: Failure, errand: Errand): Promise<Result<T>> {
    const { policy } = this.#host;
    const { holder, limit, request } = errand;
    let last = failure;
    const idempotent = this.#isIdempotent(errand);
    return retryAfter(error, policy, {
      what: 'statement',
      classOf: (reason) => policy.retryable(reason, last),
      attempt: async () => {
        last = { idempotent, sent: false };
        const lease = await holder.take(limit);
        return this.#on<T>(lease, errand, (reason, facts) => {
          last = facts;
          throw reason;
        });
      },
      most: request.retries === undefined ? undefined : request.retries + 1,
      limit,
    });
  }

  #isIdempotent({ request }: Errand): boolean {
    const { idempotent, statement } = request;
    if (idempotent !== undefined) return idempotent;
    return this.#host.policy.assumeReadsIdempotent && traitsOf(statement.sql).read;
  }
}

/** The scope keeps the lease; only a spoilt one leaves it. */
function holderOf(slot: Slot): Holder {
  return {
    take: (limit) => slot.lease(limit),
    discard: (_, reason) => slot.discard(reason),
    done: () => undefined,
  };
}
