import { Store, type SessionData } from 'express-session';
import { Cache } from '../../cache/cache';
import type { RetryingPooledDatabase } from '../../database';

export interface SessionStoreOptions {
  /** Begins the names of the tables. @default 'boomerang_' */
  readonly prefix?: string;
  /** Tells these sessions from others in the same tables. @default 'sessions' */
  readonly namespace?: string;
  /** Creates the tables where they are missing. @default false */
  readonly autoInstall?: boolean;
  /** How long in ms a session lasts whose cookie has no end of its own; 0 is for ever. @default 86400000 */
  readonly ttl?: number;
  /** Compresses sessions of a kilobyte and more. @default false */
  readonly compress?: boolean;
  /** How often at most, in ms, sessions whose time is over are looked for; 0 never by itself. @default 10000 */
  readonly sweepEvery?: number;
}

const DAY = 86_400_000;
/** A hundred years: as long as anything, and no more than a cache takes. */
const FOREVER = 36_500 * DAY;

type Done<T> = (error: unknown, result?: T) => void;

/**
 * The sessions of express-session in the database: `session({ store: new SessionStore(db), … })`.
 *
 * A session ends with its cookie, by the database's clock. Sessions are never part of a transaction:
 * a handler that answers inside `db.atomic` stores its session whatever becomes of that.
 */
export class SessionStore extends Store {
  readonly #db: RetryingPooledDatabase;
  readonly #cache: Cache;
  readonly #ttl: number;

  constructor(db: RetryingPooledDatabase, options: SessionStoreOptions = {}) {
    super();
    const { ttl = DAY, ...rest } = options;
    this.#db = db;
    this.#ttl = ttl === 0 ? FOREVER : ttl;
    this.#cache = new Cache(db, { namespace: 'sessions', ttl, ...rest });
  }

  /** The session; `null` where there is none, or its time is over. */
  get(id: string, done: (error: unknown, session?: SessionData | null) => void): void {
    this.#settle(done, async (cache) => (await cache.get<SessionData>(id)) ?? null);
  }

  set(id: string, session: SessionData, done?: (error?: unknown) => void): void {
    this.#settle(done, async (cache) => {
      const ttl = this.#timeLeft(session);
      if (ttl > 0) await cache.set(id, session, { ttl });
      else await cache.delete(id);
    });
  }

  /** Gives the session its cookie's time anew, and leaves what is in it. */
  override touch(id: string, session: SessionData, done?: (error?: unknown) => void): void {
    this.#settle(done, async (cache) => {
      const ttl = this.#timeLeft(session);
      if (ttl > 0) await cache.touch(id, { ttl });
      else await cache.delete(id);
    });
  }

  destroy(id: string, done?: (error?: unknown) => void): void {
    this.#settle(done, async (cache) => {
      await cache.delete(id);
    });
  }

  /** All sessions, by their ids. */
  override all(
    done: (error: unknown, sessions?: Record<string, SessionData> | null) => void,
  ): void {
    this.#settle<Record<string, SessionData>>(done, async (cache) => {
      const sessions: [string, SessionData][] = [];
      for await (const entry of cache.entries<SessionData>()) sessions.push(entry);
      return Object.fromEntries(sessions);
    });
  }

  override length(done: (error: unknown, length?: number) => void): void {
    this.#settle<number>(done, (cache) => cache.count());
  }

  override clear(done?: (error?: unknown) => void): void {
    this.#settle(done, (cache) => cache.clear());
  }

  /** Ends the work in the background. The database is the caller's. */
  async close(): Promise<void> {
    await this.#cache.close();
  }

  /** In ms; as long as the cookie, by the clock that made it. */
  #timeLeft({ cookie }: SessionData): number {
    const { expires } = cookie as { readonly expires?: Date | string | false | null };
    const left = expires ? new Date(expires).getTime() - Date.now() : NaN;
    // A cookie of an infinite age has an end that is no date.
    return Math.min(Number.isNaN(left) ? this.#ttl : left, FOREVER);
  }

  #settle<T>(done: Done<T> | undefined, work: (cache: Cache) => Promise<T>): void {
    this.#db
      .withoutScope(() => work(this.#cache))
      .then(
        // What the callback throws is its own affair, and no rejection of ours.
        (result) => process.nextTick(() => done?.(null, result)),
        (error: unknown) => process.nextTick(() => done?.(error)),
      );
  }
}
