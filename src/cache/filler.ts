import type { Clock } from '../clock';
import type { RetryingPooledDatabase } from '../database';
import { FactoryTimeoutError } from '../errors';
import { errorFields, type Logger } from '../logger';
import { invoke } from '../scope/connection-scope';
import { currentContext } from '../scope/context';
import { checkFits } from '../values/packet';
import type { CacheKey } from './cache-key';
import type { Terms } from './cache-options';
import type { CacheCounters } from './cache-stats';
import type { CacheRows } from './cache-rows';
import { OLDEST_BASIS } from './cache-tag-table';
import type { Entry, Look, Packed } from './entry';
import type { EntryReader } from './entry-reader';
import { newVersion, type EntryWriter } from './entry-writer';
import { FillLease } from './fill-lease';
import type { Packer } from './packer';

/** How soon, in ms, it is looked again whether another process has made the value; then less often. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 150;

/** So often at most the right is asked for where nobody has it and it is not to be had. */
const MOST_TRIES = 5;

export type Factory = () => unknown;

export interface FillGround {
  readonly db: RetryingPooledDatabase;
  readonly table: CacheRows;
  readonly reader: EntryReader;
  readonly writer: EntryWriter;
  readonly packer: Packer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: CacheCounters;
  /** Whether a read that fails is a miss. */
  readonly missOnError: (error: unknown) => boolean;
  readonly onStored: (entry: Entry) => void;
}

/** A value that is wanted. */
export interface Wish {
  readonly key: CacheKey;
  readonly tags: readonly Buffer[];
  readonly factory: Factory;
  readonly terms: Terms;
}

/** A value for whoever waited, and for how long it may be kept in memory; `undefined` where there is none. */
export type Filled = { readonly packed: Packed; readonly freshFor: number } | undefined;

/** What there is to serve meanwhile, how long is waited where that is so, and how long where not. */
interface Waits {
  readonly stale: Packed | undefined;
  readonly soft: number;
  readonly until: number;
}

/** Makes values that are missing, such that one process in the world makes each. */
export class Filler {
  readonly #ground: FillGround;

  constructor(ground: FillGround) {
    this.#ground = ground;
  }

  /** Outside transactions. */
  async get(wish: Wish): Promise<Filled> {
    const { missOnError } = this.#ground;
    try {
      return await this.#find(wish);
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      if (!missOnError(error.cause)) throw error.cause;
      // The database is away: made for this caller, and not stored.
      return this.#unstored(wish, this.#untilOf(wish));
    }
  }

  /** Inside one: made here whatever others do, and stored as part of it. */
  async inTransaction(wish: Wish): Promise<Packed | undefined> {
    const { db, reader, writer, table, counters, onStored } = this.#ground;
    const look = await reader.look(wish.key);
    if (look.packed !== undefined && look.freshFor > 0) {
      counters.hits++;
      return look.packed;
    }
    counters.misses++;
    const basis = await writer.basis(wish.tags);
    const { packed, cost } = await this.#by(this.#untilOf(wish), this.#make(wish));
    if (packed === undefined) return undefined;
    if (cost > OLDEST_BASIS) {
      counters.refused++;
      return packed;
    }
    await checkFits(db, 'value', packed.bytes.length);
    const entry = { key: wish.key, packed, basis, ttl: wish.terms.ttl, grace: wish.terms.grace };
    const stored = await table.fillSeen(entry, look.version, newVersion(), cost);
    if (stored) onStored(entry);
    else counters.refused++;
    return packed;
  }

  async #find(wish: Wish): Promise<Filled> {
    const { clock, counters, reader } = this.#ground;
    const { key, terms } = wish;
    const until = this.#untilOf(wish);
    let pause = FIRST_PAUSE;
    for (let tries = 0; ;) {
      const look = await this.#by(until, unread(reader.look(key)));
      const { packed, freshFor, servableFor } = look;
      if (packed !== undefined && freshFor > 0) {
        counters.hits++;
        if (isDue(look, terms)) this.#refresh(wish, look);
        return { packed, freshFor };
      }
      const stale = packed !== undefined && servableFor > 0 ? packed : undefined;
      if (look.fillingFor === 0) {
        const waits = { stale, until, soft: this.#softOf(wish, stale, until) };
        const lease = await this.#taken(wish, look, waits);
        if (lease !== undefined) return this.#fill(wish, lease, waits);
        tries++;
      }
      if (stale !== undefined) return this.#served(stale);
      // A row that cannot be found and cannot be taken: another key with the same id.
      if (tries >= MOST_TRIES && look.version === null) return this.#unstored(wish, until);
      if (clock.now() >= until) throw late();
      await letGo(this.#ground.db);
      await this.#sleep(Math.min(pause, until - clock.now()));
      pause = Math.min(pause * 1.5, LONGEST_PAUSE);
    }
  }

  #lease({ key, terms }: Wish, { version }: Look): Promise<FillLease | undefined> {
    return FillLease.take(this.#ground, key, version, terms.fillLease);
  }

  /** One that comes too late is given back: a transaction that has written the key may hold it up. */
  async #taken(wish: Wish, look: Look, { stale, soft }: Waits): Promise<FillLease | undefined> {
    const taking = unread(this.#lease(wish, look));
    const giveBack = (): void => {
      taking.then((lease) => lease?.giveUp()).catch(() => {});
    };
    try {
      return await this.#by(soft, taking, giveBack);
    } catch (error) {
      if (stale !== undefined && error instanceof FactoryTimeoutError) return undefined;
      throw error;
    }
  }

  /** How long whoever has something stale to serve waits for something better. */
  #softOf({ terms: { timeout } }: Wish, stale: Packed | undefined, until: number): number {
    if (stale === undefined || timeout === 0) return until;
    return Math.min(until, this.#ground.clock.now() + timeout);
  }

  async #fill(wish: Wish, lease: FillLease, { stale, soft, until }: Waits): Promise<Filled> {
    const made = this.#makeAndStore(wish, lease, until);
    if (stale === undefined) {
      this.#ground.counters.misses++;
      return this.#by(until, made);
    }
    try {
      return await this.#by(soft, made);
    } catch (error) {
      // The factory failed, or goes on and stores its value later.
      this.#note(error, 'a stale value was served, since no new one could be made');
      return this.#served(stale);
    }
  }

