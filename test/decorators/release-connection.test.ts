import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import {
  FrameMismatchError,
  auditReleases,
  releaseConnection,
  type RetryingPooledDatabase,
} from '../../src/index';
import { onEachServer, session } from '../support/servers';
import { failure } from '../support/until';

/* Runs in both Jest projects: compiled with standard decorators and with experimentalDecorators. */

let db: RetryingPooledDatabase;

class Repository {
  @releaseConnection
  async bare(): Promise<number[]> {
    return [await session(db), await session(db)];
  }

  @releaseConnection()
  async called(): Promise<number[]> {
    return [await session(db), await session(db)];
  }

  @releaseConnection({ label: 'labelled' })
  labelled(first: number, second: string): Promise<string> {
    return Promise.resolve(`${first} ${second} ${this.constructor.name}`);
  }

  @releaseConnection
  static async ofClass(): Promise<number[]> {
    return [await session(db), await session(db)];
  }

  @releaseConnection
  async outer(): Promise<number[]> {
    const [own] = await this.bare();
    return [own ?? 0, await this._inner()];
  }

  async _inner(): Promise<number> {
    return session(db);
  }

  @releaseConnection
  async fails(): Promise<void> {
    await db.query('DO 0');
    throw new Error('own');
  }

  @releaseConnection
  throwsAtOnce(): Promise<void> {
    throw new RangeError('at once');
  }

  @releaseConnection
  async *rows(count: number): AsyncGenerator<number, string, void> {
    for (let row = 0; row < count; row++) {
      await db.query('SELECT ?', [row]);
      yield row;
    }
    return 'end';
  }

  @releaseConnection
  async *failing(): AsyncGenerator<number> {
    await db.query('DO 0');
    yield 1;
    throw new Error('in the middle');
  }
}

class Derived extends Repository {
  @releaseConnection
  override async bare(): Promise<number[]> {
    return [...(await super.bare()), await session(db)];
  }
}

onEachServer((bench) => {
  let repository: Repository;
  beforeEach(() => {
    db = bench.open({ connectionLimit: 2, acquireTimeout: 20_000 });
    repository = new Repository();
  });

  it.each(['bare', 'called'] as const)(
    '%s: the call’s statements share one connection, which goes back',
    async (name) => {
      const [first, second] = await repository[name]();
      expect(first).toBe(second);
      expect(db.stats()).toMatchObject({ active: 0, acquired: 1, released: 1 });
    },
  );

  it('static methods, inherited and overridden ones', async () => {
    expect(new Set(await Repository.ofClass()).size).toBe(1);
    expect(new Set(await new Derived().bare()).size).toBe(1);
    expect(db.stats()).toMatchObject({ active: 0, acquired: 2 });
  });

  it('arguments, this and the result pass through; a method that never queries takes no connection', async () => {
    expect(await repository.labelled(1, 'a')).toBe('1 a Repository');
    expect(db.stats().created).toBe(0);
  });

  it('a public method that calls another, and an underscore method, all on one connection', async () => {
    const [first, second] = await repository.outer();
    expect(first).toBe(second);
    expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
  });

  it('the method’s own error reaches the caller, and the connection goes back', async () => {
    expect((await failure(repository.fails())).message).toBe('own');
    expect(db.stats()).toMatchObject({ active: 0, idle: 1 });
  });

  it('a synchronous throw stays one', () => {
    expect(() => repository.throwsAtOnce()).toThrow(RangeError);
  });

  it('keeps name, length and Reflect metadata of other decorators', () => {
    const method = async function find(_id: number): Promise<void> {};
    Reflect.defineMetadata('route', '/find', method);
    const descriptor = { value: method, writable: true, configurable: true, enumerable: false };
    const decorated = releaseConnection({}.constructor.prototype as object, 'find', descriptor);
    expect(decorated.value?.name).toBe('find');
    expect(decorated.value).toHaveLength(1);
    expect(Reflect.getMetadata('route', decorated.value as object)).toBe('/find');
  });

  describe('async generators', () => {
    it('take their connection with the first step and give it back at the end', async () => {
      const iterator = repository.rows(2);
      expect(db.stats().acquired).toBe(0);
      expect(await iterator.next()).toEqual({ done: false, value: 0 });
      expect(db.stats().active).toBe(1);
      await iterator.next();
      expect(await iterator.next()).toEqual({ done: true, value: 'end' });
      expect(db.stats()).toMatchObject({ active: 0, acquired: 1, released: 1 });
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
    });

    it('left by break, the connection goes back', async () => {
      for await (const row of repository.rows(10)) if (row === 1) break;
      expect(db.stats()).toMatchObject({ active: 0, acquired: 1 });
    });

    it('left by a throw of the consumer, the connection goes back and the error stands', async () => {
      const consume = async (): Promise<void> => {
        for await (const _row of repository.rows(10)) throw new Error('consumer');
      };
      expect((await failure(consume())).message).toBe('consumer');
      expect(db.stats().active).toBe(0);
    });

    it('that throw give the connection back', async () => {
      const iterator = repository.failing();
      await iterator.next();
      expect((await failure(iterator.next())).message).toBe('in the middle');
      expect(db.stats().active).toBe(0);
    });

    it('return() before the first next() runs nothing', async () => {
      const iterator = repository.rows(3);
      expect(await iterator.return('early')).toEqual({ done: true, value: 'early' });
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
      expect(db.stats().acquired).toBe(0);
    });

    it('throw() reaches the body, and the connection goes back', async () => {
      const iterator = repository.rows(3);
      await iterator.next();
      expect((await failure(iterator.throw(new Error('into the body')))).message).toBe(
        'into the body',
      );
      expect(db.stats().active).toBe(0);
      // Over, or never begun: the body does not run, and the error comes back.
      expect((await failure(iterator.throw(new Error('late')))).message).toBe('late');
      expect((await failure(repository.rows(1).throw(new Error('early')))).message).toBe('early');
    });

    it('are disposed of as what they are: await using gives the connection back', async () => {
      const iterator = repository.rows(3);
      await iterator.next();
      await iterator[Symbol.asyncDispose]();
      expect(db.stats().active).toBe(0);
      expect(iterator[Symbol.asyncIterator]()).toBe(iterator);
    });

    it('an iterable without return() and throw() ends with them all the same', async () => {
      class Plain {
        @releaseConnection
        numbers(): AsyncIterable<number> {
          return {
            [Symbol.asyncIterator]: () => ({
              next: async () => ({ done: false, value: await session(db) }),
            }),
          };
        }
      }
      for await (const _value of new Plain().numbers()) break;
      expect(db.stats()).toMatchObject({ active: 0, acquired: 1 });
    });

    it('inside a scope share its connection', async () => {
      class Reader {
        @releaseConnection
        async all(): Promise<number> {
          for await (const _row of repository.rows(3)) await db.query('DO 0');
          return db.stats().acquired;
        }
      }
      expect(await new Reader().all()).toBe(1);
    });

    it('begun in one transaction and continued in another: FrameMismatchError', async () => {
      const iterator = await db.atomic(async () => {
        const begun = repository.rows(3);
        await begun.next();
        return begun;
      });
      expect(await failure(iterator.next())).toBeInstanceOf(FrameMismatchError);
      await iterator.return('over');
      expect(db.stats().active).toBe(0);
    });

    it('on a pool of 1 the loop’s own statement is refused with a text that says so', async () => {
      const single = await bench.connected({ connectionLimit: 1, acquireTimeout: 400 });
      class Rows {
        @releaseConnection
        async *all(): AsyncGenerator<number> {
          await single.query('DO 0');
          yield 1;
        }
      }
      const loop = async (): Promise<void> => {
        for await (const _row of new Rows().all()) await single.query('DO 0');
      };
      const error = await failure(loop());
      expect(error).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
      expect(error.message).toContain('total=1, active=1, idle=0, waiting=1');
      expect(single.stats().active).toBe(0);
    });
  });

  it('decorated calls of many callers leave nothing out', async () => {
    await Promise.all(
      Array.from({ length: 40 }, async (_, place) => {
        await delay(place % 3);
        await repository.outer();
      }),
    );
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect(db.stats().created).toBeLessThanOrEqual(2);
  });
});

