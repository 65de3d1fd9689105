import { PoolClosedError } from '../../src/errors';
import { deferred } from '../support/deferred';
import { codeError, never } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

describe('end()', () => {
  it('says goodbye to idle connections and leaves no timer', async () => {
    const db = new FakeDatabase();
    await db.fill(3);
    await db.pool.end(1000);
    expect(db.driver.work.sort()).toEqual(['1 <quit>', '2 <quit>', '3 <quit>']);
    expect([db.driver.open, db.numbers, db.clock.openTimers]).toEqual([0, [0, 0, 0, 0], 0]);
  });

  it('of a pool that was never used opens nothing', async () => {
    const db = new FakeDatabase({ minIdle: 3 });
    await db.pool.end(1000);
    expect(db.driver.attempts).toBe(0);
  });

  it('rejects those that wait, and whoever comes later', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    const [lease] = await db.take(1);
    const waiting = rejection(db.pool.acquire());
    const ended = db.pool.end(1000);
    const later = rejection(db.pool.acquire());
    expect(await waiting).toBeInstanceOf(PoolClosedError);
    expect(await later).toBeInstanceOf(PoolClosedError);
    expect(db.pool.tryAcquire()).toBeUndefined();
    await lease!.giveBack();
    await ended;
    expect(await rejection(db.pool.acquire())).toBeInstanceOf(PoolClosedError);
    expect(db.driver.attempts).toBe(1);
  });

  it('lends nothing from the moment it is called, and opens nothing for minIdle', async () => {
    const db = new FakeDatabase({ minIdle: 2 });
    await db.fill(3);
    await settled();
    const { attempts } = db.driver;
    const ended = db.pool.end(1000);
    expect(db.pool.tryAcquire()).toBeUndefined();
    await ended;
    expect([db.driver.attempts, db.driver.open]).toEqual([attempts, 0]);
  });

  it('waits for leases, lets them work, and closes them as they come back', async () => {
    const db = new FakeDatabase();
    const [lease] = await db.take(1);
    const ended = watched(db.pool.end(1000));
    await db.clock.advance(500);
    await lease!.run('query', { sql: 'SELECT 1' });
    await lease!.run('query', { sql: 'BEGIN' });
    expect(ended.state).toBe('pending');
    await lease!.giveBack();
    await db.clock.advance(0);
    expect([ended.state, db.driver.work, db.driver.open]).toEqual([
      'fulfilled',
      ['1 SELECT 1', '1 BEGIN', '1 ROLLBACK', '1 <quit>'],
      0,
    ]);
    expect(db.clock.openTimers).toBe(0);
  });

  it('closes at the deadline what is still out; what runs there rejects', async () => {
    const db = new FakeDatabase();
    const [lease] = await db.take(1);
    db.driver.on(/SLEEP/, { until: never });
    const running = watched(lease!.run('query', { sql: 'SLEEP' }));
    const ended = watched(db.pool.end(1000));
    await db.clock.advance(999);
    expect([ended.state, running.state]).toEqual(['pending', 'pending']);
    await db.clock.advance(1);
    expect([ended.state, db.driver.open]).toEqual(['fulfilled', 0]);
    expect(running.reason).toBeInstanceOf(PoolClosedError);
    expect(db.logger.of(/still out at the deadline/)).toHaveLength(1);
    await lease!.giveBack();
    expect(db.numbers).toEqual([0, 0, 0, 0]);
    expect(db.pool.stats()).toMatchObject({ created: 1, destroyed: 1, acquired: 1, released: 1 });
  });

  it('gives a second caller the first promise', async () => {
    const db = new FakeDatabase();
    await db.fill(1);
    const first = db.pool.end(1000);
    expect(db.pool.end(0)).toBe(first);
    await first;
    expect(db.pool.end(5)).toBe(first);
  });

  it('calls off connects that are under way', async () => {
    const db = new FakeDatabase();
    db.driver.everyConnect = () => never;
    const waiting = watched(db.pool.acquire());
    await settled();
    await db.pool.end(1000);
    expect(waiting.reason).toBeInstanceOf(PoolClosedError);
    expect([db.pool.stats().connecting, db.clock.openTimers]).toEqual([0, 0]);
    expect(db.logger.of(/connect failed/)).toEqual([]);
  });

  it('does not wait for a set-up that hangs', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^SET NAMES/, { until: never });
    const waiting = watched(db.pool.acquire());
    await settled();
    const ended = watched(db.pool.end(100));
    await db.clock.advance(100);
    expect([waiting.state, ended.state, db.driver.open]).toEqual(['rejected', 'fulfilled', 0]);
  });

  it('begins no connect after a pause that follows a failure', async () => {
    const db = new FakeDatabase({ minIdle: 1 });
    db.driver.everyConnect = () => Promise.reject(codeError('ECONNREFUSED'));
    watched(db.pool.acquire());
    await settled();
    const { attempts } = db.driver;
    await db.pool.end(1000);
    await db.clock.advance(60_000);
    expect([db.driver.attempts, db.clock.openTimers]).toEqual([attempts, 0]);
  });

  it('waits for the goodbyes, no longer than a second each', async () => {
    const db = new FakeDatabase();
    await db.fill(2);
    const bye = deferred();
    db.driver.on(/<quit>/, (connection) => ({
      until: connection.threadId === 1 ? bye.promise : never,
    }));
    const ended = watched(db.pool.end(0));
    await db.clock.advance(0);
    bye.resolve();
    await db.clock.advance(999);
    expect([ended.state, db.driver.open]).toEqual(['pending', 1]);
    await db.clock.advance(1);
    expect([ended.state, db.driver.open]).toEqual(['fulfilled', 0]);
  });

  it('takes back a lease that comes while others are still out', async () => {
    const db = new FakeDatabase();
    const [first, second] = await db.take(2);
    const ended = watched(db.pool.end(1000));
    await settled();
    await first!.giveBack();
    await settled();
    expect([ended.state, db.driver.open]).toEqual(['pending', 1]);
    second!.discard(new Error('broken'));
    await settled();
    expect([ended.state, db.driver.open]).toEqual(['fulfilled', 0]);
  });
});
