import type { Clock } from '../clock';
import type { Connection } from '../driver/connection';
import { errorFields, type Logger } from '../logger';
import { bounded } from './bounded';
import type { SessionSetup } from './session';

export type ResetPolicy = 'dirty' | 'always' | 'never';

/**
 * What happens between a borrower's release and the next borrower, in this order: drain what is
 * still running, roll back an open transaction, reset a dirty session. A connection that resists,
 * or is in a state we do not know, is not repaired but dropped.
 */
export class ReturnCeremony {
  readonly #policy: ResetPolicy;
  readonly #session: SessionSetup;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #logger: Logger;

  /** @param limit ms for the server's answers, as for a connect; 0 is no limit. */
  constructor(
    policy: ResetPolicy,
    session: SessionSetup,
    clock: Clock,
    limit: number,
    logger: Logger,
  ) {
    this.#policy = policy;
    this.#session = session;
    this.#clock = clock;
    this.#limit = limit;
    this.#logger = logger;
  }

  /** True where the connection can go straight on: the clean return costs no round trip. */
  isClean(connection: Connection): boolean {
    return (
      connection.pending === 0 &&
      !connection.inTransaction &&
      connection.lost === undefined &&
      (this.#policy === 'dirty' ? !connection.dirty : this.#policy === 'never')
    );
  }

  /** True where the connection is fit for the next borrower. Never rejects. */
  async perform(connection: Connection): Promise<boolean> {
    try {
      await connection.drained();
      return await bounded(this.#clock, connection, this.#limit, () => this.#clean(connection));
    } catch (error) {
      this.#logger.warn(
        { threadId: connection.threadId, ...errorFields(error) },
        'a connection could not be cleaned on return; it is closed',
      );
      return false;
    }
  }

  async #clean(connection: Connection): Promise<boolean> {
    if (connection.lost !== undefined) return false;
    if (connection.inTransaction) {
      this.#logger.warn(
        { threadId: connection.threadId },
        'returned inside a transaction; rolled back',
      );
      await connection.run('query', { sql: 'ROLLBACK' });
    }
    if (this.#policy === 'always' || (this.#policy === 'dirty' && connection.dirty)) {
      return this.#session.renew(connection);
    }
    return connection.lost === undefined;
  }
}
