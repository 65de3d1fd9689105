import type { Clock } from '../clock';
import type { Connection, Driver } from '../driver/connection';
import { bounded } from './bounded';
import type { ServerFacts } from './server-facts';
import type { SessionSetup } from './session';

/** A connection with a session that is set up. */
export interface Opened {
  readonly connection: Connection;
  readonly facts: ServerFacts;
}

/**
 * Opens connections whose sessions are set up. One time limit covers name resolution, connect,
 * authentication and set-up; whatever fails, or is called off, leaves no socket behind.
 */
export class Opener {
  readonly #driver: Driver;
  readonly #session: SessionSetup;
  readonly #clock: Clock;
  readonly #limit: number;

  /** @param limit ms for the whole; 0 is no limit. */
  constructor(driver: Driver, session: SessionSetup, clock: Clock, limit: number) {
    this.#driver = driver;
    this.#session = session;
    this.#clock = clock;
    this.#limit = limit;
  }

  async open(signal: AbortSignal): Promise<Opened> {
    const begun = this.#clock.now();
    const connection = await this.#driver.connect(this.#limit, signal);
    const abort = (): void => connection.destroy(signal.reason as Error);
    signal.addEventListener('abort', abort);
    try {
      const spent = this.#clock.now() - begun;
      const prepare = (): Promise<ServerFacts> => this.#session.open(connection);
      const facts = await bounded(this.#clock, connection, this.#limit, prepare, spent);
      return { connection, facts };
    } catch (error) {
      connection.destroy(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}
