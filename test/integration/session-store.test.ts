import express, { type Express } from 'express';
import session from 'express-session';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SessionStore } from '../../src/adapters/session';
import type { RetryingPooledDatabase } from '../../src/index';
import { CacheBench } from '../support/cache-bench';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

declare module 'express-session' {
  interface SessionData {
    visits?: number;
    note?: string;
  }
}

/** A browser: keeps the cookie it was given. */
class Client {
  cookie: string | undefined;
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
  }

  async get(path: string): Promise<unknown> {
    const headers = this.cookie === undefined ? {} : { cookie: this.cookie };
    const response = await fetch(this.#address + path, { headers });
    const given = response.headers.get('set-cookie');
    if (given !== null) this.cookie = given.split(';')[0];
    return response.json();
  }
}

function shop(store: SessionStore, db: RetryingPooledDatabase): Express {
  const app = express();
  const cookie = { maxAge: 60_000 };
  app.use(session({ store, secret: 'for tests', resave: false, saveUninitialized: false, cookie }));
  app.get('/visit', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    response.json(request.session.visits);
  });
  app.get('/look', (request, response) => response.json(request.session.visits ?? null));
  app.get('/leave', (request, response) => {
    request.session.destroy((error: unknown) => response.json(error ?? 'left'));
  });
  app.get('/enter', (request, response, next) => {
    request.session.regenerate((error: unknown) => {
      if (error) next(error);
      request.session.visits = 100;
      response.json('entered');
    });
  });
  app.get('/rolled-back', (request, response) => {
    db.atomic(async () => {
      request.session.note = 'kept';
      response.json('answered');
      await once(response, 'finish');
      throw new Error('rolled back');
    }).catch(() => {});
  });
  app.get('/note', (request, response) => response.json(request.session.note ?? null));
  return app;
}

onEachServer((bench) => {
  const caches = new CacheBench(bench);
  let db: RetryingPooledDatabase;
  let store: SessionStore;
  let server: Server;
  let client: Client;
  let address: string;

  beforeEach(async () => {
    db = bench.open();
    store = new SessionStore(db);
    server = shop(store, db).listen(0);
    await once(server, 'listening');
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new Client(address);
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await store.close();
  });

  const lengthOf = () =>
    new Promise((resolve, reject) => {
      store.length((error, length) => (error ? reject(error) : resolve(length)));
    });

  it('a session goes on from request to request, each visitor’s own', async () => {
    const other = new Client(address);
    expect(await client.get('/visit')).toBe(1);
    expect(await client.get('/visit')).toBe(2);
    expect(await other.get('/visit')).toBe(1);
    expect(await client.get('/look')).toBe(2);
    expect(await lengthOf()).toBe(2);
  });

  it('looking at a session gives it its time anew; without that it ends', async () => {
    await client.get('/visit');
    for (let count = 0; count < 3; count++) {
      await caches.pass(40_000);
      expect(await client.get('/look')).toBe(1);
    }
    await caches.pass(60_001);
    expect(await client.get('/look')).toBeNull();
    expect(await lengthOf()).toBe(0);
  });

  it('destroy() and regenerate() end the session that was', async () => {
    await client.get('/visit');
    const before = client.cookie;
    expect(await client.get('/enter')).toBe('entered');
    expect(await client.get('/look')).toBe(100);
    client.cookie = before;
    expect(await client.get('/look')).toBeNull();
    await client.get('/visit');
    expect(await client.get('/leave')).toBe('left');
    expect(await client.get('/look')).toBeNull();
  });

  it('all(), length() and clear() know the sessions that there are, and nothing else', async () => {
    const others = Array.from({ length: 5 }, () => new Client(address));
    await Promise.all(others.map((one) => one.get('/visit')));
    await caches.other().set('no session', 1);
    const all = await new Promise<object | null | undefined>((resolve, reject) => {
      store.all((error, sessions) => (error ? reject(error) : resolve(sessions)));
    });
    const ids = others.map(({ cookie }) => /=s:([^.]+)/.exec(decodeURIComponent(cookie!))?.[1]);
    expect(Object.keys(all!).sort()).toEqual(ids.sort());
    expect(Object.values(all!)).toEqual(new Array(5).fill(expect.objectContaining({ visits: 1 })));
    await new Promise((resolve) => store.clear(resolve));
    expect([await lengthOf(), await others[0]!.get('/look')]).toEqual([0, null]);
    expect(await caches.other().get('no session')).toBe(1);
  });

  it('a hundred requests at once of ten visitors are all answered', async () => {
    const visitors = Array.from({ length: 10 }, () => new Client(address));
    await Promise.all(visitors.map((one) => one.get('/visit')));
    const answers = await Promise.all(
      visitors.flatMap((one) => Array.from({ length: 10 }, () => one.get('/look'))),
    );
    expect(answers).toEqual(new Array(100).fill(1));
    await until('all are back', () => db.stats().active === 0);
  });

  it('a session outlives the transaction in which it was answered', async () => {
    await client.get('/visit');
    expect(await client.get('/rolled-back')).toBe('answered');
    expect(await client.get('/note')).toBe('kept');
  });

  describe('a session lasts', () => {
    const kept = async (of: SessionStore, cookie: object): Promise<unknown> => {
      await new Promise((resolve) => of.set('id', { cookie } as never, resolve)).then((error) =>
        expect(error).toBeNull(),
      );
      return new Promise((resolve) => of.get('id', (_, session) => resolve(session ?? null)));
    };

    it.each([
      ['with no end', { expires: null }],
      ['with an end that was switched off', { expires: false }],
      ['of an infinite age', { expires: new Date(Infinity) }],
      ['that ends with the year 9999', { expires: new Date('9999-12-31T23:59:59Z') }],
    ])('whose cookie is one %s', async (_, cookie) => {
      expect(await kept(store, cookie)).toMatchObject({ cookie: {} });
      const ever = new SessionStore(db, { ttl: 0 });
      expect(await kept(ever, cookie)).toMatchObject({ cookie: {} });
      await ever.close();
    });

    it('not beyond the end of its cookie', async () => {
      expect(await kept(store, { expires: new Date(Date.now() - 1) })).toBeNull();
    });
  });

  it('a database that fails fails the request, and is no empty session', async () => {
    await client.get('/visit');
    await bench.sql(`RENAME TABLE ${bench.schema}.boomerang_cache TO ${bench.schema}.away`);
    try {
      const response = await fetch(`${address}/look`, { headers: { cookie: client.cookie! } });
      expect(response.status).toBe(500);
    } finally {
      await bench.sql(`RENAME TABLE ${bench.schema}.away TO ${bench.schema}.boomerang_cache`);
    }
    expect(await client.get('/look')).toBe(1);
  });
});