describe('what the returned value decides', () => {
  it('neither a promise nor an async iterable: TypeError at the call', () => {
    const descriptor = { value: () => 3 as unknown as Promise<number>, configurable: true };
    const { value } = releaseConnection({ constructor: class Sync {} }, 'three', descriptor);
    expect(() => value?.()).toThrow(TypeError);
    expect(() => value?.()).toThrow(/Sync\.three/);
  });

  it.each([
    ['accessors', { get: () => 1, configurable: true }],
    ['sync generators', { value: function* () {}, configurable: true }],
    ['values that are no function', { value: 3, configurable: true }],
  ])('%s are refused at decoration', (_, descriptor) => {
    expect(() => releaseConnection({}, 'member', descriptor as never)).toThrow(TypeError);
  });

  it('fields are refused at decoration', () => {
    expect(() => releaseConnection({}, 'member', undefined as never)).toThrow(TypeError);
    const context = { kind: 'field', name: 'member' };
    expect(() => releaseConnection(undefined as never, context as never)).toThrow(TypeError);
  });

  it.each([3, 'label', null])('options that are no object (%s) are refused', (options) => {
    expect(() => releaseConnection(options as never)).toThrow(/options/);
  });

  it.each([
    [{ attempts: 1 }, /attempts/],
    [{ retries: 1 }, /idempotent: true/],
    [{ retries: -1, idempotent: true }, /'retries'/],
    [{ idempotent: 1 }, /'idempotent'/],
    [{ timeout: '5' }, /'timeout'/],
    [{ signal: {} }, /'signal'/],
    [{ label: 3 }, /'label'/],
  ])('%j is refused, not ignored', (options, rule) => {
    expect(() => releaseConnection(options as never)).toThrow(rule);
  });
});

describe('auditReleases', () => {
  it('names the public async methods that are not wrapped, inherited and static ones included', () => {
    class Base {
      async forgotten(): Promise<void> {}
      @releaseConnection
      async covered(): Promise<void> {}
      async _participant(): Promise<void> {}
      sync(): number {
        return 1;
      }
    }
    class Leaf extends Base {
      async *stream(): AsyncGenerator<number> {}
      static async make(): Promise<void> {}
      override async covered(): Promise<void> {}
    }
    expect(auditReleases(Leaf)).toEqual(['covered', 'forgotten', 'static make', 'stream']);
    expect(auditReleases(Repository)).toEqual([]);
    expect(auditReleases(Derived)).toEqual([]);
  });

  it('refuses what is no class', () => {
    expect(() => auditReleases('Repository' as never)).toThrow(/class/);
  });
});
