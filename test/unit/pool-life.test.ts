import { lifespanOf } from '../../src/pool/lifespan';
import { codeError, never } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';

afterEach(endAll);
afterEach(() => jest.restoreAllMocks());

const HOUR = 3_600_000;

describe('how long a connection may serve', () => {
  it.each([0, 0.5, 0.999])('is maxLifetime less up to 10 %% by chance (%p)', (chance) => {
    jest.spyOn(Math, 'random').mockReturnValue(chance);
    const { retireAt } = lifespanOf(1000, 10_000, 0, 0);
    expect(retireAt).toBeCloseTo(1000 + 10_000 * (1 - chance / 10));
  });

  it('is below the server’s wait_timeout, and so is the keepalive', () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    expect(lifespanOf(0, HOUR, HOUR, 20_000)).toEqual({ retireAt: 18_000, keepaliveEvery: 9_000 });
  });

  it('has no end where maxLifetime is 0, but a keepalive where the server has a limit', () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    expect(lifespanOf(0, 0, 0, 0)).toEqual({ retireAt: Infinity, keepaliveEvery: Infinity });
    expect(lifespanOf(0, 0, 0, 20_000)).toEqual({ retireAt: Infinity, keepaliveEvery: 9_000 });
  });
});

describe('maxLifetime', () => {
  it('retires idle connections with a goodbye, and refills minIdle', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const db = new FakeDatabase({ maxLifetime: 1000, idleTimeout: 0, minIdle: 1 });
    await db.fill(1);
    // One was lent while a spare one was opened.
    await db.clock.advance(999);
    expect([db.driver.attempts, db.numbers]).toEqual([2, [2, 0, 2, 0]]);
    await db.clock.advance(1);
    const goodbyes = db.driver.sent.filter((line) => line.endsWith('<quit>'));
    expect([goodbyes, db.driver.attempts, db.numbers]).toEqual([
      ['1 <quit>', '2 <quit>'],
      3,
      [1, 0, 1, 0],
    ]);
  });

  it('retires a connection that is out when it comes back, not before', async () => {
    const db = new FakeDatabase({ maxLifetime: 1000 });
    const [lease] = await db.take(1);
    await db.clock.advance(5000);
    expect(lease!.connection.lost).toBeUndefined();
    await lease!.giveBack();
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });
});

describe('keepalive', () => {
  it('pings idle connections, which stay idle, and does not count as use', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const db = new FakeDatabase({ keepaliveInterval: 100, idleTimeout: 1000 });
    await db.fill(1);
    await db.clock.advance(950);
    expect(db.driver.sent.filter((line) => line === '1 <ping>')).toHaveLength(9);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    await db.clock.advance(60);
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });

  it('serves a waiter that came while the ping was on its way', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const db = new FakeDatabase({ connectionLimit: 1, keepaliveInterval: 100 });
    await db.fill(1);
    let pong: (value?: unknown) => void = () => {};
    db.driver.once(/^<ping>/, { until: new Promise((resolve) => (pong = resolve)) });
    await db.clock.advance(100);
    const wait = watched(db.pool.acquire());
    await db.clock.advance(1);
    expect([wait.state, db.numbers]).toEqual(['pending', [1, 0, 1, 1]]);
    pong();
    await db.clock.advance(1);
    expect([wait.state, db.driver.attempts]).toEqual(['fulfilled', 1]);
  });

  it('drops a connection that is silent for a second, and those that rested as long', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    const db = new FakeDatabase({
      keepaliveInterval: 100,
      validateAfter: 50,
      acquireTimeout: 5000,
    });
    await db.fill(3);
    db.driver.on(/^<ping>/, { until: never });
    await db.clock.advance(1200);
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });
});

describe('validateAfter', () => {
  it('lends a fresh connection as it is, and asks one that rested', async () => {
    const db = new FakeDatabase({ validateAfter: 500 });
    await db.fill(1);
    await db.clock.advance(500);
    expect(db.pool.tryAcquire()?.giveBack()).toBeUndefined();
    await db.clock.advance(501);
    expect(db.pool.tryAcquire()).toBeUndefined();
    const lease = await db.pool.acquire();
    expect(db.driver.sent.at(-1)).toBe('1 <ping>');
    await lease.giveBack();
  });

  it('keeps first come, first served where what was to serve the first turns out dead', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, validateAfter: 10, acquireTimeout: 60_000 });
    await db.fill(1);
    await db.clock.advance(20);
    db.driver.once(/^<ping>/, { until: never });
    const order: string[] = [];
    const first = db.pool.acquire().then((lease) => {
      order.push('first');
      return lease.giveBack();
    });
    const second = db.pool.acquire().then((lease) => {
      order.push('second');
      return lease.giveBack();
    });
    await db.clock.advance(2000);
    await Promise.all([first, second]);
    expect([order, db.driver.attempts]).toEqual([['first', 'second'], 2]);
  });
});

