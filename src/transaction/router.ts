import type { Result, StatementKind } from '../driver/statement';
import type { StatementRequest } from '../driver/statement-arguments';
import { errorFields } from '../logger';
import type { Lease } from '../pool/lease';
import type { Pool } from '../pool/pool';
import type { Failure } from '../retry/policy';
import { retrying } from '../retry/retry';
import { currentContext } from '../scope/context';
import type { Slot } from '../scope/slot';
import { currentFrame } from './atomic';
import { controlRefusal } from './frame';
import type { TransactionHost } from './transaction';

/** What is known of the attempt that failed last. */
type Facts = { -readonly [Name in keyof Failure]: Failure[Name] };

/**
 * Finds the connection for each statement: the open frame's, else the open scope's, else one for
 * this statement alone. Outside of frames it repeats what may be repeated.
 */
export class StatementRouter {
  readonly #pool: Pool;
  readonly #host: TransactionHost;

  constructor(pool: Pool, host: TransactionHost) {
    this.#pool = pool;
    this.#host = host;
  }

  run<T>(kind: StatementKind, request: StatementRequest): Promise<Result<T>> {
    const frame = currentFrame(this.#pool);
    if (frame !== undefined) return frame.run<T>(kind, request.statement);
    const refusal = controlRefusal(request.statement.sql);
    if (refusal !== undefined) return Promise.reject(refusal);
    const root = currentContext()?.scope?.root();
    if (root === undefined)
      return this.#repeating(request, (facts) => this.#alone(kind, request, facts));
    const slot = root.slotFor(this.#pool, this.#host.clock);
    return slot.lane.run(() =>
      this.#repeating(request, (facts) => this.#inSlot(slot, kind, request, facts)),
    );
  }

  #repeating<T>(
    { idempotent }: StatementRequest,
    attempt: (facts: Facts) => Promise<T>,
  ): Promise<T> {
    const { policy, logger } = this.#host;
    const facts: Facts = { flavour: undefined, sent: false, idempotent };
    return retrying(() => attempt(facts), policy, {
      retry: (error) => policy.retryable(error, facts) !== undefined,
      repeated: (error, attemptNumber) => {
        const { name } = policy.retryable(error, facts) ?? {};
        logger.warn(
          { class: name, attempt: attemptNumber, ...errorFields(error) },
          'statement repeated',
        );
      },
    });
  }

  #alone<T>(kind: StatementKind, request: StatementRequest, facts: Facts): Promise<Result<T>> {
    facts.sent = false;
    const idle = this.#pool.tryAcquire();
    if (idle !== undefined) return this.#onOwn(idle, kind, request, facts);
    return this.#pool.acquire().then((lease) => this.#onOwn<T>(lease, kind, request, facts));
  }

  #onOwn<T>(
    lease: Lease,
    kind: StatementKind,
    request: StatementRequest,
    facts: Facts,
  ): Promise<Result<T>> {
    return this.#attempt<T>(lease, kind, request, facts).then(
      (result) => {
        const returned = lease.giveBack();
        return returned === undefined ? result : returned.then(() => result);
      },
      async (error: unknown) => {
        if (this.#host.policy.spoils(error, facts)) lease.discard(error as Error);
        else await lease.giveBack();
        throw error;
      },
    );
  }

  async #inSlot<T>(
    slot: Slot,
    kind: StatementKind,
    request: StatementRequest,
    facts: Facts,
  ): Promise<Result<T>> {
    facts.sent = false;
    const lease = await slot.lease();
    try {
      return await this.#attempt<T>(lease, kind, request, facts);
    } catch (error) {
      if (this.#host.policy.spoils(error, facts)) slot.discard(error as Error);
      throw error;
    }
  }

  #attempt<T>(
    { connection }: Lease,
    kind: StatementKind,
    { statement }: StatementRequest,
    facts: Facts,
  ): Promise<Result<T>> {
    const before = connection.sentBytes;
    facts.flavour = connection.flavour;
    facts.pristine = !connection.dirty;
    return connection.run<T>(kind, statement).catch((error: unknown) => {
      facts.sent = connection.sentBytes > before;
      throw error;
    });
  }
}
