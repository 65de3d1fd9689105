import { createHash } from 'node:crypto';
import type { Timer } from '../clock';
import type { RetryingPooledDatabase } from '../database';
import { InvalidArgumentError, LockLostError, UnsafeTopologyError, describe } from '../errors';
import { partsOf } from '../pooled-database';
import { topologyOf } from '../schema/topology';
import type { PooledConnection } from '../transaction/pooled-connection';
import { lockName } from './lock-name';

/** How often the held connection is asked for a sign of life, in ms. */
const PING = 10_000;
/** How long it has to give one, in ms. */
const ANSWER = 5000;
/** The longest wait in s that every server takes. */
const LONGEST_WAIT = 31_536_000;

/**
 * A lock of one server session, by GET_LOCK: half the price of a {@link DistributedLocks} lease, and
 * it ends at once with the process. It holds a connection for as long as it is held, bears no token,
 * and is one server's: on a cluster each node would give it away.
 *
 * Names are hashed, since servers differ in how long they may be and whether case counts.
 */
export class SessionLock {
  readonly name: string;
  readonly #db: RetryingPooledDatabase;
  readonly #key: string;

  constructor(db: RetryingPooledDatabase, name: string) {
    this.#db = db;
    this.name = name;
    this.#key = createHash('sha256').update(lockName(name)).digest('hex');
  }

  /**
   * Takes the lock, waiting at most `wait` ms for it; `null` where somebody else has it.
   *
   * @throws {UnsafeTopologyError} on a Galera cluster.
   */
  async acquire({ wait = 0 }: { readonly wait?: number } = {}): Promise<SessionLockLease | null> {
    if (!(typeof wait === 'number' && wait >= 0)) {
      const rule = `must be a number of milliseconds, 0 or more, got ${describe(wait)}`;
      throw new InvalidArgumentError('wait', rule);
    }
    if ((await topologyOf(this.#db)).galera) {
      throw new UnsafeTopologyError(
        'GET_LOCK is not replicated by Galera: two nodes give the same lock to two callers. ' +
          'Use DistributedLocks.',
      );
    }
    const connection = await this.#db.getConnection();
    try {
      const got = await connection.queryValue<number | string>('SELECT GET_LOCK(?, ?)', [
        this.#key,
        Math.min(wait / 1000, LONGEST_WAIT),
      ]);
      if (Number(got) === 1) return new SessionLockLease(this.#db, connection, this.#key);
    } catch (error) {
      connection.destroy();
      throw error;
    }
    await connection.release();
    return null;
  }
}

/** A session lock that is held, with the connection it holds. */
export class SessionLockLease {
  readonly #connection: PooledConnection;
  readonly #key: string;
  readonly #aborter = new AbortController();
  readonly #db: RetryingPooledDatabase;
  readonly #unlisten: () => void;
  #timer: Timer | undefined;
  #released: Promise<void> | undefined;

  /** @internal */
  constructor(db: RetryingPooledDatabase, connection: PooledConnection, key: string) {
    this.#db = db;
    this.#connection = connection;
    this.#key = key;
    this.#unlisten = connection.onLost((reason) => this.#lose(reason));
    this.#watch();
  }

  /** Aborted when the connection, and with it the lock, was found lost. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  /** Gives lock and connection back. A second call resolves. */
  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  async #release(): Promise<void> {
    this.#timer?.cancel();
    this.#unlisten();
    try {
      await this.#connection.query('DO RELEASE_LOCK(?)', [this.#key]);
      await this.#connection.release();
    } catch {
      // With its session the lock is gone.
      this.#connection.destroy();
    }
  }

  #watch(): void {
    const { clock } = partsOf(this.#db).host;
    this.#timer = clock.setTimer(() => {
      // On a dead network nothing else tells.
      const unanswered = (): void => this.#lose(new Error(`no answer within ${ANSWER} ms`));
      this.#timer = clock.setTimer(unanswered, ANSWER);
      this.#connection.ping().then(
        () => {
          this.#timer?.cancel();
          if (this.#released === undefined && !this.#aborter.signal.aborted) this.#watch();
        },
        (cause: unknown) => this.#lose(cause),
      );
    }, PING);
  }

  #lose(cause: unknown): void {
    if (this.#released !== undefined || this.#aborter.signal.aborted) return;
    this.#timer?.cancel();
    this.#unlisten();
    const text = 'The session that held this lock is lost, and the lock with it.';
    this.#aborter.abort(new LockLostError(text, { cause }));
    this.#connection.destroy();
  }
}
