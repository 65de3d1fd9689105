import type { RunningStream } from './running-stream';

/** Begins the statement and resolves once its first rows, its end or its error have come. */
export type OpenStream = () => Promise<OpenedStream>;

export interface OpenedStream {
  readonly running: RunningStream;
  readonly first: readonly unknown[] | undefined;
}

/** Streams that were begun and that nobody holds any more: their connections would never come back. */
const abandoned = new FinalizationRegistry<RunningStream>((running) => running.abandon());

/**
 * Rows one by one, as they arrive from the server: `for await (const row of db.stream(…))`.
 *
 * Nothing is sent before the first `next()`. Rows are read from the network no faster than they are
 * taken. Reading to the end, `break`, `return()` and an error all give the connection back; what the
 * server still has to send by then is stopped there.
 */
export class RowStream<T> implements AsyncGenerator<T, void, undefined> {
  readonly #open: OpenStream;
  #rows: readonly unknown[] = [];
  #at = 0;
  #running: RunningStream | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #queued = 0;
  #state: 'new' | 'open' | 'over' = 'new';

  /** @internal */
  constructor(open: OpenStream) {
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#queued === 0 && this.#at < this.#rows.length) return Promise.resolve(this.#row());
    return this.#inTurn(() => this.#advance());
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#rows = [];
    return this.#inTurn(async () => {
      await this.#leave();
      return { done: true, value: undefined };
    });
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    return this.return().then(() => {
      throw error;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Steps that were asked for at once are made one after the other. */
  #inTurn<V>(step: () => Promise<V>): Promise<V> {
    this.#queued++;
    const made = this.#turn.then(step);
    const over = (): void => {
      this.#queued--;
    };
    this.#turn = made.then(over, over);
    return made;
  }

  #row(): IteratorResult<T, void> {
    return { done: false, value: this.#rows[this.#at++] as T };
  }

  async #advance(): Promise<IteratorResult<T, void>> {
    if (this.#at < this.#rows.length) return this.#row();
    if (this.#state === 'over') return { done: true, value: undefined };
    const rows = await this.#more();
    if (rows === undefined) {
      this.#end();
      return { done: true, value: undefined };
    }
    this.#rows = rows;
    this.#at = 0;
    return this.#row();
  }

  async #more(): Promise<readonly unknown[] | undefined> {
    try {
      if (this.#running !== undefined) return await this.#running.next();
      this.#state = 'open';
      const { running, first } = await this.#open();
      this.#running = running;
      abandoned.register(this, running, this);
      return first;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async #leave(): Promise<void> {
    if (this.#state === 'over') return;
    this.#end();
    await this.#running?.leave();
  }

  #end(): void {
    this.#state = 'over';
    this.#rows = [];
    this.#at = 0;
    abandoned.unregister(this);
  }
}
