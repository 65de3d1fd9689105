import { setTimeout as sleep } from 'node:timers/promises';
import { RetryingPooledDatabase } from '../../src/index';
import { addressWithoutDatabase, type DemoServer } from './server';

/** Milliseconds between two looks, and after which the last one is no news any more. */
const INTERVAL = 50;
const STALE = 500;

export interface Session {
  readonly id: number;
  /** Whether a statement is running on it. */
  readonly busy: boolean;
}

/**
 * Watches the pool from the other side: the sessions the *server* knows, on a connection of its own.
 *
 * The pool's sessions are told apart by their database; the watcher has chosen none.
 */
export class ProcesslistWatcher {
  readonly #db: RetryingPooledDatabase;
  readonly #database: string;
  #watching: Promise<void> | undefined;
  #stopped = false;
  #samples = 0;
  #peak = 0;
  #latest = 0;
  #seen = 0;

  constructor(server: DemoServer) {
    this.#database = server.database;
    this.#db = new RetryingPooledDatabase({
      ...addressWithoutDatabase(server),
      connectionLimit: 1,
      acquireTimeout: 60_000,
      retry: { attempts: 10 },
    });
  }

  /** How often it has looked. */
  get samples(): number {
    return this.#samples;
  }

  /** The most sessions of the pool it has seen at a time. */
  get peak(): number {
    return this.#peak;
  }

  /** The sessions it saw last; `undefined` while the server does not answer. */
  get latest(): number | undefined {
    return performance.now() - this.#seen > STALE ? undefined : this.#latest;
  }

  /** Looks twenty times a second until {@link stop}; waits while the server is away. */
  start(): void {
    this.#stopped = false;
    this.#samples = this.#peak = this.#latest = 0;
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#watching;
  }

  /** The pool's sessions on the server. One that is killed and still winding up is not counted. */
  async sessions(): Promise<readonly Session[]> {
    const [rows] = await this.#db.query('SHOW PROCESSLIST', [], { idempotent: true });
    return rows
      .filter(({ db, Command }) => db === this.#database && Command !== 'Killed')
      .map(({ Id, Command }) => ({ id: Number(Id), busy: Command !== 'Sleep' }));
  }

  async kill(session: number): Promise<void> {
    await this.#db.query(`KILL CONNECTION ${session}`);
  }

  /** Seconds since the server was started. */
  async uptime(): Promise<number> {
    const [[row]] = await this.#db.query("SHOW GLOBAL STATUS LIKE 'Uptime'", [], {
      idempotent: true,
    });
    return Number(row?.Value);
  }

  /** How many sessions are left once the server had a moment to notice that clients are gone. */
  async left(): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const { length } = await this.sessions();
      if (length === 0 || attempt === 20) return length;
      await sleep(100);
    }
  }

  async end(): Promise<void> {
    await this.stop();
    await this.#db.end();
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      this.#latest = (await this.sessions()).length;
      this.#seen = performance.now();
      this.#samples++;
      this.#peak = Math.max(this.#peak, this.#latest);
      await sleep(INTERVAL);
    }
  }
}
