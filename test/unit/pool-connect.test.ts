import { deferred } from '../support/deferred';
import { codeError, never, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);
afterEach(() => jest.restoreAllMocks());

/** Full jitter at its upper bound, so that delays can be foretold. */
function longestDelays(): void {
  jest.spyOn(Math, 'random').mockReturnValue(1);
}

describe('opening connections', () => {
  it('begins few for a spike that returning connections can serve', async () => {
    const db = new FakeDatabase({ connectionLimit: 20 });
    await db.fill(5);
    const before = db.driver.attempts;
    db.driver.everyConnect = () => never;
    let served = 0;
    const spike = Array.from({ length: 50 }, async () => {
      const lease = await db.pool.acquire();
      await settled();
      await lease.giveBack();
      served++;
    });
    await Promise.all(spike);
    expect(served).toBe(50);
    expect(db.driver.attempts - before).toBeLessThanOrEqual(2);
  });

  it('widens while connects succeed and callers still wait', async () => {
    const db = new FakeDatabase({ connectionLimit: 20 });
    const gates = Array.from({ length: 20 }, () => deferred());
    db.driver.nextConnects(...gates.map((gate) => () => gate.promise));
    const waiting = Array.from({ length: 20 }, () => watched(db.pool.acquire()));
    await settled();
    const widths = [db.pool.stats().connecting];
    for (const gate of gates) {
      gate.resolve();
      await db.clock.advance(1);
      widths.push(db.pool.stats().connecting);
    }
    expect(widths.slice(0, 4)).toEqual([2, 4, 8, 16]);
    expect(waiting.every(({ state }) => state === 'fulfilled')).toBe(true);
  });

  it('lets Node print no warning however many connects share a signal', async () => {
    const warnings: string[] = [];
    const note = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', note);
    const db = new FakeDatabase({ connectionLimit: 40 });
    db.driver.nextConnects(...Array.from({ length: 6 }, () => () => settled()));
    db.driver.everyConnect = () => never;
    for (let i = 0; i < 40; i++) watched(db.pool.acquire());
    await db.clock.advance(1);
    await db.clock.advance(1);
    expect(db.pool.stats().connecting).toBeGreaterThan(10);
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('begins no more than are needed', async () => {
    const db = new FakeDatabase({ connectionLimit: 10 });
    db.driver.everyConnect = () => never;
    watched(db.pool.acquire());
    await db.clock.advance(1);
    expect(db.driver.attempts).toBe(1);
  });

  it('keeps a connection that comes after its caller has gone', async () => {
    const db = new FakeDatabase({ acquireTimeout: 100 });
    const gate = deferred();
    db.driver.nextConnects(() => gate.promise);
    const gone = watched(db.pool.acquire());
    await db.clock.advance(100);
    expect(gone.state).toBe('rejected');
    gate.resolve();
    await db.clock.advance(1);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    const lease = await db.pool.acquire();
    expect([lease.connection.threadId, db.driver.attempts]).toEqual([1, 1]);
  });

  it('gives a connection to whoever waits longest, not to whom it was begun for', async () => {
    const db = new FakeDatabase({ connectionLimit: 2 });
    const [lease] = await db.take(1);
    const gate = deferred();
    db.driver.nextConnects(() => gate.promise);
    const first = db.pool.acquire();
    const second = db.pool.acquire();
    await lease!.giveBack();
    expect((await first).connection.threadId).toBe(1);
    gate.resolve();
    expect((await second).connection.threadId).toBe(2);
  });

  it('sets each session up before anybody uses it', async () => {
    const db = new FakeDatabase({ initSql: ['SET a = 1', 'SET b = 2'] });
    await db.query('SELECT 1');
    expect(db.driver.sent).toEqual([
      '1 SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, autocommit=1, session_track_state_change=1',
      '1 SET a = 1',
      '1 SET b = 2',
      expect.stringMatching(/^1 SELECT @@wait_timeout, /),
      '1 SELECT 1',
    ]);
    expect(db.driver.latest).toMatchObject({ dirty: false });
  });

  it('does without session tracking on a server that has none', async () => {
    const db = new FakeDatabase();
    db.driver.on(/session_track/, { error: serverError(1193) });
    await db.query('SELECT 1');
    expect(db.driver.sent.slice(1)).toEqual([
      '1 SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, autocommit=1',
      expect.stringMatching(/^1 SELECT @@wait_timeout, /),
      '1 SELECT 1',
    ]);
    expect(db.driver.latest).toMatchObject({ dirty: false });
  });

  it('leaves no connection behind whose set-up fails', async () => {
    const db = new FakeDatabase({ initSql: 'SET nonsense' });
    const error = serverError(1064);
    db.driver.on(/nonsense/, { error });
    const wait = watched(db.pool.acquire());
    await db.clock.advance(10_000);
    expect(wait.reason.cause).toBe(error);
    expect([db.driver.open, db.numbers]).toEqual([0, [0, 0, 0, 0]]);
  });

  it('ends a connect and its set-up together after connectTimeout', async () => {
    const db = new FakeDatabase({ connectTimeout: 1000, acquireTimeout: 0 });
    db.driver.nextConnects(
      () => never,
      () => new Promise((resolve) => db.clock.setTimer(() => resolve(0), 900)),
    );
    db.driver.on(/^SET NAMES/, { until: never });
    watched(db.pool.acquire());
    await db.clock.advance(999);
    expect(db.logger.of(/connect failed/)).toHaveLength(0);
    await db.clock.advance(1);
    expect(db.logger.of(/connect failed/)).toHaveLength(1);
    // The next one begins within 50 ms and has 1000.
    await db.clock.advance(1050);
    expect(db.logger.of(/connect failed/)).toHaveLength(2);
    expect(db.driver.open).toBeLessThanOrEqual(1);
  });

  it('does not hand out a connection that is lost as its set-up ends', async () => {
    const db = new FakeDatabase();
    db.driver.once(/^SELECT @@wait_timeout/, {
      effect: (connection) => {
        void Promise.resolve()
          .then(() => {})
          .then(() => connection.lose(codeError('ECONNRESET')));
      },
    });
    const lease = await db.pool.acquire();
    expect(lease.connection.lost).toBeUndefined();
    expect(db.pool.stats()).toMatchObject({ created: 2, destroyed: 1, total: 1 });
  });
});

describe('while the server is away', () => {
  it('waits between connects, longer each time, and never longer than a second', async () => {
    longestDelays();
    const db = new FakeDatabase({ acquireTimeout: 0 });
    const begun: number[] = [];
    db.driver.everyConnect = () => {
      begun.push(db.clock.now());
      return Promise.reject(codeError('ECONNREFUSED'));
    };
    watched(db.pool.acquire());
    await db.clock.advance(5000);
    const gaps = begun.slice(1).map((at, i) => at - begun[i]!);
    expect(gaps.slice(0, 8)).toEqual([50, 100, 200, 400, 800, 1000, 1000, 1000]);
  });

  it('waits a random part of the delay, so that clients do not come back all at once', async () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.25);
    const db = new FakeDatabase({ acquireTimeout: 0 });
    db.driver.everyConnect = () => Promise.reject(codeError('ECONNREFUSED'));
    watched(db.pool.acquire());
    await db.clock.advance(0);
    expect(db.clock.dueIn).toEqual([12.5]);
    random.mockReturnValue(0.5);
    await db.clock.advance(12.5);
    expect(db.clock.dueIn).toEqual([50]);
  });

  it('connects no oftener for a thousand callers than for one', async () => {
    longestDelays();
    const db = new FakeDatabase({ connectionLimit: 100, acquireTimeout: 1000 });
    db.driver.everyConnect = () => Promise.reject(codeError('ECONNREFUSED'));
    const waiting = Array.from({ length: 1000 }, () => watched(db.pool.acquire()));
    await db.clock.advance(1000);
    expect(waiting.every(({ state }) => state === 'rejected')).toBe(true);
    expect(db.driver.attempts).toBeLessThan(20);
  });

  it('connects no more once nobody waits', async () => {
    const db = new FakeDatabase({ acquireTimeout: 1000 });
    db.driver.everyConnect = () => Promise.reject(codeError('ECONNREFUSED'));
    watched(db.pool.acquire());
    await db.clock.advance(3000);
    const { attempts } = db.driver;
    await db.clock.advance(600_000);
    expect([db.driver.attempts, db.clock.openTimers]).toEqual([attempts, 0]);
  });

  it('serves those that wait when it is back, and begins with short delays again', async () => {
    longestDelays();
    const db = new FakeDatabase({ connectionLimit: 2, acquireTimeout: 60_000 });
    const refuse = (): Promise<never> => Promise.reject(codeError('ECONNREFUSED'));
    db.driver.nextConnects(...Array.from({ length: 8 }, () => refuse));
    const waiting = watched(db.pool.acquire());
    await db.clock.advance(20_000);
    expect(waiting.state).toBe('fulfilled');
    db.driver.everyConnect = refuse;
    watched(db.pool.acquire());
    await db.clock.advance(0);
    expect(Math.min(...db.clock.dueIn)).toBe(50);
  });
});

