import type { Connection as CoreConnection } from 'mysql2';
import type { Socket } from 'node:net';
import { InvalidArgumentError } from '../errors';
import { systemClock } from '../clock';
import {
  failedSource,
  type Connection,
  type Flavour,
  type RowSource,
  type StatementTracer,
} from './connection';
import { Mysql2RowSource, type RowCommand } from './mysql2-row-source';
import { traitsOf } from './sql-text';
import type { Field, Result, Statement, StatementKind } from './statement';

/** The status bit that is set while a transaction is open, on both flavours. */
const IN_TRANSACTION = 1;
/** The status bit of the SQL mode in which a backslash is a character like any other. */
const NO_BACKSLASH_ESCAPES = 512;

/** What an OK packet carries beside what users see. */
interface OkPacket {
  readonly serverStatus?: number;
  readonly stateChanges?: { readonly trackStateChange: unknown; readonly schema: unknown };
}

type Callback = (error: Error | null, rows?: unknown, fields?: unknown) => void;

/** mysql2's callback interface, as far as it is used here (its types forbid the plain call). */
interface Core {
  query(sql: string, values: unknown, done: Callback): void;
  query(statement: object, done: Callback): void;
  execute(sql: string, values: unknown, done: Callback): void;
  execute(statement: object, done: Callback): void;
  query(statement: object): RowCommand;
  execute(statement: object): RowCommand;
  pause(): void;
  resume(): void;
  ping(done: (error: Error | null) => void): void;
  reset(done: (error: Error | null) => void): void;
  end(done?: (error: Error | null) => void): void;
  unprepare(statement: object): unknown;
  on(event: string, listener: (reason?: Error) => void): void;
}

function lostError(): Error {
  return Object.assign(new Error('Connection lost: the server closed the connection'), {
    code: 'PROTOCOL_CONNECTION_LOST',
    fatal: true,
  });
}

/**
 * mysql2 puts the whole text, values escaped into it, on each error. It stays readable there, but
 * out of what loggers and `util.inspect` enumerate.
 */
function hideText(error: Error): Error {
  if ('sql' in error) Object.defineProperty(error, 'sql', { enumerable: false });
  return error;
}

function hasEscapes({ values, escaped }: Statement): boolean {
  return escaped === true || (values !== undefined && values.length > 0);
}

function unescapable(): InvalidArgumentError {
  return new InvalidArgumentError(
    'values',
    'cannot be escaped safely under the SQL mode NO_BACKSLASH_ESCAPES: use execute(), which binds them',
  );
}

/** ER_MAX_PREPARED_STMT_COUNT_REACHED: a limit of the server's as a whole. */
function isTooManyPrepared(error: Error): boolean {
  return (error as { errno?: number }).errno === 1461;
}

/** The OK packet in a result: the header itself, or the last one of a CALL. */
function okPacketOf(rows: unknown, fields: unknown): OkPacket | undefined {
  if (!Array.isArray(rows)) return rows as OkPacket;
  if (Array.isArray(fields) && fields.length > 0 && fields.at(-1) === undefined) {
    return rows.at(-1) as OkPacket;
  }
  return undefined;
}

/**
 * A session over mysql2's callback interface, on a socket of our own: destroying that socket
 * settles every command at once with our error, and its byte counter proves what left.
 */
export class Mysql2Connection implements Connection {
  readonly #core: Core;
  readonly #socket: Socket;
  readonly flavour: Flavour;
  readonly threadId: number;
  readonly address: string | undefined;
  #pending = 0;
  #drained: (() => void)[] = [];
  #closed = false;
  #lost: Error | undefined;
  readonly #onLost = new Set<(reason: Error) => void>();
  #rows: Mysql2RowSource | undefined;
  /** mysql2 escapes with backslashes, which this session takes for text. */
  #escapesFail = false;
  #slow = Infinity;
  #onSlow: ((sql: string, elapsed: number) => void) | undefined;
  #tracer: StatementTracer | undefined;
  inTransaction = false;
  dirty = false;
  schemaChanged = false;

