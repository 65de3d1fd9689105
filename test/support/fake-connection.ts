import type { Clock } from '../../src/clock';
import type { Connection, Flavour, RowSource, StatementTracer } from '../../src/driver/connection';
import type { Result, Statement, StatementKind } from '../../src/driver/statement';
import { deferred, type Deferred } from './deferred';

/** How a scripted server answers one statement. */
export interface Reply {
  readonly rows?: unknown;
  readonly error?: Error;
  /** The statement stays on the wire until this settles; its rejection is the answer. */
  readonly until?: Promise<unknown>;
  /** The statement never reaches the network. */
  readonly unsent?: boolean;
  /** What the statement does to the session, just before the answer. */
  readonly effect?: (connection: FakeConnection) => void;
}

/** What a connection asks of the server it belongs to. */
export interface FakeServer {
  readonly clock: Clock;
  record(connection: FakeConnection, text: string): void;
  replyTo(connection: FakeConnection, text: string): Reply;
  closed(connection: FakeConnection): void;
}

function closedState(): Error {
  return Object.assign(new Error("Can't add new command when connection is in closed state"), {
    fatal: true,
  });
}

/**
 * A session of the fake server. Statements run one after the other; BEGIN, COMMIT and ROLLBACK
 * turn the transaction flag, SET and USE make the session dirty.
 */
export class FakeConnection implements Connection {
  readonly flavour: Flavour;
  address: string | undefined;
  inTransaction = false;
  dirty = false;
  schemaChanged = false;
  sentBytes = 0;
  pending = 0;
  lost: Error | undefined;
  /** True once it is closed, destroyed or lost. */
  gone = false;
  readonly #server: FakeServer;
  readonly #broken: Deferred<never> = deferred<never>();
  #turn: Promise<unknown> = Promise.resolve();
  #drained: (() => void)[] = [];
  readonly #onLost = new Set<(reason: Error) => void>();
  #tracer: StatementTracer | undefined;
  #slow: { threshold: number; listener: (sql: string, elapsed: number) => void } | undefined;

  constructor(
    readonly threadId: number,
    flavour: Flavour,
    server: FakeServer,
  ) {
    this.flavour = flavour;
    this.#server = server;
  }

  run<T>(_kind: StatementKind, { sql, tidy = false }: Statement): Promise<Result<T>> {
    return this.#command(sql, (rows) => {
      const { dirty } = this;
      this.#simulate(sql);
      if (tidy) this.dirty = dirty;
      return [(rows ?? (/^SELECT/i.test(sql) ? [] : { affectedRows: 0 })) as T, []];
    });
  }

  /** The rows of the reply, all at once. */
  stream(statement: Statement): RowSource {
    let rows: Promise<unknown[] | undefined> = this.run<unknown[]>('execute', statement).then(
      ([found]) => (found.length === 0 ? undefined : found),
    );
    rows.catch(() => {});
    return {
      next: () => {
        const found = rows;
        rows = rows.then(() => undefined);
        rows.catch(() => {});
        return found;
      },
      drop: () => {},
    };
  }

  async drained(): Promise<void> {
    if (this.pending > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  ping(): Promise<void> {
    return this.#command('<ping>', () => undefined);
  }

  reset(): Promise<void> {
    return this.#command('<reset>', () => {
      this.inTransaction = false;
    });
  }

  markClean(): void {
    this.dirty = false;
    this.schemaChanged = false;
  }

  async close(within: number): Promise<void> {
    if (this.gone) return;
    const { until } = this.#say('<quit>');
    if (until !== undefined) {
      const late = deferred();
      const timer = this.#server.clock.setTimer(() => late.resolve(), within);
      await Promise.race([until, late.promise]);
      timer.cancel();
    }
    this.#end();
  }

  destroy(reason: Error): void {
    this.lost ??= reason;
    this.#broken.reject(reason);
    this.#end();
  }

  watch(threshold: number, listener: (sql: string, elapsed: number) => void): void {
    this.#slow = { threshold, listener };
  }

  trace(tracer: StatementTracer): void {
    this.#tracer = tracer;
  }

  onLost(listener: (reason: Error) => void): () => void {
    this.#onLost.add(listener);
    return () => void this.#onLost.delete(listener);
  }

  /** The network or the server ends the connection. */
  lose(reason: Error): void {
    if (this.gone) return;
    this.destroy(reason);
    for (const listener of this.#onLost) listener(reason);
  }

  #command<T>(text: string, done: (rows: unknown) => T): Promise<T> {
    this.pending++;
    const turn = this.#turn.then(() => this.#exchange(text, done));
    this.#turn = turn.catch(() => {});
    return turn.finally(() => this.#finish());
  }

  async #exchange<T>(text: string, done: (rows: unknown) => T): Promise<T> {
    if (this.gone) throw closedState();
    const begun = this.#server.clock.now();
    const trace = this.#tracer?.begun(text, this);
    const reply = this.#say(text);
    // An answer never comes in the same breath.
    await Promise.resolve();
    if (reply.until !== undefined) await Promise.race([reply.until, this.#broken.promise]);
    if (this.lost === undefined) reply.effect?.(this);
    const elapsed = this.#server.clock.now() - begun;
    this.#tracer?.ended(text, this, elapsed, this.lost ?? reply.error ?? null, trace);
    if (this.lost !== undefined) throw this.lost;
    this.#noteTime(text, begun);
    if (reply.error !== undefined) throw reply.error;
    return done(reply.rows);
  }

  #say(text: string): Reply {
    const reply = this.#server.replyTo(this, text);
    if (reply.unsent !== true) {
      this.#server.record(this, text);
      this.sentBytes += text.length + 5;
    }
    return reply;
  }

  #simulate(sql: string): void {
    if (/^\s*(BEGIN|START TRANSACTION)\b/i.test(sql)) this.inTransaction = true;
    if (/^\s*(COMMIT|ROLLBACK(?! TO))\b/i.test(sql)) this.inTransaction = false;
    if (/^\s*(SET|USE)\b/i.test(sql)) this.dirty = true;
    if (/^\s*USE\b/i.test(sql)) this.schemaChanged = true;
  }

  #noteTime(sql: string, begun: number): void {
    const elapsed = this.#server.clock.now() - begun;
    if (this.#slow !== undefined && elapsed >= this.#slow.threshold) {
      this.#slow.listener(sql, elapsed);
    }
  }

  #finish(): void {
    if (--this.pending > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #end(): void {
    if (this.gone) return;
    this.gone = true;
    this.#server.closed(this);
  }
}