describe('a server that refuses for good', () => {
  const refused = serverError(1045, 'Access denied');

  it('fails every caller at once with its own error, when no connection lives', async () => {
    const db = new FakeDatabase();
    db.driver.everyConnect = () => Promise.reject(refused);
    const waiting = [watched(db.pool.acquire()), watched(db.pool.acquire())];
    await db.clock.advance(0);
    expect(waiting.map(({ reason }) => reason as unknown)).toEqual([refused, refused]);
    expect(db.pool.stats().timeouts).toBe(0);
  });

  it('is only logged while a connection lives', async () => {
    const db = new FakeDatabase({ connectionLimit: 2, acquireTimeout: 1000 });
    const [lease] = await db.take(1);
    db.driver.everyConnect = () => Promise.reject(refused);
    const waiting = watched(db.pool.acquire());
    await db.clock.advance(500);
    expect(waiting.state).toBe('pending');
    const failures = db.logger.of(/connect failed/);
    expect(failures.length).toBeGreaterThan(0);
    expect(failures[0]?.fields).toMatchObject({
      errorNumber: 1045,
      errorCode: 'ER_1045',
      total: 1,
    });
    expect(JSON.stringify(failures)).not.toContain('Access denied');
    await lease!.giveBack();
    await waiting.promise;
  });
});
