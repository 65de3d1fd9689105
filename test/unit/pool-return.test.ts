import { LeaseReleasedError } from '../../src/errors';
import type { Lease } from '../../src/pool/lease';
import { deferred } from '../support/deferred';
import { codeError, never, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';
import type { DatabaseOptions } from '../../src/options';

afterEach(endAll);

const NAMES =
  'SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, autocommit=1, session_track_state_change=1';

/** A lease of a fresh database, and what was sent on it since. */
async function lent(
  options: DatabaseOptions = {},
  database?: string,
): Promise<{ db: FakeDatabase; lease: Lease; sent: () => string[] }> {
  const db = new FakeDatabase(
    { connectionLimit: 1, ...options },
    database === undefined ? {} : { database },
  );
  const lease = await db.pool.acquire();
  const from = db.driver.sent.length;
  return { db, lease, sent: () => db.driver.sent.slice(from) };
}

describe('release', () => {
  it('costs no round trip and no promise for a clean connection', async () => {
    const { db, lease, sent } = await lent();
    await lease.run('query', { sql: 'SELECT 1' });
    expect(lease.giveBack()).toBeUndefined();
    expect([sent(), db.numbers]).toEqual([['1 SELECT 1'], [1, 0, 1, 0]]);
  });

  it('may be called again: nothing more happens', async () => {
    const { db, lease } = await lent();
    db.driver.latest.dirty = true;
    const first = lease.giveBack();
    expect(lease.giveBack()).toBe(first);
    lease.discard(new Error('late'));
    await first;
    expect(lease.giveBack()).toBe(first);
    expect(db.pool.stats()).toMatchObject({ released: 1, destroyed: 0, idle: 1 });
  });

  it('of a stale lease never touches a later one', async () => {
    const { db, lease: stale } = await lent();
    await stale.giveBack();
    const later = await db.pool.acquire();
    expect(stale.giveBack()).toBeUndefined();
    stale.discard(new Error('late'));
    await expect(stale.run('query', { sql: 'SELECT 1' })).rejects.toThrow(LeaseReleasedError);
    expect([later.released, db.numbers, later.connection.lost]).toStrictEqual([
      false,
      [1, 1, 0, 0],
      undefined,
    ]);
    expect(db.driver.work).toEqual([]);
  });

  it('refuses new statements from the moment it is called', async () => {
    const { db, lease, sent } = await lent();
    db.driver.latest.dirty = true;
    const released = lease.giveBack();
    await expect(lease.run('query', { sql: 'SELECT 1' })).rejects.toThrow(LeaseReleasedError);
    await released;
    expect(sent()).toEqual(['1 <reset>', `1 ${NAMES}`]);
  });
});

describe('what happens on return', () => {
  it('is drain, ROLLBACK, reset, set-up, in this order, before the next borrower', async () => {
    const { db, lease, sent } = await lent({ initSql: 'SET a = 1' });
    await lease.run('query', { sql: 'BEGIN' });
    db.driver.latest.dirty = true;
    const gate = deferred();
    db.driver.on(/SLEEP/, { until: gate.promise });
    const running = lease.run('query', { sql: 'SELECT SLEEP(1)' });
    const next = watched(db.pool.acquire());
    const released = lease.giveBack();
    await settled();
    expect(sent()).toEqual(['1 BEGIN', '1 SELECT SLEEP(1)']);
    gate.resolve();
    await Promise.all([running, released]);
    expect(sent().slice(2)).toEqual(['1 ROLLBACK', '1 <reset>', `1 ${NAMES}`, '1 SET a = 1']);
    expect((await next.promise).connection.threadId).toBe(1);
    expect(db.driver.latest).toMatchObject({ dirty: false, inTransaction: false });
    expect(db.logger.of(/^returned inside a transaction; rolled back$/)).toHaveLength(1);
  });

  it('is a ROLLBACK alone for a clean session in a transaction', async () => {
    const { lease, sent } = await lent();
    await lease.run('query', { sql: 'BEGIN' });
    await lease.giveBack();
    expect(sent()).toEqual(['1 BEGIN', '1 ROLLBACK']);
  });

  it.each<[DatabaseOptions['resetOnRelease'] & string, boolean, string[]]>([
    ['dirty', false, []],
    ['dirty', true, ['1 <reset>', `1 ${NAMES}`]],
    ['always', false, ['1 <reset>', `1 ${NAMES}`]],
    ['always', true, ['1 <reset>', `1 ${NAMES}`]],
    ['never', false, []],
    ['never', true, []],
  ])('with resetOnRelease %p and dirty %p: %p', async (resetOnRelease, dirty, expected) => {
    const { db, lease, sent } = await lent({ resetOnRelease });
    db.driver.latest.dirty = dirty;
    await lease.giveBack();
    expect([sent(), db.numbers]).toEqual([expected, [1, 0, 1, 0]]);
  });

  it('rolls back also with resetOnRelease never', async () => {
    const { lease, sent } = await lent({ resetOnRelease: 'never' });
    await lease.run('query', { sql: 'BEGIN' });
    await lease.giveBack();
    expect(sent()).toEqual(['1 BEGIN', '1 ROLLBACK']);
  });

  it('goes back to the configured database, after the character set and before initSql', async () => {
    const { lease, sent } = await lent({ initSql: 'SET a = 1' }, 'my`shop');
    await lease.run('query', { sql: 'USE elsewhere' });
    await lease.giveBack();
    expect(sent().slice(1)).toEqual(['1 <reset>', `1 ${NAMES}`, '1 USE `my``shop`', '1 SET a = 1']);
  });

  it('sends no USE where the database was not changed', async () => {
    const { db, lease, sent } = await lent({}, 'shop');
    db.driver.latest.dirty = true;
    await lease.giveBack();
    expect(sent()).toEqual(['1 <reset>', `1 ${NAMES}`]);
  });

  it('closes a connection whose database was changed and none is configured', async () => {
    const { db, lease, sent } = await lent();
    await lease.run('query', { sql: 'USE elsewhere' });
    await lease.giveBack();
    expect([sent(), db.numbers, db.driver.open]).toEqual([['1 USE elsewhere'], [0, 0, 0, 0], 0]);
  });
});

describe('a connection that resists', () => {
  it.each([
    ['ROLLBACK', /^ROLLBACK/],
    ['the reset', /^<reset>/],
    ['the set-up after the reset', /^SET NAMES/],
    ['USE', /^USE `shop`/],
    ['initSql', /^SET a/],
  ])('at %s is closed, and a waiting caller gets another', async (_what, match) => {
    const { db, lease } = await lent({ initSql: 'SET a = 1' }, 'shop');
    await lease.run('query', { sql: 'USE elsewhere' });
    await lease.run('query', { sql: 'BEGIN' });
    db.driver.once(match, { error: serverError(1064) });
    const next = db.pool.acquire();
    await lease.giveBack();
    expect((await next).connection.threadId).toBe(2);
    expect([db.driver.connections[0]!.gone, db.pool.stats().destroyed]).toEqual([true, 1]);
    expect(db.logger.of(/could not be cleaned on return/)[0]?.fields).toEqual({
      threadId: 1,
      errorType: 'Error',
      errorCode: 'ER_1064',
      errorNumber: 1064,
    });
  });

  it.each([
    ['ROLLBACK', /^ROLLBACK/],
    ['the reset', /^<reset>/],
    ['the set-up', /^SET NAMES/],
  ])('by not answering %s is cut off after connectTimeout', async (_what, match) => {
    const { db, lease } = await lent({ connectTimeout: 1000, acquireTimeout: 0 });
    await lease.run('query', { sql: 'BEGIN' });
    db.driver.latest.dirty = true;
    db.driver.once(match, { until: never });
    const released = watched(lease.giveBack()!);
    await db.clock.advance(999);
    expect(released.state).toBe('pending');
    await db.clock.advance(1);
    expect([released.state, db.numbers, db.driver.open]).toEqual(['fulfilled', [0, 0, 0, 0], 0]);
    expect(db.clock.dueIn).toEqual([]);
  });

  it('by being lost while it is cleaned is dropped', async () => {
    const { db, lease } = await lent();
    db.driver.latest.dirty = true;
    db.driver.once(/^<reset>/, { effect: (it) => it.lose(codeError('ECONNRESET')) });
    await lease.giveBack();
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });
});

describe('discard', () => {
  it('closes at once, without a goodbye, and what is running rejects with the reason', async () => {
    const { db, lease, sent } = await lent();
    db.driver.on(/SLEEP/, { until: never });
    const running = watched(lease.run('query', { sql: 'SLEEP' }));
    await settled();
    const reason = new Error('mine');
    lease.discard(reason);
    expect([db.numbers, db.driver.open]).toEqual([[0, 0, 0, 0], 0]);
    await settled();
    expect([running.reason, sent()]).toEqual([reason, ['1 SLEEP']]);
  });

  it('makes room for a waiting caller', async () => {
    const { db, lease } = await lent();
    const next = db.pool.acquire();
    lease.discard(new Error('mine'));
    expect((await next).connection.threadId).toBe(2);
  });
});
