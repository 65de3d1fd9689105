import { LeaseReleasedError, TransactionOpenError } from '../../src/errors';
import { connectionScope } from '../../src/scope/connection-scope';
import { deferred } from '../support/deferred';
import { never, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

describe('a connection of one’s own', () => {
  it('is another than the scope’s, and each call gives another', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {
      await db.query('SCOPE');
      await using one = await db.getConnection();
      await using two = await db.getConnection();
      await Promise.all([one.query('ONE'), two.execute('TWO'), db.query('SCOPE')]);
    });
    expect(db.driver.work.sort()).toEqual(['1 SCOPE', '1 SCOPE', '2 ONE', '3 TWO']);
    expect(db.numbers).toEqual([3, 0, 3, 0]);
  });

  it('runs its statements in the order they are issued', async () => {
    const db = new FakeDatabase();
    await using connection = await db.getConnection();
    await Promise.all([connection.query('A'), connection.query('B'), connection.query('C')]);
    expect(db.driver.work).toEqual(['1 A', '1 B', '1 C']);
  });

  it('takes transaction control as text and as calls', async () => {
    const db = new FakeDatabase();
    await using connection = await db.getConnection();
    await connection.query('BEGIN');
    await connection.commit();
    await connection.beginTransaction();
    await connection.rollback();
    expect(db.driver.work).toEqual(['1 BEGIN', '1 COMMIT', '1 BEGIN', '1 ROLLBACK']);
  });

  it('repeats nothing, idempotent or not', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^A/, { error: serverError(1213) });
    await using connection = await db.getConnection();
    await rejection(connection.query('A'));
    await rejection(connection.query({ sql: 'A', idempotent: true }));
    expect(db.driver.work).toEqual(['1 A', '1 A']);
  });

  it('has transactions of its own, in which only its own calls take part', async () => {
    const db = new FakeDatabase();
    const connection = await db.getConnection();
    await connection.atomic(async (tx) => {
      await tx.query('A');
      await connection.query('B');
      await db.query('OUTSIDE');
      await connection.atomic((inner) => inner.query('C'));
    });
    await connection.release();
    expect(db.driver.work).toEqual([
      '1 BEGIN',
      '1 A',
      '1 B',
      '2 OUTSIDE',
      '1 SAVEPOINT boomerang_1',
      '1 C',
      '1 RELEASE SAVEPOINT boomerang_1',
      '1 COMMIT',
    ]);
  });

  it('refuses atomic() where a transaction was begun by hand: BEGIN would commit it', async () => {
    const db = new FakeDatabase();
    await using connection = await db.getConnection();
    await connection.beginTransaction();
    await connection.query('INSERT');
    const block = connection.atomic((tx) => tx.query('UPDATE'));
    expect(await rejection(block)).toBeInstanceOf(TransactionOpenError);
    expect(db.driver.work).toEqual(['1 BEGIN', '1 INSERT']);
    await connection.rollback();
    await connection.atomic((tx) => tx.query('UPDATE'));
  });
});

describe('release()', () => {
  it('lets statements that were issued before it run', async () => {
    const db = new FakeDatabase();
    const connection = await db.getConnection();
    const statements = [connection.query('A'), connection.query('B')];
    await connection.release();
    await Promise.all(statements);
    expect([db.driver.work, db.numbers]).toEqual([
      ['1 A', '1 B'],
      [1, 0, 1, 0],
    ]);
  });

  it('rolls back what was begun by hand', async () => {
    const db = new FakeDatabase();
    const connection = await db.getConnection();
    await connection.beginTransaction();
    await connection.release();
    expect(db.driver.work).toEqual(['1 BEGIN', '1 ROLLBACK']);
  });

  it('may be called again, also after destroy(), and nothing more happens', async () => {
    const db = new FakeDatabase();
    const [one, two] = [await db.getConnection(), await db.getConnection()];
    await Promise.all([one.release(), one.release()]);
    two.destroy();
    two.destroy();
    await two.release();
    expect(db.pool.stats()).toMatchObject({ released: 2, destroyed: 1, idle: 1 });
  });

  it('makes every use after it reject', async () => {
    const db = new FakeDatabase();
    const connection = await db.getConnection();
    await connection.release();
    const later = await db.getConnection();
    for (const use of [
      () => connection.query('A'),
      () => connection.execute('A'),
      () => connection.beginTransaction(),
      () => connection.commit(),
      () => connection.rollback(),
      () => connection.ping(),
      () => connection.atomic((tx) => tx.query('A')),
    ]) {
      expect(await rejection(use())).toBeInstanceOf(LeaseReleasedError);
    }
    expect(db.driver.work).toEqual([]);
    await later.release();
  });

  it('cuts off a block that is open: nothing of it reaches the next borrower', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    const connection = await db.getConnection();
    const gate = deferred();
    const block = watched(
      connection.atomic(async (tx) => {
        await tx.query('MINE');
        await gate.promise;
        await tx.query('LATE').catch(() => {});
      }),
    );
    await settled();
    await connection.release();
    const next = await db.pool.acquire();
    expect(db.driver.work).toEqual(['1 BEGIN', '1 MINE', '1 ROLLBACK']);
    gate.resolve();
    await settled();
    expect(block.reason).toBeInstanceOf(LeaseReleasedError);
    expect([db.driver.work.length, next.connection.lost]).toStrictEqual([3, undefined]);
  });
});

it('destroy() closes at once; what is running rejects', async () => {
  const db = new FakeDatabase();
  db.driver.on(/SLEEP/, { until: never });
  const connection = await db.getConnection();
  const running = watched(connection.query('SLEEP'));
  await settled();
  connection.destroy();
  await settled();
  expect(running.reason).toBeInstanceOf(LeaseReleasedError);
  expect([db.driver.open, db.numbers]).toEqual([0, [0, 0, 0, 0]]);
});
