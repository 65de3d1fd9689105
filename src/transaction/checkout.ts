import {
  controlOf,
  type ControlMode,
  type TransactionControl,
} from '../driver/transaction-control';
import type { Result, ResultHeader, Row, StatementKind } from '../driver/statement';
import type { StatementObject, StatementValues } from '../driver/statement-arguments';
import { NoTransactionError, TransactionControlError, TransactionOpenError } from '../errors';
import { releasedError } from '../pool/lease';
import { Lane } from '../scope/lane';
import type { AtomicOptions } from './atomic-options';
import { OpenBlock, type Ground } from './open-block';
import type { RowStream } from './row-stream';
import type { TransactionHost } from './transaction';

/** What is under a checkout: a lease of its own, or the transaction block it was taken in. */
export interface CheckoutHome extends Ground {
  /** Whether the checkout's own statements are part of a block already. */
  readonly inBlock: boolean;
  /** The server's number for the session; `undefined` where no statement has needed one yet. */
  readonly threadId: number | undefined;
  release(): Promise<void>;
  destroy(): void;
}

/** A transaction or a savepoint that was begun by text. */
interface Level {
  /** Of the savepoint; `undefined` for the transaction, and for one whose name was given anew. */
  name: string | undefined;
  readonly block: OpenBlock;
}

/** As a server answers what changes no rows. */
const DONE: ResultHeader & Record<string, unknown> = Object.freeze({
  fieldCount: 0,
  affectedRows: 0,
  insertId: 0,
  info: '',
  serverStatus: 2,
  warningStatus: 0,
  changedRows: 0,
});

/**
 * A connection as other people's libraries know it: BEGIN, SAVEPOINT and their like come as text, and
 * become transaction blocks. Taken inside a block it is a view of that one, whoever uses it later: what
 * looks like a transaction is a savepoint there.
 *
 * Its statements and its transaction control run one by one, in the order they were issued.
 */
export class Checkout {
  readonly #host: TransactionHost;
  readonly #home: CheckoutHome;
  readonly #turns: Lane;
  readonly #levels: Level[] = [];
  readonly #streams = new Set<RowStream<Row>>();
  /** What SET TRANSACTION said of the transaction that is begun next. */
  #next: ControlMode = {};
  #released: Promise<void> | undefined;
  #onRelease: (() => void) | undefined;

  constructor(host: TransactionHost, home: CheckoutHome) {
    this.#host = host;
    this.#home = home;
    this.#turns = new Lane(host.clock, 0);
  }

  get threadId(): number | undefined {
    return this.#home.threadId;
  }

