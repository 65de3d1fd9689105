import { TransactionClosedError, TransactionDoomedError, TurnTimeoutError } from '../../src/errors';
import { deferred } from '../support/deferred';
import { serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

/** What was sent on the first connection, savepoints by their number. */
const sent = (db: FakeDatabase): string[] =>
  db.driver.work.map((line) => line.replace(/^1 /, '').replace(/boomerang_/, ''));

describe('a nested block', () => {
  it('is a savepoint that begins with its first statement and is released', async () => {
    const db = new FakeDatabase();
    await db.atomic(async (tx) => {
      await tx.query('A');
      await db.atomic((inner) => inner.query('B'));
      await db.atomic(() => {});
      await tx.query('C');
    });
    expect(sent(db)).toEqual([
      'BEGIN',
      'A',
      'SAVEPOINT 1',
      'B',
      'RELEASE SAVEPOINT 1',
      'C',
      'COMMIT',
    ]);
  });

  it('begins what is around it first', async () => {
    const db = new FakeDatabase();
    await db.atomic(() => db.atomic(() => db.atomic((tx) => tx.query('A'))));
    expect(sent(db)).toEqual([
      'BEGIN',
      'SAVEPOINT 1',
      'SAVEPOINT 2',
      'A',
      'RELEASE SAVEPOINT 2',
      'RELEASE SAVEPOINT 1',
      'COMMIT',
    ]);
  });

  it('that fails is rolled back alone, with the error for its caller', async () => {
    const db = new FakeDatabase();
    const failure = new Error('mine');
    await db.atomic(async (tx) => {
      await tx.query('A');
      const inner = db.atomic(async (it) => {
        await it.query('B');
        throw failure;
      });
      expect(await rejection(inner)).toBe(failure);
      await tx.query('C');
    });
    expect(sent(db)).toEqual([
      'BEGIN',
      'A',
      'SAVEPOINT 1',
      'B',
      'ROLLBACK TO SAVEPOINT 1',
      'C',
      'COMMIT',
    ]);
  });

  it('has a name that no other block of the transaction has or had', async () => {
    const db = new FakeDatabase();
    await db.atomic(async () => {
      for (let i = 0; i < 3; i++) {
        await db.atomic(async (tx) => {
          await tx.query('A');
          await db.atomic((inner) => inner.query('B'));
        });
      }
    });
    const names = sent(db).filter((line) => line.startsWith('SAVEPOINT'));
    expect(new Set(names).size).toBe(6);
    expect(db.driver.work).toContain('1 SAVEPOINT boomerang_1');
  });

  it('waits for its turn behind another one; its savepoints do not cross', async () => {
    const db = new FakeDatabase();
    await db.atomic(async () => {
      const gate = deferred();
      const first = db.atomic(async (tx) => {
        await tx.query('A');
        await gate.promise;
        await tx.query('B');
      });
      const second = db.atomic((tx) => tx.query('C'));
      await settled();
      gate.resolve();
      await Promise.all([first, second]);
    });
    expect(sent(db)).toEqual([
      'BEGIN',
      'SAVEPOINT 1',
      'A',
      'B',
      'RELEASE SAVEPOINT 1',
      'SAVEPOINT 2',
      'C',
      'RELEASE SAVEPOINT 2',
      'COMMIT',
    ]);
  });

  it('lets a statement of the outer block wait, and that wait is bounded', async () => {
    const db = new FakeDatabase({ acquireTimeout: 1000 });
    const block = watched(
      db.atomic(async (tx) => {
        await tx.query('A');
        // Waits for a statement that waits for the block: for ever, were it not bounded.
        await db.atomic(async (inner) => {
          await inner.query('B');
          await tx.query('OUTER');
        }, 'knot');
      }),
    );
    await db.clock.advance(1000);
    expect(block.reason).toBeInstanceOf(TurnTimeoutError);
    expect(block.reason.message).toContain("'knot'");
    expect(sent(db)).toEqual([
      'BEGIN',
      'A',
      'SAVEPOINT 1',
      'B',
      'ROLLBACK TO SAVEPOINT 1',
      'ROLLBACK',
    ]);
  });

  it('that nobody awaited is waited for before COMMIT', async () => {
    const db = new FakeDatabase();
    await db.atomic(() => {
      void db.atomic(async (tx) => {
        await settled();
        await tx.query('A');
      });
    });
    expect(sent(db)).toEqual(['BEGIN', 'SAVEPOINT 1', 'A', 'RELEASE SAVEPOINT 1', 'COMMIT']);
  });

  it('is closed at once when the outer block fails; only the statement on the wire is waited for', async () => {
    const db = new FakeDatabase();
    const gate = deferred();
    db.driver.on(/SLOW/, { until: gate.promise });
    const failure = new Error('mine');
    const late: unknown[] = [];
    const block = rejection(
      db.atomic(async (tx) => {
        await tx.query('A');
        void db
          .atomic(async (inner) => {
            await inner.query('SLOW');
            await inner.query('NEVER');
          })
          .catch((error: unknown) => late.push(error));
        void db.atomic((waiting) => waiting.query('NOR THIS')).catch((e: unknown) => late.push(e));
        await settled();
        throw failure;
      }),
    );
    await settled();
    await settled();
    expect(sent(db)).toEqual(['BEGIN', 'A', 'SAVEPOINT 1', 'SLOW']);
    gate.resolve();
    expect(await block).toBe(failure);
    await settled();
    expect(sent(db)).toEqual(['BEGIN', 'A', 'SAVEPOINT 1', 'SLOW', 'ROLLBACK']);
    expect(late).toHaveLength(2);
    for (const error of late) expect(error).toBeInstanceOf(TransactionClosedError);
  });
});

describe('a nested block whose outer block failed meanwhile', () => {
  it.each([
    ['has run to its end by itself', 'A'],
    ['waits for a statement of its own', 'SLOW'],
  ])('rejects, though it %s, and releases nothing', async (_how, statement) => {
    const db = new FakeDatabase();
    const [gate, slow] = [deferred(), deferred()];
    db.driver.on(/^SLOW/, { until: slow.promise });
    let nested: ReturnType<typeof watched> | undefined;
    const outer = rejection(
      db.atomic(async () => {
        nested = watched(
          db.atomic(async (tx) => {
            if (statement === 'SLOW') void tx.query(statement);
            else await tx.query(statement).then(() => gate.promise);
          }),
        );
        await settled();
        throw new Error('mine');
      }),
    );
    await settled();
    await settled();
    slow.resolve();
    await outer;
    gate.resolve();
    await settled();
    expect(nested?.reason).toBeInstanceOf(TransactionClosedError);
    expect(sent(db)).toEqual(['BEGIN', 'SAVEPOINT 1', statement, 'ROLLBACK']);
  });
});

describe('a savepoint that cannot be rolled back', () => {
  it('dooms the outer block, and the first error reaches the caller', async () => {
    const db = new FakeDatabase();
    const lost = serverError(1305, 'SAVEPOINT does not exist');
    db.driver.on(/^ROLLBACK TO/, { error: lost });
    const failure = new Error('mine');
    const block = db.atomic(async (tx) => {
      const inner = db.atomic(async (it) => {
        await it.query('A');
        throw failure;
      });
      expect(await rejection(inner)).toBe(failure);
      await tx.query('B');
    });
    const error = await rejection(block);
    expect(error).toBeInstanceOf(TransactionDoomedError);
    expect(error.cause).toBe(lost);
    expect(sent(db)).toEqual(['BEGIN', 'SAVEPOINT 1', 'A', 'ROLLBACK TO SAVEPOINT 1', 'ROLLBACK']);
  });

  it('because it was never set dooms it as well', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^SAVEPOINT/, { error: serverError(1064) });
    const block = db.atomic(async () => {
      await rejection(db.atomic((tx) => tx.query('A')));
    });
    expect(await rejection(block)).toBeInstanceOf(TransactionDoomedError);
    expect(sent(db)).toEqual(['BEGIN', 'SAVEPOINT 1', 'ROLLBACK']);
  });
});

describe('a deadlock in a nested block', () => {
  it('dooms the outermost: nothing more is run, also where the error is swallowed', async () => {
    const db = new FakeDatabase();
    const deadlock = serverError(1213);
    db.driver.on(/DEADLOCK/, { error: deadlock });
    const block = db.atomic(async (tx) => {
      await tx.query('A');
      expect(await rejection(db.atomic((inner) => inner.query('DEADLOCK')))).toBe(deadlock);
      expect(await rejection(tx.query('B'))).toBeInstanceOf(TransactionDoomedError);
      expect(await rejection(db.atomic((inner) => inner.query('C')))).toBeInstanceOf(
        TransactionDoomedError,
      );
    });
    const error = await rejection(block);
    expect(error).toBeInstanceOf(TransactionDoomedError);
    expect(error.message).toMatch(/after 'deadlock'/);
    expect(error.cause).toBe(deadlock);
    expect(sent(db)).toEqual(['BEGIN', 'A', 'SAVEPOINT 1', 'DEADLOCK', 'ROLLBACK']);
  });
});
