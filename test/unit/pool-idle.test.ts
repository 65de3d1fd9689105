import { codeError } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';

afterEach(endAll);

/** Takes and returns one connection; its number. */
async function use(db: FakeDatabase): Promise<number> {
  const lease = await db.pool.acquire();
  const { threadId } = lease.connection;
  await lease.giveBack();
  return threadId;
}

describe('idle connections', () => {
  it('are lent last in, first out, so that those the load does not need grow old', async () => {
    const db = new FakeDatabase();
    await db.fill(3);
    expect([await use(db), await use(db)]).toEqual([3, 3]);
    const [a, b, c] = await db.take(3);
    for (const lease of [b!, a!, c!]) await lease.giveBack();
    expect(await use(db)).toBe(1);
  });

  it('are lent at once, without a round trip', async () => {
    const db = new FakeDatabase();
    await db.fill(1);
    const before = db.driver.sent.length;
    expect(db.pool.tryAcquire()).toBeDefined();
    expect(db.driver.sent).toHaveLength(before);
  });

  it('are closed with a goodbye after idleTimeout, not before', async () => {
    const db = new FakeDatabase({ idleTimeout: 1000, acquireTimeout: 0 });
    await db.fill(1);
    await db.clock.advance(999);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    await db.clock.advance(1);
    expect([db.numbers, db.driver.open, db.driver.sent.at(-1)]).toEqual([
      [0, 0, 0, 0],
      0,
      '1 <quit>',
    ]);
    expect(db.clock.openTimers).toBe(0);
  });

  it('are closed again after the next use, and after the one after that', async () => {
    const db = new FakeDatabase({ idleTimeout: 1000 });
    for (let round = 1; round <= 3; round++) {
      expect(await use(db)).toBe(round);
      await db.clock.advance(1000);
      expect([db.numbers, db.driver.open]).toEqual([[0, 0, 0, 0], 0]);
    }
  });

  it('count their time from the last use, each for itself', async () => {
    const db = new FakeDatabase({ idleTimeout: 1000 });
    const [a, b] = await db.take(2);
    await a!.giveBack();
    await db.clock.advance(400);
    await b!.giveBack();
    await db.clock.advance(400);
    expect(await use(db)).toBe(2);
    await db.clock.advance(200);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    await db.clock.advance(799);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    await db.clock.advance(1);
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });

  it('stay for ever where idleTimeout is 0, and no timer runs', async () => {
    const db = new FakeDatabase({ idleTimeout: 0, acquireTimeout: 0 });
    await db.fill(2);
    expect(db.clock.openTimers).toBe(0);
    await db.clock.advance(10_000_000);
    expect(db.numbers).toEqual([2, 0, 2, 0]);
  });

  it('stay up to minIdle, however long they are idle', async () => {
    const db = new FakeDatabase({ idleTimeout: 1000, minIdle: 2 });
    await db.fill(4);
    const { attempts } = db.driver;
    await db.clock.advance(10_000_000);
    expect([db.numbers, db.driver.attempts]).toEqual([[2, 0, 2, 0], attempts]);
    expect(db.driver.connections.filter(({ gone }) => !gone)).toHaveLength(2);
  });

  it('are filled up to minIdle once the pool is in use, and again when one is lost', async () => {
    const db = new FakeDatabase({ minIdle: 3 });
    const lease = await db.pool.acquire();
    await db.clock.advance(0);
    expect(db.numbers).toEqual([4, 1, 3, 0]);
    await db.clock.advance(1000);
    db.driver.latest.lose(codeError('ECONNRESET'));
    expect(db.numbers).toEqual([3, 1, 2, 0]);
    await db.clock.advance(0);
    expect(db.numbers).toEqual([4, 1, 3, 0]);
    await lease.giveBack();
    expect(db.driver.attempts).toBe(5);
  });

  it('are no more than maxIdle: a further one is closed on return', async () => {
    const db = new FakeDatabase({ maxIdle: 1 });
    await db.fill(3);
    await db.clock.advance(0);
    expect([db.numbers, db.driver.open]).toEqual([[1, 0, 1, 0], 1]);
  });

  it('are none where maxIdle is 0', async () => {
    const db = new FakeDatabase({ maxIdle: 0 });
    expect([await use(db), await use(db)]).toEqual([1, 2]);
    await db.clock.advance(0);
    expect([db.numbers, db.driver.open]).toEqual([[0, 0, 0, 0], 0]);
  });

  it('serve a waiting caller also where maxIdle is 0', async () => {
    const db = new FakeDatabase({ maxIdle: 0, connectionLimit: 1 });
    const [lease] = await db.take(1);
    const waiting = db.pool.acquire();
    await lease!.giveBack();
    expect((await waiting).connection.threadId).toBe(1);
  });

  it('are cut off when they do not answer the goodbye within a second', async () => {
    const db = new FakeDatabase({ idleTimeout: 1000 });
    await db.fill(1);
    db.driver.on(/<quit>/, { until: new Promise(() => {}) });
    await db.clock.advance(1999);
    expect(db.driver.open).toBe(1);
    await db.clock.advance(1);
    expect(db.driver.open).toBe(0);
  });
});

describe('a lost connection', () => {
  it('that is idle leaves at once and is never lent', async () => {
    const db = new FakeDatabase();
    await db.fill(2);
    db.driver.connections[1]!.lose(codeError('ECONNRESET'));
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    expect(db.pool.stats().destroyed).toBe(1);
    expect(await use(db)).toBe(1);
    expect(db.logger.of(/^connection lost$/)[0]?.fields).toMatchObject({ errorCode: 'ECONNRESET' });
  });

  it('that is lent stays counted until it is returned, and is dropped then', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    const [lease] = await db.take(1);
    const waiting = watched(db.pool.acquire());
    db.driver.latest.lose(codeError('ECONNRESET'));
    await db.clock.advance(1);
    expect([db.numbers, waiting.state]).toEqual([[1, 1, 0, 1], 'pending']);
    await lease!.giveBack();
    const next = await waiting.promise;
    expect(next.connection.threadId).toBe(2);
    expect(db.pool.stats()).toMatchObject({ created: 2, destroyed: 1, released: 1 });
  });

  it('is never put back, however it was returned', async () => {
    const db = new FakeDatabase({ resetOnRelease: 'never' });
    const [lease] = await db.take(1);
    db.driver.latest.lose(codeError('ECONNRESET'));
    await lease!.giveBack();
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });
});