describe('leakDetectionThreshold', () => {
  it('reports each long lease once by one timer, and its return', async () => {
    const db = new FakeDatabase({ leakDetectionThreshold: 100 });
    const [early] = await db.take(1);
    await db.clock.advance(60);
    const [late] = await db.take(1);
    await db.clock.advance(50);
    expect(db.logger.of(/out for long; a leak/)).toHaveLength(1);
    await db.clock.advance(500);
    expect(db.logger.of(/out for long; a leak/)).toHaveLength(2);
    await early!.giveBack();
    await late!.giveBack();
    expect(db.logger.of(/came back after all/)).toHaveLength(2);
  });

  it('costs no timer where it is 0', async () => {
    const db = new FakeDatabase({ idleTimeout: 0, acquireTimeout: 0 });
    const [lease] = await db.take(1);
    expect(db.clock.openTimers).toBe(0);
    await lease!.giveBack();
  });
});

describe('a connection that is lost as soon as it is there', () => {
  it('counts as a connect that failed: refilling minIdle is no storm', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    const db = new FakeDatabase({ minIdle: 2, acquireTimeout: 0 });
    await db.fill(1);
    db.driver.on(/^SELECT @@wait_timeout/, {
      effect: (connection) =>
        void db.clock.setTimer(() => connection.lose(codeError('ECONNRESET')), 3),
    });
    for (const connection of db.driver.connections) connection.lose(codeError('ECONNRESET'));
    const before = db.driver.attempts;
    await db.clock.advance(10_000);
    expect(db.driver.attempts - before).toBeLessThan(50);
  });
});

describe('evictAll()', () => {
  it('reaches a connect that was under way: another one serves', async () => {
    const db = new FakeDatabase();
    let open: (value?: unknown) => void = () => {};
    db.driver.nextConnects(() => new Promise((resolve) => (open = resolve)));
    const wait = db.pool.acquire();
    await db.clock.advance(1);
    db.pool.evictAll();
    open();
    await db.clock.advance(1);
    const lease = await wait;
    expect([lease.connection.threadId, db.driver.sent.includes('1 <quit>')]).toEqual([2, true]);
    await lease.giveBack();
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });
});

describe('a goodbye', () => {
  it('takes a place until it is said: the server never sees more sessions than the limit', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 5000 });
    await db.fill(1);
    let said: (value?: unknown) => void = () => {};
    db.driver.once(/^<quit>/, { until: new Promise((resolve) => (said = resolve)) });
    db.pool.evictAll();
    const wait = watched(db.pool.acquire());
    await db.clock.advance(10);
    expect([wait.state, db.driver.attempts]).toEqual(['pending', 1]);
    said();
    await db.clock.advance(1);
    expect([wait.state, db.driver.attempts]).toEqual(['fulfilled', 2]);
  });

  it('that is never answered takes it for a second at most', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 5000 });
    await db.fill(1);
    db.driver.once(/^<quit>/, { until: never });
    db.pool.evictAll();
    const wait = watched(db.pool.acquire());
    await db.clock.advance(1001);
    expect(wait.state).toBe('fulfilled');
  });
});

describe('end()', () => {
  it('leaves no connection that was being asked for a sign of life', async () => {
    const db = new FakeDatabase({ keepaliveInterval: 1000, idleTimeout: 0 });
    await db.fill(2);
    db.driver.on(/ping/, { until: never });
    await db.clock.advance(1001);
    const end = watched(db.pool.end(10_000));
    await db.clock.advance(0);
    expect([end.state, db.driver.open, db.numbers]).toEqual(['fulfilled', 0, [0, 0, 0, 0]]);
  });
});

describe('a proof that takes long', () => {
  it('no longer stands for its waiter: another connection is opened', async () => {
    const db = new FakeDatabase({ validateAfter: 50, acquireTimeout: 500 });
    await db.fill(1);
    await db.clock.advance(100);
    db.driver.once(/ping/, { until: never });
    const wait = watched(db.pool.acquire());
    await db.clock.advance(120);
    expect([wait.state, db.driver.attempts]).toEqual(['fulfilled', 2]);
  });

  it('and queueLimit counts only those that no connection is there for', async () => {
    const db = new FakeDatabase({ connectionLimit: 10, queueLimit: 1, validateAfter: 500 });
    await db.fill(10);
    await db.clock.advance(600);
    const all = Array.from({ length: 10 }, () => watched(db.pool.acquire()));
    await db.clock.advance(1);
    expect(all.map(({ state }) => state)).toEqual(Array(10).fill('fulfilled'));
  });
});
