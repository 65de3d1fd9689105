import type { Clock } from '../../src/clock';
import type { Driver, Flavour } from '../../src/driver/connection';
import { deferred } from './deferred';
import { FakeConnection, type FakeServer, type Reply } from './fake-connection';

/** What one connect goes through: it succeeds when this resolves, fails with what it rejects with. */
export type ConnectStep = () => Promise<unknown>;

export type Script = Reply | ((connection: FakeConnection, text: string) => Reply | undefined);

interface Line {
  readonly match: RegExp;
  readonly script: Script;
  times: number;
}

/** The session set-up of each connect, which most tests do not ask about. */
const SET_UP = /^SET NAMES |^SELECT @@wait_timeout/;

export interface FakeDriverOptions {
  readonly database?: string;
  readonly flavour?: Flavour;
  /** Its wait_timeout, in seconds; 0: not known. */
  readonly waitTimeout?: number;
}

/**
 * A server and the way to it, both scripted: what connects do, what statements answer. Records what
 * was sent, in order.
 */
export class FakeDriver implements Driver, FakeServer {
  readonly charset = { name: 'utf8mb4', collation: 'utf8mb4_unicode_ci' };
  readonly database: string | undefined;
  readonly clock: Clock;
  /** Every connection ever opened; `threadId` is its place, from 1. */
  readonly connections: FakeConnection[] = [];
  /** What was sent, as `<threadId> <text>`. */
  readonly sent: string[] = [];
  /** Connects begun so far. */
  attempts = 0;
  /** What a connect does for which nothing else was said. */
  everyConnect: ConnectStep = () => Promise.resolve();
  readonly #waitTimeout: number;
  readonly #flavour: Flavour;
  readonly #steps: ConnectStep[] = [];
  readonly #lines: Line[] = [];
  #open = 0;

  constructor(
    clock: Clock,
    { database, flavour = 'mariadb', waitTimeout = 0 }: FakeDriverOptions = {},
  ) {
    this.#waitTimeout = waitTimeout;
    this.clock = clock;
    this.database = database;
    this.#flavour = flavour;
  }

  /** Connections that are neither closed nor lost. */
  get open(): number {
    return this.#open;
  }

  /** What was sent, the set-up of new sessions left out. */
  get work(): string[] {
    return this.sent.filter((line) => !SET_UP.test(line.replace(/^\d+ /, '')));
  }

  /** The newest connection. */
  get latest(): FakeConnection {
    return this.connections.at(-1)!;
  }

  /** The next connects go through these, in order. */
  nextConnects(...steps: ConnectStep[]): void {
    this.#steps.push(...steps);
  }

  /** Answers matching statements so, `times` times. What was said last counts first. */
  on(match: RegExp, script: Script, times = Infinity): void {
    this.#lines.unshift({ match, script, times });
  }

  /** The same, for the next matching statement only. */
  once(match: RegExp, script: Script): void {
    this.on(match, script, 1);
  }

  async connect(within: number, signal: AbortSignal, address?: string): Promise<FakeConnection> {
    this.attempts++;
    signal.throwIfAborted();
    const step = this.#steps.shift() ?? this.everyConnect;
    const calledOff = deferred<never>();
    const onAbort = (): void => calledOff.reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    const late = (): void => calledOff.reject(codeError('ETIMEDOUT', { syscall: 'connect' }));
    const timer = within > 0 ? this.clock.setTimer(late, within) : undefined;
    try {
      await Promise.race([step(), calledOff.promise]);
    } finally {
      timer?.cancel();
      signal.removeEventListener('abort', onAbort);
    }
    const connection = new FakeConnection(this.connections.length + 1, this.#flavour, this);
    connection.address = address;
    this.connections.push(connection);
    this.#open++;
    return connection;
  }

  format(sql: string, values: readonly unknown[] = []): string {
    return values.reduce<string>((text, value) => text.replace('?', this.escape(value)), sql);
  }

  escape(value: unknown): string {
    return `'${String(value).replaceAll("'", "''")}'`;
  }

  escapeId(value: string): string {
    return `\`${value.replaceAll('`', '``')}\``;
  }

  record(connection: FakeConnection, text: string): void {
    this.sent.push(`${connection.threadId} ${text}`);
  }

  replyTo(connection: FakeConnection, text: string): Reply {
    for (const line of this.#lines) {
      if (line.times === 0 || !line.match.test(text)) continue;
      const reply = typeof line.script === 'function' ? line.script(connection, text) : line.script;
      if (reply === undefined) continue;
      line.times--;
      return reply;
    }
    if (text.startsWith('SELECT @@wait_timeout')) {
      const identity = ['fake', 3306, 1];
      return { rows: [[this.#waitTimeout, connection.threadId, 16_777_216, ...identity]] };
    }
    return text.startsWith('SHOW GLOBAL STATUS') ? { rows: [['Uptime', 1000]] } : {};
  }

  closed(_connection: FakeConnection): void {
    this.#open--;
  }
}

/** An error of Node's or mysql2's kind: a code, and no answer of the server. */
export function codeError(code: string, more: object = {}): Error {
  return Object.assign(new Error(`fake ${code}`), { code, ...more });
}

/** An error the server answers with. */
export function serverError(errno: number, message = `fake error ${errno}`, code?: string): Error {
  return Object.assign(new Error(message), {
    errno,
    sqlState: 'HY000',
    code: code ?? `ER_${errno}`,
  });
}

/** The connection breaks while the statement is on its way. */
export function breaks(reason: Error = codeError('ECONNRESET')): Reply {
  return { effect: (connection) => connection.lose(reason), error: reason };
}

/** A promise that never settles: for a connect or an answer that does not come. */
export const never = new Promise<never>(() => {});
