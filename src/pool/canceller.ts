import { detached } from '../async-context';
import type { Clock, Timer } from '../clock';
import type { Connection, Driver } from '../driver/connection';
import { errorFields, type Logger } from '../logger';
import { bounded } from './bounded';
import type { PoolEntry } from './entry';
import { factsOf } from './server-facts';

/** How long a control connection is kept after it was last needed, in ms. */
const KEPT = 60_000;

/** How long a control connection may take over its goodbye, in ms. */
const GOODBYE = 1000;

/** How long the server may take to confirm an order, in ms. By then nobody waits for it any more. */
const CONFIRMED = 1000;

/** A connection outside the pool, to the very server that a victim is on. */
interface Control {
  readonly connection: Connection;
  readonly server: string;
  /** No session that is younger than this, by the clock, can be older than the server's last start. */
  readonly startedBy: number;
  /** Takes it out of use. */
  readonly forget: () => void;
}

/**
 * Stops statements on the server by KILL QUERY.
 *
 * The order goes over a connection of its own, never one of the pool's, which may all be busy with
 * what is to be stopped. It is opened to the victim's own address when first needed. Session numbers
 * begin anew when a server is started, and differ from server to server: a number is used only
 * where the server is the victim's, and was not started since the victim came.
 */
export class Canceller {
  readonly #driver: Driver;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #logger: Logger;
  readonly #aborter = new AbortController();
  readonly #controls = new Map<string | undefined, Promise<Control>>();
  readonly #open = new Set<Connection>();
  #idle: Timer | undefined;

  /** @param limit ms for opening a control connection; 0 is no limit. */
  constructor(driver: Driver, clock: Clock, limit: number, logger: Logger) {
    this.#driver = driver;
    this.#clock = clock;
    this.#limit = limit;
    this.#logger = logger;
  }

  /** Control connections that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** True once the server has confirmed the order, or none was needed any more. Never rejects. */
  async kill({ connection, facts, bornAt }: PoolEntry): Promise<boolean> {
    if (connection.pending === 0) return true;
    // What is opened now would never be closed.
    if (this.#aborter.signal.aborted) return false;
    try {
      const control = await this.#control(connection.address);
      if (connection.pending === 0) return true;
      if (control.server !== facts.server || bornAt < control.startedBy) {
        this.#logger.warn({}, 'KILL QUERY not sent: the server is another, or was restarted');
        return false;
      }
      await this.#order(control, `KILL QUERY ${facts.sessionId}`);
      return true;
    } catch (error) {
      this.#logger.warn(errorFields(error), 'KILL QUERY failed');
      return false;
    }
  }

  /** Closes what is open; what is needed later is opened again. */
  async rest(): Promise<void> {
    this.#idle?.cancel();
    await this.#retire();
  }

  async end(): Promise<void> {
    this.#idle?.cancel();
    this.#aborter.abort(new Error('the database was ended'));
    this.#controls.clear();
    await Promise.all([...this.#open].map((connection) => connection.close(GOODBYE)));
    this.#open.clear();
  }

  /** Silence is rarely this order's own: a control connection that fell silent would swallow the next one too. */
  async #order({ connection, forget }: Control, sql: string): Promise<void> {
    try {
      await bounded(this.#clock, connection, CONFIRMED, () => connection.run('query', { sql }));
    } catch (error) {
      if (connection.lost !== undefined) forget();
      throw error;
    }
  }

  #control(address: string | undefined): Promise<Control> {
    this.#idle?.cancel();
    this.#idle = this.#clock.setTimer(() => void this.#retire(), KEPT);
    let control = this.#controls.get(address);
    if (control === undefined) {
      control = detached(() => this.#connect(address));
      this.#controls.set(address, control);
      control.catch(() => this.#controls.delete(address));
    }
    return control;
  }

  async #connect(address: string | undefined): Promise<Control> {
    const connection = await this.#driver.connect(this.#limit, this.#aborter.signal, address);
    const forget = (): void => {
      this.#open.delete(connection);
      this.#controls.delete(address);
    };
    this.#open.add(connection);
    connection.onLost(forget);
    try {
      return await bounded(this.#clock, connection, this.#limit, async () => {
        const { server } = await factsOf(connection);
        return { connection, server, startedBy: await this.#startOf(connection), forget };
      });
    } catch (error) {
      forget();
      connection.destroy(error as Error);
      throw error;
    }
  }

  /** Uptime is told in whole seconds: the server was started at this moment or up to one before. */
  async #startOf(connection: Connection): Promise<number> {
    const [rows] = await connection.run<unknown[][]>('query', {
      sql: "SHOW GLOBAL STATUS LIKE 'Uptime'",
      shape: { rowsAsArray: true },
    });
    return this.#clock.now() - Number(rows[0]?.[1] ?? 0) * 1000;
  }

  async #retire(): Promise<void> {
    const open = [...this.#open];
    this.#controls.clear();
    this.#open.clear();
    await Promise.all(open.map((connection) => connection.close(GOODBYE)));
  }
}
