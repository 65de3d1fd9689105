import 'reflect-metadata';
import {
  TransactionOpenError,
  TurnTimeoutError,
  atomic,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure } from '../support/until';

/* Runs in both Jest projects: compiled with standard decorators and with experimentalDecorators. */

const own = new Error('own');

class Notes {
  readonly attempts: number[] = [];

  constructor(readonly db: RetryingPooledDatabase) {}

  async _add(id: number): Promise<void> {
    await this.db.query('INSERT INTO notes VALUES (?, NULL)', [id]);
  }

  @atomic
  async two(first: number, second: number): Promise<string> {
    await this._add(first);
    await this._add(second);
    return `${first} and ${second} by ${this.constructor.name}`;
  }

  @atomic()
  async fails(id: number): Promise<void> {
    await this._add(id);
    throw own;
  }

  @atomic({ retries: 2 })
  async stubborn(id: number, lose: (attempt: number) => Promise<void>): Promise<number> {
    this.attempts.push(this.attempts.length + 1);
    await this._add(id);
    await lose(this.attempts.length);
    await this.db.query('DO 0');
    return this.attempts.length;
  }

  @atomic({ label: 'the slow one' })
  async labelled(work: () => Promise<void>): Promise<void> {
    await work();
  }

  @atomic
  async unlabelled(work: () => Promise<void>): Promise<void> {
    await work();
  }

  @atomic({ durable: true })
  async durable(id: number): Promise<void> {
    await this._add(id);
  }

  @atomic({ savepoint: false })
  async joins(id: number): Promise<void> {
    await this._add(id);
    throw own;
  }

  @releaseConnection
  @atomic
  async released(seen: (sessions: number[]) => void): Promise<void> {
    const first = await session(this.db);
    await this._add(1);
    seen([first, await session(this.db)]);
  }

  @atomic
  static async ofClass(): Promise<void> {}
}

class Hidden {
  readonly #db: RetryingPooledDatabase;

  constructor(db: RetryingPooledDatabase) {
    this.#db = db;
  }

  /** Where the decorator finds it; `#db` itself cannot stand in a legacy decorator. */
  static dbOf(self: Hidden): RetryingPooledDatabase {
    return self.#db;
  }

  @atomic({ db: (self: Hidden) => Hidden.dbOf(self) })
  async keep(id: number): Promise<void> {
    await this.#db.query('INSERT INTO notes VALUES (?, NULL)', [id]);
    throw own;
  }
}

class Derived extends Notes {
  @atomic
  override async two(first: number, second: number): Promise<string> {
    const said = await super.two(first, second);
    await this._add(first + second);
    return said;
  }
}

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  let notes: Notes;
  beforeEach(() => {
    db = bench.open({
      connectionLimit: 2,
      acquireTimeout: 20_000,
      retry: { minDelay: 1, maxDelay: 2 },
    });
    notes = new Notes(db);
  });

  it('the method is one transaction on the property db; arguments, this and the result pass through', async () => {
    expect(await notes.two(1, 2)).toBe('1 and 2 by Notes');
    expect(await failure(notes.fails(3))).toBe(own);
    // The second row of a call that fails half-way takes the first one with it.
    expect(await failure(notes.two(4, 1))).toMatchObject({ errno: 1062 });
    expect(await notesIn(bench)).toEqual([1, 2]);
    expect(db.stats().active).toBe(0);
  });

  it('inside a transaction it is a savepoint of that', async () => {
    await db.atomic(async () => {
      await notes.two(1, 2);
      await failure(notes.fails(3));
      await failure(notes.two(5, 1));
    });
    await failure(
      db.atomic(async () => {
        await notes.two(6, 7);
        throw own;
      }),
    );
    expect(await notesIn(bench)).toEqual([1, 2]);
  });

  it('an override that calls super is a transaction with a savepoint', async () => {
    expect(await new Derived(db).two(1, 2)).toBe('1 and 2 by Derived');
    expect(await failure(new Derived(db).two(4, 2))).toMatchObject({ errno: 1062 });
    expect(await notesIn(bench)).toEqual([1, 2, 3]);
  });

  it('{ db } finds a database that is private', async () => {
    expect(await failure(new Hidden(db).keep(1))).toBe(own);
    expect(db.stats().acquired).toBe(1);
    expect(await notesIn(bench)).toEqual([]);
  });

  it('{ db } may be a connection of one’s own', async () => {
    const connection = await db.getConnection();
    class OnConnection {
      @atomic({ db: () => connection })
      async run(): Promise<void> {
        await connection.query('INSERT INTO notes VALUES (1, NULL)');
        throw own;
      }
    }
    expect(await failure(new OnConnection().run())).toBe(own);
    await connection.release();
    expect(await notesIn(bench)).toEqual([]);
  });

  it('options are atomic’s: durable, savepoint', async () => {
    await notes.durable(1);
    const error = await failure(
      db.atomic(async () => {
        expect(await failure(notes.durable(2))).toBeInstanceOf(TransactionOpenError);
        await failure(notes.joins(3));
      }),
    );
    expect(error).toMatchObject({ code: 'ERR_TRANSACTION_DOOMED' });
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('retries run the whole method again', async () => {
    const result = await notes.stubborn(1, async (attempt) => {
      if (attempt < 3) await bench.sql(`KILL CONNECTION ${await session(db)}`);
    });
    expect({ result, attempts: notes.attempts }).toEqual({ result: 3, attempts: [1, 2, 3] });
    expect(await notesIn(bench)).toEqual([1]);
    notes.attempts.length = 0;
    const error = failure(notes.stubborn(2, () => Promise.reject(own)));
    expect({ error: await error, attempts: notes.attempts }).toEqual({ error: own, attempts: [1] });
  });

  it.each([
    ['labelled', /'the slow one'/],
    ['unlabelled', /'(Notes\.)?unlabelled'/],
  ] as const)('%s: errors name the label, the method’s name by default', async (method, named) => {
    // As long as for a connection it waits for its turn.
    const impatient = await bench.connected({ connectionLimit: 2, acquireTimeout: 300 });
    let waited: unknown;
    await impatient.atomic(async (outer) => {
      await new Notes(impatient)[method](async () => {
        waited = await failure(outer.query('DO 0'));
      });
    });
    expect(waited).toBeInstanceOf(TurnTimeoutError);
    expect((waited as Error).message).toMatch(named);
  });

  it('below @releaseConnection: one connection, which goes back after COMMIT', async () => {
    let sessions: number[] = [];
    await notes.released((seen) => {
      sessions = seen;
    });
    expect(new Set(sessions).size).toBe(1);
    expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
    expect(await notesIn(bench)).toEqual([1]);
  });
});

