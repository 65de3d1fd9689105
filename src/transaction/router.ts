import type { Result, StatementKind } from '../driver/statement';
import type { StatementRequest } from '../driver/statement-arguments';
import { errorFields } from '../logger';
import type { Lease } from '../pool/lease';
import type { Pool } from '../pool/pool';
import type { Failure } from '../retry/policy';
import { retryAfter, type RetryHooks } from '../retry/retry';
import { currentContext } from '../scope/context';
import type { Slot } from '../scope/slot';
import { frameOf } from './atomic';
import { controlRefusal } from './frame';
import type { TransactionHost } from './transaction';

/**
 * One attempt's connection: taken, used, and dealt with after an error, by the scope's slot or for
 * this statement alone.
 */
interface Holder {
  take(): Lease | Promise<Lease>;
  /** After an error that leaves the connection unusable. */
  discard(lease: Lease, reason: Error): void;
  /** After the statement, otherwise. */
  done(lease: Lease): Promise<void> | undefined;
}

/**
 * Finds the connection for each statement: the open frame's, else the open scope's, else one for
 * this statement alone. Outside of frames it repeats what may be repeated.
 *
 * This is the path of every statement: without an error it costs one promise beside the driver's.
 */
export class StatementRouter {
  readonly #pool: Pool;
  readonly #host: TransactionHost;
  readonly #alone: Holder;

  constructor(pool: Pool, host: TransactionHost) {
    this.#pool = pool;
    this.#host = host;
    this.#alone = {
      take: () => pool.tryAcquire() ?? pool.acquire(),
      discard: (lease, reason) => lease.discard(reason),
      done: (lease) => lease.giveBack(),
    };
  }

  run<T>(kind: StatementKind, request: StatementRequest): Promise<Result<T>> {
    const context = currentContext();
    const frame = frameOf(context, this.#pool);
    if (frame !== undefined) return frame.run<T>(kind, request.statement);
    const refusal = controlRefusal(request.statement.sql);
    if (refusal !== undefined) return Promise.reject(refusal);
    const root = context?.scope?.root();
    if (root === undefined) return this.#attempt(kind, request, this.#alone);
    const slot = root.slotFor(this.#pool, this.#host.clock);
    return slot.lane.run(() => this.#attempt<T>(kind, request, holderOf(slot)));
  }

  /** The first attempt, and all others if it fails. */
  #attempt<T>(kind: StatementKind, request: StatementRequest, holder: Holder): Promise<Result<T>> {
    const taken = holder.take();
    const failed = (error: unknown, failure: Failure): Promise<Result<T>> =>
      this.#again(error, failure, kind, request, holder);
    if (!(taken instanceof Promise)) return this.#on(taken, kind, request, holder, failed);
    return taken.then(
      (lease) => this.#on<T>(lease, kind, request, holder, failed),
      (error: unknown) => failed(error, { idempotent: request.idempotent, sent: false }),
    );
  }

  #on<T>(
    lease: Lease,
    kind: StatementKind,
    { statement, idempotent }: StatementRequest,
    holder: Holder,
    failed: (error: unknown, failure: Failure) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const { connection } = lease;
    const before = connection.sentBytes;
    const pristine = !connection.dirty && this.#pool.plainSessions;
    return connection.run<T>(kind, statement).then(
      (result) => {
        const done = holder.done(lease);
        return done === undefined ? result : done.then(() => result);
      },
      async (error: unknown) => {
        const sent = connection.sentBytes > before;
        const failure: Failure = { idempotent, sent, pristine, flavour: connection.flavour };
        if (this.#host.policy.spoils(error, failure)) holder.discard(lease, error as Error);
        else await holder.done(lease);
        return failed(error, failure);
      },
    );
  }

  /** After a first attempt that failed. */
  #again<T>(
    error: unknown,
    failure: Failure,
    kind: StatementKind,
    request: StatementRequest,
    holder: Holder,
  ): Promise<Result<T>> {
    const { policy, logger } = this.#host;
    let last = failure;
    const hooks: RetryHooks = {
      retry: (reason) => policy.retryable(reason, last) !== undefined,
      repeated: (reason, attempt) => {
        const found = policy.retryable(reason, last)?.name;
        logger.warn({ class: found, attempt, ...errorFields(reason) }, 'statement repeated');
      },
    };
    const attempt = async (): Promise<Result<T>> => {
      last = { idempotent: request.idempotent, sent: false };
      const lease = await holder.take();
      return this.#on<T>(lease, kind, request, holder, (reason, facts) => {
        last = facts;
        throw reason;
      });
    };
    return retryAfter(error, attempt, policy, hooks);
  }
}

/** The scope keeps the lease; only a spoilt one leaves it. */
function holderOf(slot: Slot): Holder {
  return {
    take: () => slot.lease(),
    discard: (_, reason) => slot.discard(reason),
    done: () => undefined,
  };
}
