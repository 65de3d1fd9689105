import { currentFrame } from '../../src/transaction/transaction-block';
import { Checkout } from '../../src/transaction/checkout';
import { BlockView, OwnLease } from '../../src/transaction/checkout-homes';
import { LeaseReleasedError, TransactionDoomedError } from '../../src/errors';
import { deferred } from '../support/deferred';
import { serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

/** What `RetryingPooledDatabase.checkout()` does. */
async function checkoutOf(db: FakeDatabase): Promise<Checkout> {
  const frame = currentFrame(db.pool);
  if (frame === undefined) return new Checkout(db.host, new OwnLease(await db.getConnection()));
  return new Checkout(
    db.host,
    new BlockView(frame, db.host, (fn, options) => db.atomic(fn, options)),
  );
}

/** Runs texts one after the other. */
async function runAll(checkout: Checkout, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) await checkout.run('query', text);
}

/** What went over the wire, without the number of the connection. */
function wire(db: FakeDatabase): string[] {
  return db.driver.work.map((line) => line.replace(/^\d+ /, ''));
}

describe('a checkout with a lease of its own', () => {
  it('sends a transaction as it was asked for, from its first statement on', async () => {
    const db = new FakeDatabase();
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'begin');
    expect(wire(db)).toEqual([]);
    await runAll(checkout, 'A', 'savepoint x', 'B', 'rollback to savepoint x', 'C', 'commit');
    await checkout.release();
    expect(wire(db)).toEqual([
      'BEGIN',
      'A',
      'SAVEPOINT boomerang_1',
      'B',
      'ROLLBACK TO SAVEPOINT boomerang_1',
      'SAVEPOINT boomerang_2',
      'C',
      'RELEASE SAVEPOINT boomerang_2',
      'COMMIT',
    ]);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });

  it('a transaction of no statement costs nothing', async () => {
    const db = new FakeDatabase();
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'begin', 'savepoint x', 'release savepoint x', 'commit', 'begin');
    await checkout.release();
    expect(wire(db)).toEqual([]);
  });

  it('a consistent snapshot is made at once', async () => {
    const db = new FakeDatabase();
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'start transaction with consistent snapshot, read only');
    expect(wire(db)).toEqual(['START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', 'DO 0']);
    await checkout.release();
  });

  it('SET TRANSACTION holds for the one that follows', async () => {
    const db = new FakeDatabase();
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'set transaction isolation level serializable, read only', 'begin', 'A');
    await runAll(checkout, 'commit', 'begin', 'B', 'commit');
    await checkout.release();
    expect(wire(db)).toEqual([
      'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
      'START TRANSACTION READ ONLY',
      'A',
      'COMMIT',
      'BEGIN',
      'B',
      'COMMIT',
    ]);
  });

  it('rolls all levels back by one ROLLBACK', async () => {
    const db = new FakeDatabase();
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'begin', 'A', 'savepoint x', 'B', 'savepoint y', 'C', 'rollback');
    expect(wire(db).slice(-2)).toEqual(['C', 'ROLLBACK']);
    await checkout.release();
  });

  it('a savepoint whose name was given to another is forgotten', async () => {
    const db = new FakeDatabase();
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'begin', 'savepoint a', 'A', 'savepoint b', 'savepoint a', 'B');
    await runAll(checkout, 'release savepoint a');
    expect(await rejection(checkout.run('query', 'rollback to a'))).toMatchObject({
      code: 'ERR_TRANSACTION_CONTROL',
    });
    await checkout.release();
  });

  it('after a level that could not be committed nothing of the outer ones is', async () => {
    const db = new FakeDatabase();
    const refused = serverError(1064);
    db.driver.once(/^RELEASE/, { error: refused });
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'begin', 'A', 'savepoint x', 'B');
    expect(await rejection(checkout.run('query', 'commit'))).toBe(refused);
    expect(wire(db).at(-1)).toBe('ROLLBACK');
    expect(wire(db)).not.toContain('COMMIT');
    // What follows is no part of it any more.
    await runAll(checkout, 'begin', 'C', 'commit');
    expect(wire(db).slice(-3)).toEqual(['BEGIN', 'C', 'COMMIT']);
    await checkout.release();
  });

  it('keeps the order of what is issued at once, release included', async () => {
    const db = new FakeDatabase();
    const answer = deferred();
    db.driver.once(/^A$/, { until: answer.promise });
    const checkout = await checkoutOf(db);
    const texts = ['begin', 'A', 'savepoint x', 'B', 'release savepoint x', 'commit', 'C'];
    const all = texts.map((text) => watched(checkout.run('query', text)));
    const released = watched(checkout.release());
    await settled();
    expect(wire(db)).toEqual(['BEGIN', 'A']);
    expect(released.state).toBe('pending');
    answer.resolve();
    await released.promise;
    expect(all.map(({ state }) => state)).toEqual(texts.map(() => 'fulfilled'));
    expect(wire(db).slice(2)).toEqual([
      'SAVEPOINT boomerang_1',
      'B',
      'RELEASE SAVEPOINT boomerang_1',
      'COMMIT',
      'C',
    ]);
    expect(await rejection(checkout.run('query', 'D'))).toBeInstanceOf(LeaseReleasedError);
  });

  it('end() closes what does not come back in time', async () => {
    const db = new FakeDatabase();
    db.driver.once(/^A$/, { until: new Promise(() => {}) });
    const checkout = await checkoutOf(db);
    await runAll(checkout, 'begin');
    const running = watched(checkout.run('query', 'A'));
    const ended = watched(checkout.end(1000));
    await db.clock.advance(999);
    expect(ended.state).toBe('pending');
    await db.clock.advance(1);
    expect(ended.state).toBe('fulfilled');
    expect(running.state).toBe('rejected');
    expect(db.numbers).toEqual([0, 0, 0, 0]);
  });
});