  /** Past `until` others may take over from a factory that hangs. */
  async #makeAndStore(wish: Wish, lease: FillLease, until: number): Promise<Filled> {
    const { clock } = this.#ground;
    const limit =
      until === Infinity
        ? undefined
        : clock.setTimer(() => lease.stopRenewing(), Math.max(0, until - clock.now()));
    try {
      return await this.#made(wish, lease);
    } finally {
      limit?.cancel();
    }
  }

  async #made(wish: Wish, lease: FillLease): Promise<Filled> {
    const { db, counters, writer, onStored } = this.#ground;
    const { key, terms } = wish;
    const { ttl, grace } = terms;
    let filled: { readonly packed: Packed | undefined; readonly cost: number };
    let basis;
    try {
      // Before the factory reads anything: what is invalidated from here on makes its value void.
      basis = await unread(writer.basis(wish.tags));
      filled = await this.#make(wish);
      if (filled.packed !== undefined) await checkFits(db, 'value', filled.packed.bytes.length);
    } catch (error) {
      await lease.giveUp();
      throw error;
    }
    const { packed, cost } = filled;
    if (packed === undefined) {
      await lease.giveUp();
      return undefined;
    }
    if (cost > OLDEST_BASIS) {
      counters.refused++;
      await lease.giveUp();
      return { packed, freshFor: 0 };
    }
    try {
      const entry: Entry = { key, packed, basis, ttl, grace };
      if (await lease.store(entry, cost)) {
        onStored(entry);
        return { packed, freshFor: ttl };
      }
      counters.refused++;
    } catch (error) {
      // The value is there, whatever became of the row.
      counters.errors++;
      this.#note(error, 'a value was made and could not be stored');
    }
    return { packed, freshFor: 0 };
  }

  async #make({ factory, terms }: Wish): Promise<{ packed: Packed | undefined; cost: number }> {
    const { clock, counters, packer } = this.#ground;
    const begun = clock.now();
    try {
      const value = await invoke(factory);
      const cost = Math.round(clock.now() - begun);
      counters.fills++;
      // Nothing can be kept of it, and so nothing is.
      if (value === undefined) return { packed: undefined, cost };
      return { packed: await packer.pack(value, terms.compressAbove), cost };
    } catch (error) {
      counters.failures++;
      throw error;
    }
  }

  /** Makes a new value beside the one that is served. */
  #refresh(wish: Wish, look: Look): void {
    if (look.fillingFor > 0) return;
    const refreshed = this.#ground.db.withoutScope(async () => {
      const lease = await this.#lease(wish, look);
      if (lease !== undefined) await this.#makeAndStore(wish, lease, this.#untilOf(wish));
    });
    refreshed.catch((error: unknown) => this.#note(error, 'a value was not refreshed early'));
  }

  async #unstored(wish: Wish, until: number): Promise<Filled> {
    this.#ground.counters.misses++;
    const { packed } = await this.#by(until, this.#make(wish));
    return packed === undefined ? undefined : { packed, freshFor: 0 };
  }

  #served(packed: Packed): Filled {
    this.#ground.counters.hits++;
    this.#ground.counters.stale++;
    return { packed, freshFor: 0 };
  }

  /** By the clock, when a call that begins now is to end. */
  #untilOf({ terms: { hardTimeout } }: Wish): number {
    return hardTimeout === 0 ? Infinity : this.#ground.clock.now() + hardTimeout;
  }

  /** Rejects when the time has come; the work goes on. */
  #by<T>(until: number, work: Promise<T>, onLate?: () => void): Promise<T> {
    if (until === Infinity) return work;
    const { clock } = this.#ground;
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = clock.setDeadline(
        () => {
          isLate = true;
          onLate?.();
          reject(late());
        },
        Math.max(0, until - clock.now()),
      );
      work.then(resolve, (error: unknown) => {
        if (isLate) this.#note(error, 'what took too long to be waited for failed in the end');
        reject(error);
      });
      void work.catch(() => {}).then(() => timer.cancel());
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#ground.clock.setDeadline(resolve, ms * (0.75 + Math.random() / 2));
    });
  }

  #note(error: unknown, what: string): void {
    this.#ground.logger.warn(errorFields(error), what);
  }
}

/** Whoever waits holds no connection. */
export async function letGo(db: RetryingPooledDatabase): Promise<void> {
  if (currentContext()?.scope !== undefined) await db.manualClose();
}

/** The database did not answer before there was a value: only this may count as a miss. */
class Unread extends Error {}

async function unread<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new Unread('', { cause });
  }
}

/** XFetch: the moment is drawn such that many readers do not draw it together. */
function isDue({ freshFor, cost }: Look, { earlyRefresh }: Terms): boolean {
  if (earlyRefresh === 0) return false;
  return freshFor <= -Math.max(cost, 1) * earlyRefresh * Math.log(1 - Math.random());
}

function late(): FactoryTimeoutError {
  return new FactoryTimeoutError(
    'No value was made in time. What makes it goes on, and its value is stored if nothing overtakes it.',
  );
}
