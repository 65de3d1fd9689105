import { Canceller } from '../../src/pool/canceller';
import { PoolEntry } from '../../src/pool/entry';
import { deferred } from '../support/deferred';
import { codeError, FakeDriver, never, serverError } from '../support/fake-driver';
import { FakeDatabase, endAll, rejection, watched } from '../support/fixture';
import { ManualClock, settled } from '../support/manual-clock';
import { RecordingLogger } from '../support/recording-logger';

afterEach(endAll);

const MINUTE = 60_000;

let clock: ManualClock;
let driver: FakeDriver;
let logger: RecordingLogger;
let canceller: Canceller;

beforeEach(() => {
  clock = new ManualClock();
  driver = new FakeDriver(clock);
  logger = new RecordingLogger();
  canceller = new Canceller(driver, clock, 10_000, logger);
  driver.on(/^SLOW/, { until: never });
});
afterEach(async () => {
  const ended = watched(canceller.end());
  await clock.advance(1000);
  expect([ended.state, canceller.size, clock.openTimers]).toEqual(['fulfilled', 0, 0]);
});

/** A connection of the pool's, with a statement that goes on for ever. */
async function victim({
  address,
  busy = true,
}: { address?: string; busy?: boolean } = {}): Promise<PoolEntry> {
  const connection = await driver.connect(0, new AbortController().signal, address);
  if (busy) connection.run('query', { sql: 'SLOW' }).catch(() => {});
  const facts = {
    waitTimeout: 0,
    // Another than the connection's own, as behind a proxy.
    sessionId: 100 + connection.threadId,
    server: 'fake:3306:1',
    maxAllowedPacket: 0,
  };
  const lifespan = { retireAt: Infinity, keepaliveEvery: Infinity };
  return new PoolEntry(connection, facts, 0, lifespan, clock.now());
}

const kills = (): string[] => driver.sent.filter((line) => line.includes('KILL'));

describe('an order to stop', () => {
  it('goes over a connection of its own, by the session’s number on the server', async () => {
    expect(await canceller.kill(await victim())).toBe(true);
    expect(kills()).toEqual(['2 KILL QUERY 101']);
    expect(canceller.size).toBe(1);
  });

  it('waits for the server’s confirmation', async () => {
    const confirmed = deferred();
    driver.on(/^KILL/, { until: confirmed.promise });
    const kill = watched(canceller.kill(await victim()));
    await settled();
    expect([kill.state, kills()]).toEqual(['pending', ['2 KILL QUERY 101']]);
    confirmed.resolve();
    expect(await kill.promise).toBe(true);
  });

  it('is not given where nothing runs any more; nothing is opened for it', async () => {
    expect(await canceller.kill(await victim({ busy: false }))).toBe(true);
    expect([kills(), driver.attempts]).toEqual([[], 1]);
  });

  it('is not given where the statement ends while the control connection is being opened', async () => {
    const gate = deferred();
    const entry = await victim({ busy: false });
    const answer = deferred();
    driver.once(/^QUICK/, { until: answer.promise });
    const quick = entry.connection.run('query', { sql: 'QUICK' });
    driver.nextConnects(() => gate.promise);
    const kill = canceller.kill(entry);
    answer.resolve();
    await quick;
    gate.resolve();
    expect([await kill, kills()]).toEqual([true, []]);
  });

  it.each([
    ['host', ['elsewhere', 3306, 1]],
    ['port', ['fake', 3307, 1]],
    ['number', ['fake', 3306, 2]],
  ])('is not given to a server with another %s', async (_, identity) => {
    driver.on(/^SELECT @@wait_timeout/, { rows: [[0, 9, 0, ...identity]] });
    expect([await canceller.kill(await victim()), kills()]).toEqual([false, []]);
    expect(logger.of(/not sent/)).toHaveLength(1);
  });

  it.each([
    [9, false],
    [10, true],
    [11, true],
  ])('a session of 10 s on a server that is up for %d s: %s', async (uptime, killed) => {
    const entry = await victim();
    await clock.advance(10_000);
    driver.on(/^SHOW GLOBAL STATUS/, { rows: [['Uptime', String(uptime)]] });
    expect(await canceller.kill(entry)).toBe(killed);
    expect(kills()).toHaveLength(killed ? 1 : 0);
  });

  it('that the server refuses is told, and the control connection stays', async () => {
    driver.once(/^KILL/, { error: serverError(1094) });
    expect(await canceller.kill(await victim())).toBe(false);
    expect(logger.of(/KILL QUERY failed/)).toMatchObject([{ fields: { errorNumber: 1094 } }]);
    expect(canceller.size).toBe(1);
  });

  it('that cannot be given, for want of a connection, is told; the next one tries anew', async () => {
    const entry = await victim();
    driver.nextConnects(() => Promise.reject(codeError('ECONNREFUSED')));
    expect([await canceller.kill(entry), canceller.size]).toEqual([false, 0]);
    expect(await canceller.kill(entry)).toBe(true);
  });
});

