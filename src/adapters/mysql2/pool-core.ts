import type { RetryingPooledDatabase } from '../../database';
import type { Result, StatementKind } from '../../driver/statement';
import type { StatementObject, StatementValues } from '../../driver/statement-arguments';
import { PoolClosedError } from '../../errors';
import type { Checkout } from '../../transaction/checkout';
import type { Runner } from './command';
import { CallbackConnection } from './connection';

/** How long what is out may take to come back, in ms, before it is closed: as `db.end()` has it. */
const END_DEADLINE = 10_000;

/** What both faces of a pool share: the database, the connections that are out, the end. */
export class PoolCore implements Runner {
  readonly db: RetryingPooledDatabase;
  readonly #endsDatabase: boolean;
  /** Weak: a connection whose holder is gone is to be found and reclaimed. */
  readonly #out = new Set<WeakRef<Checkout>>();
  #ended: Promise<void> | undefined;

  constructor(db: RetryingPooledDatabase, endsDatabase: boolean) {
    this.db = db;
    this.#endsDatabase = endsDatabase;
  }

  getConnection(): Promise<CallbackConnection> {
    if (this.#ended !== undefined) return Promise.reject(ended());
    return this.db.checkout().then((checkout) => this.#lent(checkout));
  }

  #lent(checkout: Checkout): CallbackConnection {
    if (this.#ended !== undefined) {
      void checkout.release();
      throw ended();
    }
    const reference = new WeakRef(checkout);
    this.#out.add(reference);
    checkout.onRelease(() => this.#out.delete(reference));
    return new CallbackConnection(this.db, checkout);
  }

  run(
    kind: StatementKind,
    sql: string | StatementObject,
    values?: StatementValues,
  ): Promise<Result<unknown>> {
    if (this.#ended !== undefined) return Promise.reject(ended());
    return this.db[kind]<unknown>(sql, values);
  }

  async *stream(
    kind: StatementKind,
    sql: string | StatementObject,
    values?: StatementValues,
  ): AsyncGenerator<unknown, void, undefined> {
    if (this.#ended !== undefined) throw ended();
    yield* kind === 'query' ? this.db.streamText(sql, values) : this.db.stream(sql, values);
  }

  /** Takes no more work, and has what is out given back. A second call gives the first one's promise. */
  end(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<void> {
    const out = [...this.#out].map((reference) => reference.deref());
    await Promise.all(out.map(async (checkout) => checkout?.end(END_DEADLINE)));
    if (this.#endsDatabase) await this.db.end();
  }
}

function ended(): PoolClosedError {
  return new PoolClosedError('This pool was ended.');
}
