import { InvalidArgumentError, TransactionClosedError } from '../../src/errors';
import { currentContext } from '../../src/scope/context';
import { connectionScope } from '../../src/scope/connection-scope';
import { serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

/** A database and a list of what happened, statements and hooks alike. */
function recorded(): { db: FakeDatabase; events: string[]; note: (text: string) => () => void } {
  const db = new FakeDatabase();
  const events: string[] = [];
  db.driver.on(/^(?!SET NAMES|SELECT @@wait_timeout|<quit>)/, (_connection, text) => {
    events.push(text.replace('boomerang_', ''));
    return undefined;
  });
  return { db, events, note: (text) => () => void events.push(text) };
}

describe('afterCommit', () => {
  it('runs after the answer to COMMIT, in order, awaited, before atomic resolves', async () => {
    const { db, events, note } = recorded();
    await db.atomic(async (tx) => {
      tx.afterCommit(async () => {
        note('one begins')();
        await settled();
        note('one ends')();
      });
      tx.afterCommit(note('two'));
      tx.afterRollback(note('never'));
      await tx.query('A');
    });
    note('resolved')();
    expect(events).toEqual(['BEGIN', 'A', 'COMMIT', 'one begins', 'one ends', 'two', 'resolved']);
  });

  it('runs also where no statement was', async () => {
    const { db, events, note } = recorded();
    await db.atomic((tx) => tx.afterCommit(note('hook')));
    expect(events).toEqual(['hook']);
  });

  it('runs when the lease is back, outside of the block', async () => {
    const { db } = recorded();
    let seen: unknown[] = [];
    await db.atomic(async (tx) => {
      tx.afterCommit(async () => {
        seen = [db.numbers, currentContext()];
        await db.query('LATER');
      });
      await tx.query('A');
    });
    expect(seen).toStrictEqual([[1, 0, 1, 0], undefined]);
    expect(db.driver.work).toEqual(['1 BEGIN', '1 A', '1 COMMIT', '1 LATER']);
  });

  it('runs in the scope around the block, on its connection', async () => {
    const { db } = recorded();
    await connectionScope(() =>
      db.atomic(async (tx) => {
        tx.afterCommit(async () => {
          expect(db.numbers).toEqual([1, 1, 0, 0]);
          await db.query('LATER');
        });
        await tx.query('A');
      }),
    );
    expect(db.driver.work.at(-1)).toBe('1 LATER');
  });

  it('of a savepoint waits for the outermost COMMIT', async () => {
    const { db, events, note } = recorded();
    await db.atomic(async (tx) => {
      tx.afterCommit(note('outer before'));
      await db.atomic(async (inner) => {
        inner.afterCommit(note('inner'));
        await inner.query('A');
      });
      tx.afterCommit(note('outer after'));
      await tx.query('B');
    });
    expect(events.slice(3)).toEqual([
      'RELEASE SAVEPOINT 1',
      'B',
      'COMMIT',
      'outer before',
      'inner',
      'outer after',
    ]);
  });

  it('of a savepoint that was rolled back never runs', async () => {
    const { db, events, note } = recorded();
    await db.atomic(async () => {
      await rejection(
        db.atomic(async (inner) => {
          inner.afterCommit(note('never'));
          inner.afterRollback(note('rolled back'));
          await inner.query('A');
          throw new Error('mine');
        }),
      );
      note('outer goes on')();
    });
    expect(events).toEqual([
      'BEGIN',
      'SAVEPOINT 1',
      'A',
      'ROLLBACK TO SAVEPOINT 1',
      'rolled back',
      'outer goes on',
      'COMMIT',
    ]);
  });

  it('takes no hooks once the block is over', async () => {
    const { db, events, note } = recorded();
    let late: unknown;
    await db.atomic((tx) => {
      tx.afterCommit(async () => {
        late = await rejection(Promise.resolve().then(() => tx.afterCommit(note('late'))));
      });
    });
    expect(events).toEqual([]);
    expect(late).toBeInstanceOf(TransactionClosedError);
  });
});

describe('afterRollback', () => {
  it('runs after ROLLBACK, and the first error reaches the caller', async () => {
    const { db, events, note } = recorded();
    const failure = new Error('mine');
    const block = db.atomic(async (tx) => {
      tx.afterCommit(note('never'));
      tx.afterRollback(note('hook'));
      await tx.query('A');
      throw failure;
    });
    expect(await rejection(block)).toBe(failure);
    expect(events).toEqual(['BEGIN', 'A', 'ROLLBACK', 'hook']);
  });

  it('of a savepoint that was released runs when the outer block is rolled back', async () => {
    const { db, events, note } = recorded();
    const block = db.atomic(async () => {
      await db.atomic(async (inner) => {
        inner.afterRollback(note('inner'));
        await inner.query('A');
      });
      throw new Error('mine');
    });
    await rejection(block);
    expect(events.slice(-2)).toEqual(['ROLLBACK', 'inner']);
  });

  it('runs where the block was doomed', async () => {
    const { db, events, note } = recorded();
    db.driver.on(/DEADLOCK/, { error: serverError(1213) });
    await rejection(
      db.atomic(async (tx) => {
        tx.afterRollback(note('hook'));
        await tx.query('DEADLOCK').catch(() => {});
      }),
    );
    expect(events.at(-1)).toBe('hook');
  });

  it('does not run where a statement committed the block by itself, nor does afterCommit', async () => {
    const { db, events, note } = recorded();
    db.driver.on(/^CREATE/, { effect: (it) => (it.inTransaction = false) });
    await rejection(
      db.atomic(async (tx) => {
        tx.afterRollback(note('never'));
        tx.afterCommit(note('nor this'));
        await tx.query('CREATE TABLE t');
      }),
    );
    expect(events).toEqual(['BEGIN', 'ROLLBACK']);
  });
});

describe('a hook', () => {
  it('that fails is logged without its message, and stops neither the others nor the caller', async () => {
    const { db, events, note } = recorded();
    await db.atomic((tx) => {
      tx.afterCommit(() => {
        throw new RangeError('secret');
      });
      tx.afterCommit(() => Promise.reject(new Error('secret')));
      tx.afterCommit(note('three'));
    });
    expect(events).toEqual(['three']);
    const lines = db.logger.of(/hook failed/);
    expect(lines.map(({ level, fields }) => [level, fields])).toEqual([
      ['error', { errorType: 'RangeError' }],
      ['error', { errorType: 'Error' }],
    ]);
  });

  it('is registered on the block that is open where it is given', async () => {
    const { db, events, note } = recorded();
    await db.atomic(async () => {
      db.hook('afterCommit', note('outer'));
      await rejection(
        db.atomic(() => {
          db.hook('afterRollback', note('inner'));
          throw new Error('mine');
        }),
      );
    });
    expect(events).toEqual(['inner', 'outer']);
  });

  it.each([undefined, null, 'hook'])('is refused where it is %p', async (hook) => {
    const db = new FakeDatabase();
    const block = db.atomic((tx) => tx.afterCommit(hook as never));
    expect(await rejection(block)).toBeInstanceOf(InvalidArgumentError);
  });
});