describe('the control connection', () => {
  it('is one for all that is stopped at once, and kept for what comes later', async () => {
    const entries = [await victim(), await victim()];
    expect(await Promise.all(entries.map((entry) => canceller.kill(entry)))).toEqual([true, true]);
    await clock.advance(MINUTE - 1);
    expect(await canceller.kill(await victim())).toBe(true);
    expect(kills()).toEqual(['3 KILL QUERY 101', '3 KILL QUERY 102', '3 KILL QUERY 104']);
  });

  it('leads to the victim’s own address, one for each', async () => {
    const entries = [await victim({ address: '10.0.0.1' }), await victim({ address: '10.0.0.2' })];
    for (const entry of entries) await canceller.kill(entry);
    expect(driver.connections.map(({ address }) => address)).toEqual([
      '10.0.0.1',
      '10.0.0.2',
      '10.0.0.1',
      '10.0.0.2',
    ]);
    expect(canceller.size).toBe(2);
  });

  it('is closed a minute after it was last needed, with a goodbye', async () => {
    const entry = await victim();
    await canceller.kill(entry);
    await clock.advance(MINUTE - 1);
    await canceller.kill(entry);
    await clock.advance(MINUTE - 1);
    expect([canceller.size, driver.sent.includes('2 <quit>')]).toEqual([1, false]);
    await clock.advance(1);
    expect([canceller.size, driver.sent.includes('2 <quit>')]).toEqual([0, true]);
    expect(await canceller.kill(entry)).toBe(true);
    expect(kills().at(-1)).toBe('3 KILL QUERY 101');
  });

  it('that was lost is replaced', async () => {
    const entry = await victim();
    await canceller.kill(entry);
    driver.latest.lose(codeError('ECONNRESET'));
    expect(canceller.size).toBe(0);
    expect(await canceller.kill(entry)).toBe(true);
    expect(kills()).toEqual(['2 KILL QUERY 101', '3 KILL QUERY 101']);
  });

  it('that fell silent swallows one order and no more', async () => {
    const entry = await victim();
    driver.once(/^KILL/, { until: never });
    const kill = watched(canceller.kill(entry));
    await clock.advance(1000);
    expect(kill.state).toBe('fulfilled');
    expect([await kill.promise, canceller.size, driver.latest.gone]).toEqual([false, 0, true]);
    expect(await canceller.kill(entry)).toBe(true);
    expect(kills()).toEqual(['2 KILL QUERY 101', '3 KILL QUERY 101']);
  });

  it('that says nothing from the beginning is given up after the limit of connects', async () => {
    driver.once(/^SELECT @@wait_timeout/, { until: never });
    const kill = watched(canceller.kill(await victim()));
    await clock.advance(9999);
    expect([kill.state, canceller.size]).toEqual(['pending', 1]);
    await clock.advance(1);
    expect([await kill.promise, canceller.size]).toEqual([false, 0]);
  });

  it('is closed by end(), and none is opened after it', async () => {
    const entry = await victim();
    await canceller.kill(entry);
    await canceller.end();
    expect([canceller.size, driver.sent.includes('2 <quit>')]).toEqual([0, true]);
    expect(await canceller.kill(entry)).toBe(false);
    expect([driver.attempts, clock.openTimers]).toEqual([2, 0]);
  });

  it('that is being opened is called off by end()', async () => {
    const entry = await victim();
    driver.nextConnects(() => never);
    const kill = canceller.kill(entry);
    await canceller.end();
    expect([await kill, canceller.size]).toEqual([false, 0]);
  });
});

describe('in a database', () => {
  it('it is counted as auxiliary and as nothing else, until it is closed', async () => {
    const db = new FakeDatabase({ connectionLimit: 1, idleTimeout: 0 });
    const stopped = deferred<never>();
    db.driver.once(/^SLOW/, { until: stopped.promise });
    db.driver.on(/^KILL/, { effect: () => stopped.reject(serverError(1317)) });
    const slow = rejection(db.query('SLOW', [], { timeout: 100 }));
    await db.clock.advance(99);
    expect(db.pool.stats()).toMatchObject({ total: 1, active: 1, auxiliary: 0 });
    await db.clock.advance(1);
    expect(await slow).toMatchObject({ code: 'ERR_STATEMENT_TIMEOUT', outcome: 'notExecuted' });
    expect(db.pool.stats()).toMatchObject({ total: 1, active: 0, auxiliary: 1, created: 1 });
    await db.query('DO 0');
    await db.clock.advance(MINUTE);
    expect(db.pool.stats()).toMatchObject({ total: 1, auxiliary: 0 });
    await db.pool.end(0);
    expect(db.driver.open).toBe(0);
  });
});
