import { getEventListeners } from 'node:events';
import { PoolExhaustedError } from '../../src/errors';
import { codeError, never } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';

afterEach(endAll);

describe('acquire', () => {
  it('opens nothing before it is called, and one connection for one borrower', async () => {
    const db = new FakeDatabase({ minIdle: 2 });
    await db.clock.advance(100_000);
    expect(db.driver.attempts).toBe(0);
    const lease = await new FakeDatabase().pool.acquire();
    expect(lease.connection.threadId).toBe(1);
  });

  it('serves first come, first served, whatever serves', async () => {
    const db = new FakeDatabase({ connectionLimit: 2 });
    const [first, second] = await db.take(2);
    const served: number[] = [];
    const waiting = [1, 2, 3, 4].map((who) =>
      db.pool.acquire().then((lease) => {
        served.push(who);
        return lease;
      }),
    );
    first!.discard(new Error('broken'));
    second!.discard(new Error('broken'));
    for (const lease of waiting) await (await lease).giveBack();
    expect(served).toEqual([1, 2, 3, 4]);
  });

  it('does not let a later caller pass those that wait', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    const [lease] = await db.take(1);
    const waiting = db.pool.acquire();
    expect(db.pool.tryAcquire()).toBeUndefined();
    await lease!.giveBack();
    expect(db.pool.tryAcquire()).toBeUndefined();
    await (await waiting).giveBack();
    expect(db.pool.tryAcquire()?.connection.threadId).toBe(1);
  });

  it('never has more connections than connectionLimit', async () => {
    const db = new FakeDatabase({ connectionLimit: 3 });
    let most = 0;
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const lease = await db.pool.acquire();
        most = Math.max(most, db.driver.open);
        await lease.giveBack();
      }),
    );
    expect([most, db.driver.attempts]).toEqual([3, 3]);
  });
});

describe('the deadline of an acquire', () => {
  it('is absolute: served at 99 ms, failed at 100, whatever happens meanwhile', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 100 });
    const [lease] = await db.take(1);
    const early = watched(db.pool.acquire());
    await db.clock.advance(1);
    const late = watched(db.pool.acquire());
    await db.clock.advance(98);
    await lease!.giveBack();
    expect([early.state, late.state]).toEqual(['fulfilled', 'pending']);
    await db.clock.advance(1);
    expect(late.state).toBe('pending');
    await db.clock.advance(1);
    expect(late.state).toBe('rejected');
    expect(late.reason).toBeInstanceOf(PoolExhaustedError);
    expect(db.pool.stats().timeouts).toBe(1);
  });

  it('tells the limit, the four numbers and what to do', async () => {
    const db = new FakeDatabase({ connectionLimit: 2, acquireTimeout: 100 });
    await db.take(2);
    const waits = [rejection(db.pool.acquire()), rejection(db.pool.acquire())];
    await db.clock.advance(100);
    const [error, next] = await Promise.all(waits);
    expect(error.message).toMatch(
      /^No connection within 100 ms \(total=2, active=2, idle=0, waiting=2\)\. Every connection is in use: /,
    );
    expect(error.pool).toEqual({ total: 2, active: 2, idle: 0, waiting: 2 });
    expect(next.pool.waiting).toBe(1);
    expect('cause' in error).toBe(false);
    expect([error.code, error.retryable]).toEqual(['ERR_POOL_EXHAUSTED', true]);
  });

  it('bears the last connect failure as its cause, and says that none could be opened', async () => {
    const db = new FakeDatabase({ acquireTimeout: 500 });
    const last = codeError('ECONNREFUSED');
    db.driver.nextConnects(() => Promise.reject(codeError('ENOTFOUND')));
    db.driver.everyConnect = () => Promise.reject(last);
    const wait = rejection(db.pool.acquire());
    await db.clock.advance(500);
    const error = await wait;
    expect(error.cause).toBe(last);
    expect(error.message).toMatch(/\(total=0, .*No connection could be opened: see the cause/);
  });

  it('bears it also where the pause after it outlasts acquireTimeout', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    const db = new FakeDatabase({ acquireTimeout: 20 });
    const last = codeError('ECONNREFUSED');
    db.driver.everyConnect = () => Promise.reject(last);
    const early = rejection(db.pool.acquire());
    await db.clock.advance(20);
    await early;
    const late = rejection(db.pool.acquire());
    await db.clock.advance(20);
    jest.restoreAllMocks();
    expect((await late).cause).toBe(last);
  });

  it('bears no cause once a connect has succeeded since', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 5000 });
    db.driver.nextConnects(() => Promise.reject(codeError('ECONNREFUSED')));
    const taken = db.pool.acquire();
    await db.clock.advance(1000);
    await taken;
    const wait = rejection(db.pool.acquire());
    await db.clock.advance(5000);
    expect('cause' in (await wait)).toBe(false);
  });

  it('says so where the pool was still opening connections', async () => {
    const db = new FakeDatabase({ acquireTimeout: 100 });
    await db.take(1);
    db.driver.everyConnect = () => never;
    const wait = rejection(db.pool.acquire());
    await db.clock.advance(100);
    expect((await wait).message).toMatch(/\(total=1, .*still opening connections/);
  });

  it("may be another for one acquire, and the caller's hint replaces the advice", async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    await db.take(1);
    const wait = rejection(db.pool.acquire({ within: 50, hint: () => 'Look at yourself.' }));
    await db.clock.advance(50);
    expect((await wait).message).toMatch(
      /^No connection within 50 ms \(.*\)\. Look at yourself\.$/,
    );
  });

  it('is none where acquireTimeout is 0', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 0 });
    const [lease] = await db.take(1);
    const wait = watched(db.pool.acquire());
    await db.clock.advance(10_000_000);
    expect([wait.state, db.clock.openTimers]).toEqual(['pending', 0]);
    await lease!.giveBack();
    await wait.promise;
  });
});

