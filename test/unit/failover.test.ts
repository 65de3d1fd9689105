import { serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';

afterEach(endAll);

const READ_ONLY = 'The server is running with the --read-only option so it cannot execute this';

const condemning: [string, () => Error][] = [
  ['1290 read-only', () => serverError(1290, READ_ONLY)],
  ['1836', () => serverError(1836)],
  ['1792 of nobody’s making', () => serverError(1792)],
  ['1053 shutdown', () => serverError(1053)],
  ['1047 of a cluster node', () => serverError(1047, 'WSREP has not yet prepared node')],
];

const innocent: [string, () => Error][] = [
  ['1290 of another option', () => serverError(1290, 'running with the --secure-file-priv option')],
  ['1213', () => serverError(1213)],
  ['1062', () => serverError(1062)],
];

const options = { retry: { minDelay: 1, maxDelay: 1 } };

describe('a server that is of no use any more', () => {
  it.each(condemning)(
    '%s: the statement is repeated elsewhere, all idle connections go',
    async (_, make) => {
      const db = new FakeDatabase(options);
      await db.fill(3);
      db.driver.once(/UPDATE/, () => ({ error: make() }));
      const outcome = watched(db.query('UPDATE'));
      await db.clock.advance(100);
      expect(outcome.state).toBe('fulfilled');
      expect(db.driver.work.filter((line) => line.endsWith('UPDATE'))).toEqual([
        '3 UPDATE',
        '4 UPDATE',
      ]);
      expect(db.numbers).toEqual([1, 0, 1, 0]);
    },
  );

  it.each(condemning)('%s in a transaction: run again elsewhere, with retries', async (_, make) => {
    const db = new FakeDatabase(options);
    await db.fill(3);
    db.driver.once(/UPDATE/, () => ({ error: make() }));
    const outcome = watched(db.atomic((tx) => tx.query('UPDATE'), { retries: 1 }));
    await db.clock.advance(100);
    expect(outcome.state).toBe('fulfilled');
    expect(db.driver.work.slice(-3)).toEqual(['4 BEGIN', '4 UPDATE', '4 COMMIT']);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });

  it.each(condemning)('%s at BEGIN: begun elsewhere, unasked', async (_, make) => {
    const db = new FakeDatabase(options);
    await db.fill(3);
    db.driver.once(/BEGIN/, () => ({ error: make() }));
    const outcome = watched(db.atomic((tx) => tx.query('UPDATE')));
    await db.clock.advance(100);
    expect(outcome.state).toBe('fulfilled');
    expect(db.driver.work.slice(-3)).toEqual(['4 BEGIN', '4 UPDATE', '4 COMMIT']);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });

  it.each(innocent)('%s replaces no connection', async (_, make) => {
    const db = new FakeDatabase(options);
    await db.fill(3);
    db.driver.once(/UPDATE/, () => ({ error: make() }));
    const outcome = watched(db.query('UPDATE'));
    await db.clock.advance(100);
    expect(outcome.state).not.toBe('pending');
    expect(db.numbers).toEqual([3, 0, 3, 0]);
  });

  it('is waited for until acquireTimeout, beyond the attempts, and no longer', async () => {
    const db = new FakeDatabase({ acquireTimeout: 500, retry: { minDelay: 40, maxDelay: 40 } });
    db.driver.on(/UPDATE/, () => ({ error: serverError(1290, READ_ONLY) }));
    const statement = watched(db.query('UPDATE'));
    const transaction = watched(db.atomic((tx) => tx.query('UPDATE'), { retries: 1 }));
    const once = watched(db.query('UPDATE', [], { retries: 0 }));
    await db.clock.advance(30);
    expect([statement.state, transaction.state, once.state]).toEqual([
      'pending',
      'pending',
      'rejected',
    ]);
    await db.clock.advance(600);
    for (const { reason } of [statement, transaction]) {
      expect(reason.errno).toBe(1290);
      expect(reason.attempts).toBeGreaterThan(5);
    }
    expect('attempts' in once.reason).toBe(false);
  });

  it('is not waited for where the caller made the session read-only', async () => {
    const db = new FakeDatabase(options);
    await db.fill(2);
    const connection = await db.getConnection();
    db.driver.latest.dirty = true;
    db.driver.on(/UPDATE/, () => ({ error: serverError(1792) }));
    const own = connection.atomic((tx) => tx.query('UPDATE'), { retries: 5 });
    expect(await rejection(own)).toMatchObject({ errno: 1792 });
    const asked = db.atomic((tx) => tx.query('UPDATE'), { readOnly: true, retries: 5 });
    expect(await rejection(asked)).toMatchObject({ errno: 1792 });
    expect(db.driver.work.filter((line) => line.endsWith('UPDATE'))).toHaveLength(2);
    await connection.release();
    expect(db.numbers).toEqual([2, 0, 2, 0]);
  });
});
