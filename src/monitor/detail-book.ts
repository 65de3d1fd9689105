import type { ColumnKind, InstrumentRow } from '../metrics/instruments';
import { isFull } from './full-pool';
import type { Reading } from './instrument-book';
import type { Watched } from './watch';

/** What an instrument's rows were when the server was asked last. */
export interface Details {
  readonly columns: Readonly<Record<string, ColumnKind>>;
  readonly rows: readonly InstrumentRow[];
  /** Milliseconds since 1970; `undefined` before the first answer. */
  readonly asOf: number | undefined;
  /** The code of the error of the last time, where it failed. */
  readonly error: string | undefined;
}

interface Entry extends Details {
  readonly asking: Promise<void> | undefined;
}

/** Rows of each instrument that are asked for. */
const ROWS = 50;

/** Instruments that are asked at a time: the databases have other things to do. */
const ASKED = 20;

const keyOf = ({ database, instrument }: Reading): string => `${instrument.id} ${database}`;

/**
 * Locks that are held, queues that lag: what only the server knows. It is asked while somebody looks,
 * once at a time for each instrument, and never where the pool has no connection to spare.
 */
export class DetailBook {
  readonly #entries = new Map<string, Entry>();

  of(reading: Reading): Details | undefined {
    return this.#entries.get(keyOf(reading));
  }

  /** Asks anew. Resolves when all have answered; never rejects. */
  async refresh(readings: readonly Reading[], watched: readonly Watched[]): Promise<void> {
    const present = new Set(readings.map(keyOf));
    for (const key of this.#entries.keys()) if (!present.has(key)) this.#entries.delete(key);
    const busy = new Set(watched.filter(isFull).map(({ name }) => name));
    const asked = readings
      .filter(({ instrument }) => Object.keys(instrument.columns).length > 0)
      .filter(({ database }) => !busy.has(database))
      .slice(0, ASKED);
    await Promise.all(asked.map((reading) => this.#ask(reading)));
  }

  #ask(reading: Reading): Promise<void> {
    const key = keyOf(reading);
    const { columns } = reading.instrument;
    const known = this.#entries.get(key) ?? {
      columns,
      rows: [],
      asOf: undefined,
      error: undefined,
    };
    const running = this.#entries.get(key)?.asking;
    if (running !== undefined) return running;
    const asking = reading.instrument.details(ROWS).then(
      (rows) => this.#note(key, { columns, rows, asOf: Date.now(), error: undefined }),
      (error: unknown) => this.#note(key, { ...known, error: codeOf(error) }),
    );
    this.#entries.set(key, { ...known, asking });
    return asking;
  }

  #note(key: string, details: Details): void {
    if (this.#entries.has(key)) this.#entries.set(key, { ...details, asking: undefined });
  }
}

/** What went wrong, without a message: those of servers quote values. */
export function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}