describe('where it cannot be', () => {
  it('no database: TypeError at the call that names class, method and the way out', () => {
    for (const db of [undefined, null, {}, 'db', { atomic: 3 }]) {
      const notes = new Notes(db as never);
      expect(() => notes.two(1, 2)).toThrow(TypeError);
      // Standard decorators are told no class.
      expect(() => notes.two(1, 2)).toThrow(/'(Notes\.)?two'.*\{ db: \(self\) => … \}/);
    }
    expect(() => Notes.ofClass()).toThrow(TypeError);
    expect(() => new Hidden(undefined as never).keep(1)).toThrow(/what \{ db \} gave is undefined/);
    const { two } = Notes.prototype;
    expect(() => two.call(undefined as never, 1, 2)).toThrow(TypeError);
  });

  it('a method that returns no promise: a rejection that names it', async () => {
    const descriptor = { value: () => 3 as unknown as Promise<number>, configurable: true };
    const { value } = atomic({ constructor: class Sync {} }, 'three', descriptor);
    const db = { atomic: async (fn: () => unknown) => fn() };
    const call: unknown = value?.call({ db });
    await expect(call).rejects.toThrow(/Sync\.three.*make it async/);
  });

  it.each([
    ['accessors', { get: () => 1, configurable: true }],
    ['sync generators', { value: function* () {}, configurable: true }],
    ['async generators', { value: async function* () {}, configurable: true }],
    ['values that are no function', { value: 3, configurable: true }],
    ['fields', undefined],
  ])('%s are refused at decoration', (_, descriptor) => {
    expect(() => atomic({}, 'member', descriptor as never)).toThrow(TypeError);
    const method = (descriptor as { value?: unknown } | undefined)?.value;
    if (typeof method !== 'function') return;
    const context = { kind: 'method', name: 'member' };
    expect(() => atomic(method as never, context as never)).toThrow(TypeError);
  });

  it.each([
    [{ attempts: 1 }, /attempts/],
    [{ db: 'db' }, /'db'/],
    [{ retries: -1 }, /'retries'/],
    [{ retries: 1.5 }, /'retries'/],
    [{ isolationLevel: 'SNAPSHOT' }, /'isolationLevel'/],
    [{ isolationLevel: 'serializable' }, /'isolationLevel'/],
    [{ readOnly: 'yes' }, /'readOnly'/],
    [{ durable: 1 }, /'durable'/],
    [{ savepoint: null }, /'savepoint'/],
    [{ requiresNew: 0 }, /'requiresNew'/],
    [{ verify: true }, /'verify'/],
    [{ requiresNew: true, savepoint: false }, /exclude each other/],
    [{ timeout: -1 }, /'timeout'/],
    [{ signal: {} }, /'signal'/],
    [{ label: 3 }, /'label'/],
    [3, /options/],
    [null, /options/],
  ])('%j is refused, not ignored', (options, rule) => {
    expect(() => atomic(options as never)).toThrow(rule);
  });
});

describe('what it keeps', () => {
  it('name, length, and Reflect metadata of other decorators', () => {
    const method = async function place(_id: number, _at: Date): Promise<void> {};
    Reflect.defineMetadata('route', '/place', method);
    const descriptor = { value: method, writable: true, configurable: true, enumerable: false };
    const decorated = atomic({}, 'place', descriptor);
    expect(decorated.value?.name).toBe('place');
    expect(decorated.value).toHaveLength(2);
    expect(Reflect.getMetadata('route', decorated.value as object)).toBe('/place');
    expect(Notes.prototype.two).toHaveLength(2);
    expect(Notes.prototype.stubborn.name).toBe('stubborn');
  });
});
