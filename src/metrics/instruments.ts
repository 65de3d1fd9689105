import { detached } from '../async-context';

/** How a column of an instrument's rows is to be read. Durations are in ms. */
export type ColumnKind = 'text' | 'number' | 'duration';

/** One thing that an instrument has several of: a lock that is held, a queue's group. */
export type InstrumentRow = Readonly<Record<string, string | number | null | undefined>>;

/** How a part of a database (locks, a cache, a queue) shows what it does. */
export interface InstrumentOf<T extends object> {
  /** What it is, in lower case: begins the names of its metrics. */
  readonly kind: string;
  /** Numbers at this moment, at no cost; names in camelCase. */
  snapshot(part: T): Readonly<Record<string, number>>;
  /** Those of the numbers that only grow. */
  readonly counters?: readonly string[];
  /** What the rows of {@link details} have, in the order in which they are shown. */
  readonly columns?: Readonly<Record<string, ColumnKind>>;
  /** Rows to look at, at most `limit`; asks the server. */
  details?(part: T, limit: number): Promise<readonly InstrumentRow[]>;
}

/** An instrument of a part that is in use. */
export interface Instrument {
  /** Of this part alone, as long as the database lives. */
  readonly id: number;
  readonly kind: string;
  /** Tells several of one kind apart. */
  readonly name: string;
  readonly counters: readonly string[];
  readonly columns: Readonly<Record<string, ColumnKind>>;
  snapshot(): Readonly<Record<string, number>>;
  details(limit: number): Promise<readonly InstrumentRow[]>;
}

interface Registered {
  readonly id: number;
  readonly part: WeakRef<object>;
  readonly name: string;
  readonly of: InstrumentOf<object>;
}

/** Looked through for those that are gone when there are so many, and at each doubling. */
const FIRST_REVIEW = 32;

/**
 * What stands on a database beside statements: each part makes itself known when it is made. Nothing
 * is asked of it until somebody looks, and it is held by nothing here: a part that nobody uses any more
 * goes, closed or not.
 */
export class Instruments {
  readonly #registered = new Set<Registered>();
  #review = FIRST_REVIEW;
  #made = 0;

  /** @param name tells several of one kind apart: the prefix or namespace. */
  add<T extends object>(part: T, name: string, of: InstrumentOf<T>): void {
    this.#registered.add({ id: this.#made++, part: new WeakRef(part), name, of });
    if (this.#registered.size < this.#review) return;
    for (const each of this.#registered) {
      if (each.part.deref() === undefined) this.#registered.delete(each);
    }
    this.#review = Math.max(FIRST_REVIEW, this.#registered.size * 2);
  }

  /** The part was closed. */
  remove(part: object): void {
    for (const each of this.#registered) {
      if (each.part.deref() === part) this.#registered.delete(each);
    }
  }

  /** Those in use, in the order in which they were made. */
  list(): Instrument[] {
    const found: Instrument[] = [];
    for (const each of this.#registered) {
      const part = each.part.deref();
      if (part === undefined) this.#registered.delete(each);
      else found.push(instrumentOf(part, each));
    }
    return found;
  }
}

function instrumentOf(part: object, { id, name, of }: Registered): Instrument {
  return {
    id,
    kind: of.kind,
    name,
    counters: of.counters ?? [],
    columns: of.columns ?? {},
    snapshot: () => of.snapshot(part),
    // In nobody's transaction: whoever looks may stand in one.
    details: async (limit) => detached(() => of.details?.(part, limit)) ?? [],
  };
}