  run<T>(
    kind: StatementKind,
    sql: string | StatementObject,
    values?: StatementValues,
  ): Promise<Result<T>> {
    if (this.#released !== undefined) return Promise.reject(releasedError());
    return this.#turns.run(() => {
      const control = this.#controlIn(sql);
      if (control === undefined) return this.#ground.statements[kind]<T>(sql, values);
      return this.#steer(control).then(() => [{ ...DONE }, undefined] as unknown as Result<T>);
    });
  }

  /** The rows as they arrive. Other statements are refused until they are read or left, as in a block. */
  async *stream(
    kind: StatementKind,
    sql: string | StatementObject,
    values?: StatementValues,
  ): AsyncGenerator<Row, void, undefined> {
    if (this.#released !== undefined) throw releasedError();
    const rows = await this.#turns.run(async () => {
      if (this.#controlIn(sql) !== undefined) throw notTranslated();
      const { statements } = this.#ground;
      return kind === 'query' ? statements.streamText(sql, values) : statements.stream(sql, values);
    });
    this.#streams.add(rows);
    try {
      yield* rows;
      // What was cut short must not look whole.
      if (this.#released !== undefined) throw releasedError();
    } finally {
      this.#streams.delete(rows);
    }
  }

  /** `listener` is called when it is given back, or destroyed. One at most. */
  onRelease(listener: () => void): void {
    this.#onRelease = listener;
  }

  /**
   * Gives the connection back in its turn: streams are left, what is not committed is rolled back.
   * Every use afterwards rejects with `LeaseReleasedError`. Never rejects; a second call does nothing.
   */
  release(): Promise<void> {
    const idle = this.#turns.free && this.#levels.length === 0 && this.#streams.size === 0;
    this.#released ??= idle ? this.#giveBack() : this.#turns.run(() => this.#clearUp());
    return this.#released;
  }

  async #clearUp(): Promise<void> {
    await Promise.all([...this.#streams].map((rows) => rows.return()));
    await this.#rollBackFrom(0);
    await this.#giveBack();
  }

  #giveBack(): Promise<void> {
    this.#onRelease?.();
    return this.#home.release();
  }

  /** As {@link release}; what holds it up for longer than `within` ms is closed. */
  async end(within: number): Promise<void> {
    const deadline = this.#host.clock.setDeadline(() => this.destroy(), within);
    await this.release();
    deadline.cancel();
  }

  /** Closes the connection instead. In a block it is the block's, and this is {@link release}. */
  destroy(): void {
    if (this.#home.inBlock) {
      void this.release();
      return;
    }
    this.#released ??= Promise.resolve();
    this.#home.destroy();
    this.#onRelease?.();
    void this.#rollBackFrom(0);
  }

  /** The innermost block that is open here, else what is under it all. */
  get #ground(): Ground {
    return this.#levels.at(-1)?.block ?? this.#home;
  }

  #controlIn(sql: string | StatementObject): TransactionControl | undefined {
    // What is no text is refused by whom it is given to.
    const text: unknown = typeof sql === 'string' ? sql : sql?.sql;
    const control = typeof text === 'string' ? controlOf(text) : undefined;
    // In mid-transaction it is the server's to refuse.
    return control?.verb === 'set' && this.#levels.length > 0 ? undefined : control;
  }

  async #steer(control: TransactionControl): Promise<void> {
    switch (control.verb) {
      case 'set':
        this.#next = { ...this.#next, ...control.mode };
        return;
      case 'begin':
        return this.#begin(control.mode);
      case 'commit':
        return this.#commitFrom(0);
      case 'rollback':
        return this.#rollBackFrom(0);
      case 'savepoint':
        return this.#makeSavepoint(control.name);
      case 'release':
        return this.#commitFrom(this.#indexOf(control.name));
      case 'rollbackTo':
        return this.#rollBackTo(control.name);
      case 'unknown':
        throw notTranslated();
    }
  }

  async #begin(mode: ControlMode): Promise<void> {
    if (this.#levels.length > 0) {
      throw new TransactionOpenError(
        'BEGIN on a connection whose transaction is open would commit that; it was not sent.',
      );
    }
    const asked = { ...this.#next, ...mode };
    this.#next = {};
    await this.#open(undefined, { ...asked, label: 'BEGIN as text' });
    if (asked.consistentSnapshot !== true) return;
    try {
      // The snapshot is of now, and not of whenever the first statement may come.
      await this.#ground.statements.query('DO 0');
    } catch (error) {
      await this.#rollBackFrom(0);
      throw error;
    }
  }

  async #makeSavepoint(name: string): Promise<void> {
    if (this.#levels.length === 0 && !this.#home.inBlock) {
      throw new NoTransactionError('SAVEPOINT outside a transaction would be none.');
    }
    const same = this.#levels.findLastIndex((level) => level.name === name);
    const known = this.#levels[same];
    // A server forgets the older one of the same name, and keeps what was written since.
    if (known !== undefined && same === this.#levels.length - 1) await this.#commitFrom(same);
    else if (known !== undefined) known.name = undefined;
    await this.#openSavepoint(name);
  }

  #openSavepoint(name: string): Promise<void> {
    return this.#open(name, { label: 'SAVEPOINT as text' });
  }

  async #open(name: string | undefined, options: AtomicOptions): Promise<void> {
    const block = await OpenBlock.begin(this.#ground, this.#host, options);
    this.#levels.push({ name, block });
  }

  /** Undoes what was done since, and leaves the savepoint where it is, as servers do. */
  async #rollBackTo(name: string): Promise<void> {
    await this.#rollBackFrom(this.#indexOf(name));
    // Of a transaction that can only be rolled back, the next statement tells.
    await this.#openSavepoint(name).catch(() => {});
  }

  #indexOf(name: string): number {
    const index = this.#levels.findLastIndex((level) => level.name === name);
    if (index >= 0) return index;
    throw new TransactionControlError('No savepoint of that name is open on this connection.');
  }

  /** Commits all levels from `index` on, the innermost first; after a failure the outer ones are rolled back. */
  async #commitFrom(index: number): Promise<void> {
    const levels = this.#levels.splice(index);
    for (let level = levels.pop(); level !== undefined; level = levels.pop()) {
      try {
        await level.block.commit();
      } catch (error) {
        await Promise.all(levels.map(({ block }) => block.rollBack()));
        throw error;
      }
    }
  }

  /** Never rejects. */
  async #rollBackFrom(index: number): Promise<void> {
    // The outermost first: it closes the others, which then have nothing to undo.
    await Promise.all(this.#levels.splice(index).map(({ block }) => block.rollBack()));
  }
}

function notTranslated(): TransactionControlError {
  return new TransactionControlError(
    'This form of transaction control is not carried out here, and was not sent: BEGIN, START ' +
      'TRANSACTION, COMMIT, ROLLBACK, SAVEPOINT, ROLLBACK TO, RELEASE SAVEPOINT and SET TRANSACTION are.',
  );
}