describe('a checkout inside a block', () => {
  it('is the block’s connection, and its transactions are savepoints', async () => {
    const db = new FakeDatabase();
    await db.atomic(async () => {
      const checkout = await checkoutOf(db);
      await runAll(checkout, 'A', 'begin', 'B', 'commit', 'begin', 'C', 'rollback');
      await checkout.release();
      await db.query('D');
    });
    expect(db.driver.work).toEqual([
      '1 BEGIN',
      '1 A',
      '1 SAVEPOINT boomerang_1',
      '1 B',
      '1 RELEASE SAVEPOINT boomerang_1',
      '1 SAVEPOINT boomerang_2',
      '1 C',
      '1 ROLLBACK TO SAVEPOINT boomerang_2',
      '1 D',
      '1 COMMIT',
    ]);
  });

  it('is refused what the block is refused', async () => {
    const db = new FakeDatabase();
    db.driver.once(/^A$/, { error: serverError(1213) });
    const failed = db.atomic(async () => {
      const checkout = await checkoutOf(db);
      await runAll(checkout, 'begin');
      await rejection(checkout.run('query', 'A'));
      expect(await rejection(checkout.run('query', 'B'))).toBeInstanceOf(TransactionDoomedError);
      await runAll(checkout, 'rollback');
      expect(await rejection(checkout.run('query', 'begin'))).toBeInstanceOf(
        TransactionDoomedError,
      );
      await checkout.release();
    });
    expect(await rejection(failed)).toBeInstanceOf(TransactionDoomedError);
    expect(wire(db)).toEqual(['BEGIN', 'SAVEPOINT boomerang_1', 'A', 'ROLLBACK']);
  });

  it('one that nobody ends is waited for, for acquireTimeout at most; then both are rolled back', async () => {
    const db = new FakeDatabase({ acquireTimeout: 1000 });
    const block = watched(
      db.atomic(async () => {
        const checkout = await checkoutOf(db);
        await runAll(checkout, 'begin', 'A', 'savepoint x', 'B');
      }),
    );
    await db.clock.advance(999);
    expect(block.state).toBe('pending');
    await db.clock.advance(1);
    await settled();
    expect(block.state).toBe('rejected');
    expect(block.reason).toMatchObject({
      code: 'ERR_TRANSACTION_DOOMED',
      cause: { code: 'ERR_TURN_TIMEOUT' },
    });
    expect(wire(db).at(-1)).toBe('ROLLBACK');
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });

  it('one that nobody ends is over at once when a block further out fails', async () => {
    const db = new FakeDatabase({ acquireTimeout: 1000 });
    let between = watched(Promise.resolve());
    const outer = db.atomic(async () => {
      between = watched(
        db.atomic(async () => {
          const checkout = await checkoutOf(db);
          await runAll(checkout, 'begin', 'A');
        }),
      );
      await settled();
      throw new Error('undo');
    });
    await rejection(outer);
    await settled();
    expect(between.state).toBe('rejected');
  });

  it('one that is ended while it is waited for is part of the commit', async () => {
    const db = new FakeDatabase({ acquireTimeout: 1000 });
    let checkout: Checkout | undefined;
    const block = watched(
      db.atomic(async () => {
        checkout = await checkoutOf(db);
        await runAll(checkout, 'begin', 'A');
      }),
    );
    await db.clock.advance(500);
    await checkout?.run('query', 'commit');
    await block.promise;
    expect(wire(db).slice(-2)).toEqual(['RELEASE SAVEPOINT boomerang_1', 'COMMIT']);
  });
});