describe('an acquire that may not wait', () => {
  it('is refused at once when queueLimit callers wait', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, queueLimit: 2 });
    const [lease] = await db.take(1);
    const waiting = [watched(db.pool.acquire()), watched(db.pool.acquire())];
    const error = await rejection(db.pool.acquire());
    expect(error).toBeInstanceOf(PoolExhaustedError);
    expect(error.message).toMatch(/^The queue is full: queueLimit is 2 \(total=1, .*waiting=2\)/);
    await lease!.giveBack();
    await waiting[0]!.promise;
    expect(db.pool.stats().timeouts).toBe(0);
  });

  it('is refused at once where waitForConnections is false and all are out', async () => {
    const db = new FakeDatabase({ connectionLimit: 2, waitForConnections: false });
    const leases = await db.take(2);
    const error = await rejection(db.pool.acquire());
    expect(error.message).toMatch(/^No connection is free, and waitForConnections is false \(/);
    await leases[0]!.giveBack();
    await db.pool.acquire();
  });

  it('waits for its own connect where waitForConnections is false', async () => {
    const db = new FakeDatabase({ connectionLimit: 2, waitForConnections: false });
    const acquires = [1, 2, 3].map(() => watched(db.pool.acquire()));
    await db.clock.advance(1);
    expect(acquires.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });
});

describe('an AbortSignal', () => {
  it('that is aborted already: nothing is begun', async () => {
    const db = new FakeDatabase();
    const reason = new Error('mine');
    expect(await rejection(db.pool.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect([db.driver.attempts, db.numbers]).toEqual([0, [0, 0, 0, 0]]);
  });

  it('ends the wait with its reason, and the next in line moves up', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    const [lease] = await db.take(1);
    const aborter = new AbortController();
    const gone = rejection(db.pool.acquire({ signal: aborter.signal }));
    const next = db.pool.acquire();
    const reason = new Error('mine');
    aborter.abort(reason);
    expect(await gone).toBe(reason);
    expect(db.numbers).toEqual([1, 1, 0, 1]);
    await lease!.giveBack();
    await next;
    expect(db.pool.stats().timeouts).toBe(0);
  });

  it('is let go of once the wait is over, so that a long-lived one gathers nothing', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, acquireTimeout: 100 });
    const { signal } = new AbortController();
    const [lease] = await db.take(1);
    const served = db.pool.acquire({ signal });
    const late = watched(db.pool.acquire({ signal }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await lease!.giveBack();
    await served;
    await db.clock.advance(100);
    expect([late.state, getEventListeners(signal, 'abort').length]).toEqual(['rejected', 0]);
  });

  it('does nothing once the acquire was served', async () => {
    const db = new FakeDatabase();
    const aborter = new AbortController();
    const lease = await db.pool.acquire({ signal: aborter.signal });
    aborter.abort();
    expect([lease.released, db.numbers]).toEqual([false, [1, 1, 0, 0]]);
  });
});

describe('stats()', () => {
  it('counts exactly', async () => {
    const db = new FakeDatabase({ connectionLimit: 2, acquireTimeout: 100 });
    const [first, second] = await db.take(2);
    const late = rejection(db.pool.acquire());
    await db.clock.advance(100);
    await late;
    await first!.giveBack();
    second!.discard(new Error('broken'));
    expect(db.pool.stats()).toEqual({
      total: 1,
      active: 0,
      idle: 1,
      waiting: 0,
      connecting: 0,
      auxiliary: 0,
      acquired: 2,
      released: 2,
      timeouts: 1,
      created: 2,
      destroyed: 1,
      since: new Date(Date.UTC(2020, 0, 1)),
    });
  });

  it('counts connects under way apart', async () => {
    const db = new FakeDatabase();
    db.driver.everyConnect = () => never;
    watched(db.pool.acquire());
    await db.clock.advance(1);
    expect(db.pool.stats()).toMatchObject({ total: 0, waiting: 1, connecting: 1 });
  });

  it('is a picture of the moment that nobody can change', () => {
    expect(Object.isFrozen(new FakeDatabase().pool.stats())).toBe(true);
  });
});
