import type { Result, ResultHeader, Statement, StatementKind } from '../driver/statement';
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
import type { Lane } from '../scope/lane';
import type { Scope } from '../scope/scope';
import { StatementFace } from './statement-face';
import { underLimit } from './statement-limit';
import { ownStream } from './own-stream';
import { controlRefusal } from './refusals';
import type { OpenStream } from './row-stream';
import { frameOf, runInFrame, streamInFrame } from './transaction-block';
import type { TransactionHost } from './transaction';

/**
 * Where a statement's connection comes from, and what becomes of it afterwards: a scope's slot, which
 * keeps it, or the pool, for this statement alone.
 */
interface Holder {
  take(limit: Limit | undefined): Lease | Promise<Lease>;
  /** After an error that leaves the connection unusable. */
  drop(lease: Lease, reason: Error): void;
  /** After the statement, otherwise. */
  done(lease: Lease): Promise<void> | undefined;
}

/** How a statement for itself alone is run. */
export interface AloneOptions {
  readonly idempotent?: boolean;
  readonly retries?: number;
  readonly limit?: Limit | undefined;
}

/** How a statement of the library's own is run where the caller stands. */
export interface HereOptions {
  readonly idempotent?: boolean;
  /** In ms. */
  readonly timeout?: number | undefined;
}

/** A statement on its way. */
interface Errand {
  readonly kind: StatementKind;
  readonly request: StatementRequest;
  readonly holder: Holder;
  readonly limit: Limit | undefined;
  /** Whose turn ends with the statement. */
  turn: Lane | undefined;
  /** Of the connection, before the last attempt was sent on it. */
  sentBytes: number;
  pristine: boolean;
  /** What is known of the last attempt, where it failed. */
  failure: Failure | undefined;
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
      drop: (lease, reason) => lease.discard(reason),
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
    const { limits } = request;
    if (limits === undefined && this.#host.timeout === 0) {
      return this.#begin<T>(kind, request, scope, scope?.limit);
    }
    return underLimit(request, scope?.limit, this.#host, (limit) =>
      this.#begin<T>(kind, request, scope, limit),
    );
  }

  #begin<T>(
    kind: StatementKind,
    request: StatementRequest,
    scope: Scope | undefined,
    limit: Limit | undefined,
  ): Promise<Result<T>> {
    const slot = scope?.root()?.slotFor(this.#pool, this.#host.clock);
    const holder = slot ?? this.#alone;
    const errand: Errand = {
      kind,
      request,
      holder,
      limit,
      turn: undefined,
      sentBytes: 0,
      pristine: true,
      failure: undefined,
    };
    if (slot === undefined) return this.#attempt<T>(errand);
    const { lane } = slot;
    if (!lane.take()) return lane.run(() => this.#attempt<T>(errand), limit);
    errand.turn = lane;
    return this.#attempt<T>(errand);
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
    const checked = { statement: this.#own(sql, values), idempotent: undefined, ...request };
    const [rows] = await this.#begin<T>('execute', checked, undefined, limit);
    return rows;
  }

  /**
   * Runs a prepared statement of the library's own where the caller stands, as `execute` does a
   * caller's: there is nothing to check. May throw.
   */
  here<T>(
    sql: string,
    values: readonly unknown[],
    { idempotent, timeout }: HereOptions = {},
  ): Promise<Result<T>> {
    const request = { statement: this.#own(sql, values), idempotent };
    return this.dispatch<T>(
      'execute',
      timeout === undefined ? request : { ...request, limits: { timeout } },
    );
  }

  /** The same for a text that holds all it needs in numbers and hexadecimal, and is not prepared. */
  text<T>(sql: string, { idempotent }: HereOptions = {}): Promise<Result<T>> {
    return this.dispatch<T>('query', { statement: this.#own(sql, []), idempotent });
  }

  /** Text with values escaped into it by the library. */
  async runEscaped(sql: string): Promise<ResultHeader> {
    const request = { statement: { sql, escaped: true }, idempotent: undefined };
    const [header] = await this.dispatch<ResultHeader>('query', request);
    return header;
  }

  /** The longest statement the server takes, in bytes; known from the first connection on. */
  async maxAllowedPacket(): Promise<number> {
    if (this.#pool.maxAllowedPacket === undefined) await this.query('DO 0');
    return this.#pool.maxAllowedPacket ?? 0;
  }

  /** With rows as the library reads them, whatever form the caller's options give to his. */
  #own(sql: string, values: readonly unknown[]): Statement {
    const shape = this.#host.ownShape;
    return shape === undefined ? { sql, values } : { sql, values, shape };
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
    const { holder, limit, turn } = errand;
    if (limit?.hit === true) {
      turn?.leave();
      return Promise.reject(limit.error('notExecuted'));
    }
    const taken = holder.take(limit);
    if (!(taken instanceof Promise)) return this.#first<T>(taken, errand);
    return taken.then(
      (lease) => this.#first<T>(lease, errand),
      (error: unknown) => this.#again<T>(error, errand).finally(() => turn?.leave()),
    );
  }

  #first<T>(lease: Lease, errand: Errand): Promise<Result<T>> {
    const { holder, turn } = errand;
    return this.#send<T>(lease, errand).then(
      (result) => {
        const done = holder.done(lease);
        turn?.leave();
        return done === undefined ? result : done.then(() => result);
      },
      (error: unknown) =>
        this.#failed(error, lease, errand)
          .then(() => this.#again<T>(error, errand))
          .finally(() => turn?.leave()),
    );
  }

  #send<T>(lease: Lease, errand: Errand): Promise<Result<T>> {
    const { connection } = lease;
    const { kind, limit } = errand;
    const { statement } = errand.request;
    errand.sentBytes = connection.sentBytes;
    errand.pristine = !connection.dirty && this.#pool.plainSessions;
    return runWithin<T>(limit, lease, kind, statement);
  }

  /** Notes what is known of the failure, and deals with the connection. */
  async #failed(error: unknown, lease: Lease, errand: Errand): Promise<void> {
    const { connection } = lease;
    const failure: Failure = {
      idempotent: this.#host.policy.isIdempotent(errand.request),
      sent: connection.sentBytes > errand.sentBytes,
      pristine: errand.pristine,
      flavour: connection.flavour,
      piecemeal: traitsOf(errand.request.statement.sql).piecemeal,
    };
    errand.failure = failure;
    noteFailure(error, failure);
    const { policy } = this.#host;
    if (policy.condemnsServer(error, failure)) this.#pool.evictOlder(lease);
    if (policy.spoils(error, failure)) errand.holder.drop(lease, error as Error);
    else await errand.holder.done(lease);
  }

  /** After a first attempt that failed. */
  #again<T>(error: unknown, errand: Errand): Promise<Result<T>> {
    const { policy } = this.#host;
    const { holder, limit, request } = errand;
    const unsent: Failure = { idempotent: policy.isIdempotent(request), sent: false };
    return retryAfter(error, policy, {
      what: 'statement',
      classOf: (reason) => policy.retryable(reason, errand.failure ?? unsent),
      attempt: async () => {
        errand.failure = undefined;
        const lease = await holder.take(limit);
        try {
          const result = await this.#send<T>(lease, errand);
          await holder.done(lease);
          return result;
        } catch (reason) {
          await this.#failed(reason, lease, errand);
          throw reason;
        }
      },
      most: request.retries === undefined ? undefined : request.retries + 1,
      limit,
    });
  }
}
