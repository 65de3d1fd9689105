import { Recorder } from './recorder';
import { SlowStatements } from './slow-statements';
import { databasesOf, type MonitoredDatabase, type MonitoredDatabases } from './source';

/** A database that is watched. */
export interface Watched {
  readonly name: string;
  readonly database: MonitoredDatabase;
  /** Where what it tells is counted: its own, or everybody's. */
  readonly recorder: Recorder;
}

export interface WatchOptions {
  /** From how many ms on a statement is slow. */
  readonly slowStatement: number;
  /** Of how many connections it is noted each second where they were taken. */
  readonly stacksPerSecond: number;
  /** Counts for each database by itself. */
  readonly apart: boolean;
}

interface Entry extends Watched {
  readonly stop: () => void;
}

/**
 * Watches the databases of a source as they come and go. What was counted for a database that is gone
 * stays in what is counted for all.
 */
export class Watch {
  readonly many: boolean;
  readonly slow: SlowStatements;
  readonly #open: () => Iterable<readonly [string, MonitoredDatabase]>;
  readonly #options: WatchOptions;
  readonly #shared: Recorder;
  readonly #entries = new Map<string, Entry>();
  readonly #unlisten: () => void;
  #closed = false;

  /** @throws {ConfigurationError} for what is neither a database nor several by name. */
  constructor(source: MonitoredDatabase | MonitoredDatabases, options: WatchOptions) {
    const { many, open, onOpen } = databasesOf(source);
    this.many = many;
    this.#open = open;
    this.#options = options;
    this.slow = new SlowStatements(options.slowStatement);
    this.#shared = new Recorder(this.slow);
    // Of a tenant that is open for less than a second all would be missed.
    this.#unlisten = onOpen(() => this.look());
    this.look();
  }

  /** Those that are open now; none after {@link close}. */
  look(): readonly Watched[] {
    // An answer that was under way then must not begin to watch anew what nobody would let go again.
    if (this.#closed) return [];
    const gone = new Set(this.#entries.keys());
    for (const [name, database] of this.#open()) {
      gone.delete(name);
      if (this.#entries.get(name)?.database !== database) this.#begin(name, database);
    }
    for (const name of gone) this.#end(name);
    return [...this.#entries.values()];
  }

  /** Where what is told is counted: one, or one for each database that is open. */
  recorders(): readonly { readonly name: string | undefined; readonly recorder: Recorder }[] {
    if (!this.#options.apart) return [{ name: undefined, recorder: this.#shared }];
    return [...this.#entries.values()];
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    for (const name of [...this.#entries.keys()]) this.#end(name);
  }

  #begin(name: string, database: MonitoredDatabase): void {
    this.#end(name);
    const recorder = this.#options.apart ? new Recorder(this.slow) : this.#shared;
    const { stacksPerSecond } = this.#options;
    const stop = database.observe(recorder, { stacksPerSecond });
    this.#entries.set(name, { name, database, recorder, stop });
  }

  #end(name: string): void {
    this.#entries.get(name)?.stop();
    this.#entries.delete(name);
  }
}