  constructor(core: CoreConnection, socket: Socket, serverVersion: string) {
    this.#core = core as unknown as Core;
    this.#socket = socket;
    this.threadId = core.threadId;
    this.address = socket.remoteAddress;
    this.flavour = /mariadb/i.test(serverVersion) ? 'mariadb' : 'mysql';
    // Without a listener an 'error' event ends the process.
    this.#core.on('error', (reason) => this.#lose(reason ?? lostError()));
    this.#core.on('end', () => this.#lose(lostError()));
    socket.on('close', () => this.#lose(lostError()));
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten;
  }

  get pending(): number {
    return this.#pending;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  run<T>(kind: StatementKind, statement: Statement): Promise<Result<T>> {
    return new Promise((resolve, reject) => {
      const { sql, values, shape } = statement;
      if (this.#lost !== undefined) {
        reject(this.#lost);
        return;
      }
      if (this.#escapesFail && kind === 'query' && hasEscapes(statement)) {
        reject(unescapable());
        return;
      }
      if (statement.tidy !== true && traitsOf(sql).dirtiesSession) this.dirty = true;
      this.#pending++;
      const trace = this.#tracer?.begun(sql, this);
      const begun = systemClock.now();
      let settled = false;
      const done: Callback = (error, rows, fields) => {
        // mysql2 calls back twice when the connection is lost between preparing and executing.
        if (settled) return;
        settled = true;
        const elapsed = systemClock.now() - begun;
        if (elapsed >= this.#slow) this.#tellSlow(sql, elapsed);
        this.#tracer?.ended(sql, this, elapsed, error, trace);
        if (error !== null) {
          if (kind === 'execute') this.#forgetStale(error, statement);
          if (kind === 'execute' && isTooManyPrepared(error)) {
            // The server prepares no more; the same statement goes as text.
            resolve(this.run<T>('query', statement));
            this.#finish();
            return;
          }
          this.#finish();
          reject(hideText(error));
          return;
        }
        const ok = okPacketOf(rows, fields);
        if (ok !== undefined) this.#note(ok);
        this.#finish();
        resolve([rows as T, fields as Field[]]);
      };
      try {
        // The plain call is markedly faster than one with an object of options.
        if (shape === undefined) this.#core[kind](sql, values, done);
        else this.#core[kind]({ ...shape, sql, values }, done);
      } catch (cause) {
        settled = true;
        this.#finish();
        const unbound = new InvalidArgumentError('values', 'cannot be bound', { cause });
        this.#tracer?.ended(sql, this, systemClock.now() - begun, unbound, trace);
        reject(unbound);
      }
    });
  }

  stream(statement: Statement): RowSource {
    const { sql, values, shape, asText } = statement;
    if (this.#lost !== undefined) return failedSource(this.#lost);
    if (asText === true && this.#escapesFail && hasEscapes(statement)) {
      return failedSource(unescapable());
    }
    if (traitsOf(sql).dirtiesSession) this.dirty = true;
    const rows = new Mysql2RowSource({
      pause: () => this.#core.pause(),
      resume: () => this.#core.resume(),
      noteAnswer: (answer) => this.#note(answer as OkPacket),
      finished: () => {
        if (this.#rows === rows) this.#rows = undefined;
        this.#finish();
      },
    });
    const start = (kind: StatementKind): void => {
      rows.follow(this.#core[kind]({ ...shape, sql, values }), (error) => {
        hideText(error);
        this.#forgetStale(error, statement);
        // The server prepares no more; the same statement goes as text.
        const again = kind === 'execute' && isTooManyPrepared(error);
        if (again) start('query');
        return again;
      });
    };
    this.#pending++;
    this.#rows = rows;
    try {
      start(asText === true ? 'query' : 'execute');
    } catch (cause) {
      rows.fail(new InvalidArgumentError('values', 'cannot be bound', { cause }));
    }
    return rows;
  }

  drained(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  ping(): Promise<void> {
    return this.#command((done) => this.#core.ping(done));
  }

  async reset(): Promise<void> {
    await this.#command((done) => this.#core.reset(done));
    this.inTransaction = false;
  }

  markClean(): void {
    this.dirty = false;
    this.schemaChanged = false;
  }

  close(within: number): Promise<void> {
    if (this.#closed || this.#socket.destroyed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => {
      const deadline = systemClock.setTimer(() => this.#socket.destroy(), within);
      this.#socket.once('close', () => {
        deadline.cancel();
        resolve();
      });
      this.#core.end();
    });
  }

  destroy(reason: Error): void {
    this.#closed = true;
    this.#lost ??= reason;
    this.#socket.destroy(reason);
    // mysql2 tells a command without a callback nothing of it.
    this.#rows?.fail(reason);
  }

  watch(threshold: number, listener: (sql: string, elapsed: number) => void): void {
    this.#slow = threshold;
    this.#onSlow = listener;
  }

  trace(tracer: StatementTracer): void {
    this.#tracer = tracer;
  }

  onLost(listener: (reason: Error) => void): () => void {
    this.#onLost.add(listener);
    return () => void this.#onLost.delete(listener);
  }

  #command(start: (done: (error: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending++;
      start((error) => {
        this.#finish();
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Whatever is done with it must not keep the statement from settling. */
  #tellSlow(sql: string, elapsed: number): void {
    try {
      this.#onSlow?.(sql, elapsed);
    } catch {
      // A report that failed is no reason to fail the statement.
    }
  }

  #finish(): void {
    if (--this.#pending > 0) return;
    const waiting = this.#drained;
    if (waiting.length === 0) return;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }

  #note({ serverStatus, stateChanges }: OkPacket): void {
    if (serverStatus !== undefined) {
      this.inTransaction = (serverStatus & IN_TRANSACTION) !== 0;
      this.#escapesFail = (serverStatus & NO_BACKSLASH_ESCAPES) !== 0;
    }
    // The server reports "changed" as an empty text, and MySQL sends an empty report with each COMMIT.
    if (stateChanges === undefined) return;
    if (stateChanges.schema !== null) this.schemaChanged = this.dirty = true;
    if (stateChanges.trackStateChange !== null) this.dirty = true;
  }

  /** A handle the server no longer knows must not stay in mysql2's cache: every later use would fail. */
  #forgetStale(error: Error, { sql, shape }: Statement): void {
    const { errno } = error as { errno?: number };
    if (errno === 1243 || errno === 1615) this.#core.unprepare({ ...shape, sql });
  }

  #lose(reason: Error): void {
    this.#lost ??= reason;
    this.#rows?.fail(this.#lost);
    const listeners = [...this.#onLost];
    this.#onLost.clear();
    if (this.#closed) return;
    for (const listener of listeners) listener(this.#lost);
  }
}
