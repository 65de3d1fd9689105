import {
  ImplicitCommitError,
  InvalidArgumentError,
  TransactionClosedError,
  TransactionControlError,
  TransactionDoomedError,
} from '../../src/errors';
import { connectionScope } from '../../src/scope/connection-scope';
import { deferred } from '../support/deferred';
import { breaks, codeError, never, serverError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

/** What was sent on the first connection. */
const sent = (db: FakeDatabase): string[] => db.driver.work.map((line) => line.replace(/^1 /, ''));

describe('a transaction', () => {
  it('begins with its first statement and commits at the end', async () => {
    const db = new FakeDatabase();
    const result = await db.atomic(async (tx) => {
      expect(db.driver.attempts).toBe(0);
      await tx.query('A');
      await db.query('B');
      return 5;
    });
    expect([result, sent(db)]).toEqual([5, ['BEGIN', 'A', 'B', 'COMMIT']]);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });

  it('without a statement takes no connection', async () => {
    const db = new FakeDatabase();
    expect(await db.atomic(() => 5)).toBe(5);
    await rejection(db.atomic(() => Promise.reject(new Error('mine'))));
    expect(db.driver.attempts).toBe(0);
  });

  it('rolls back after a throw, and the error is the function’s own', async () => {
    const db = new FakeDatabase();
    const failure = new Error('mine');
    const block = db.atomic(async (tx) => {
      await tx.query('A');
      throw failure;
    });
    expect(await rejection(block)).toBe(failure);
    expect([sent(db), db.numbers]).toEqual([
      ['BEGIN', 'A', 'ROLLBACK'],
      [1, 0, 1, 0],
    ]);
  });

  it('waits for statements that nobody awaited, then commits', async () => {
    const db = new FakeDatabase();
    await db.atomic((tx) => {
      void tx.query('A');
      void tx.query('B');
    });
    expect(sent(db)).toEqual(['BEGIN', 'A', 'B', 'COMMIT']);
  });

  it('uses the connection of the scope it is in, and the scope keeps it', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {
      await db.query('A');
      await db.atomic((tx) => tx.query('B'));
      expect(db.numbers).toEqual([1, 1, 0, 0]);
      await db.query('C');
    });
    expect(sent(db)).toEqual(['A', 'BEGIN', 'B', 'COMMIT', 'C']);
  });

  it('that nobody awaited outlives its scope with its connection, and gives it back', async () => {
    const db = new FakeDatabase();
    const gate = deferred();
    let block: Promise<unknown> | undefined;
    await connectionScope(async () => {
      block = db.atomic(async (tx) => {
        await tx.query('A');
        await gate.promise;
        await tx.query('B');
      });
      await settled();
    });
    expect(db.numbers).toEqual([1, 1, 0, 0]);
    gate.resolve();
    await block;
    expect([sent(db), db.numbers]).toEqual([
      ['BEGIN', 'A', 'B', 'COMMIT'],
      [1, 0, 1, 0],
    ]);
  });

  it('lets the statements of its scope wait until it is over', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {
      const gate = deferred();
      const block = db.atomic(async (tx) => {
        await tx.query('A');
        await gate.promise;
      });
      const outside = db.query('OUTSIDE');
      await settled();
      gate.resolve();
      await Promise.all([block, outside]);
    });
    expect(sent(db)).toEqual(['BEGIN', 'A', 'COMMIT', 'OUTSIDE']);
  });

  it('repeats taking the connection and BEGIN, since nothing of the user’s has run', async () => {
    const db = new FakeDatabase();
    db.driver.once(/^BEGIN/, breaks());
    const block = watched(db.atomic((tx) => tx.query('A')));
    await db.clock.advance(1000);
    expect([block.state, db.driver.work]).toEqual([
      'fulfilled',
      ['1 BEGIN', '2 BEGIN', '2 A', '2 COMMIT'],
    ]);
  });

  it('never repeats a statement, and is not run again unasked', async () => {
    const db = new FakeDatabase();
    let runs = 0;
    db.driver.on(/^A/, { error: serverError(1213) });
    const block = watched(
      db.atomic(async (tx) => {
        runs++;
        await tx.query({ sql: 'A', idempotent: true });
      }),
    );
    await db.clock.advance(10_000);
    expect([block.reason.errno, runs, sent(db)]).toEqual([1213, 1, ['BEGIN', 'A', 'ROLLBACK']]);
  });

  it.each([undefined, null, 5])('refuses %p for a function', async (fn) => {
    const error = await rejection(new FakeDatabase().atomic(fn as never));
    expect(error).toBeInstanceOf(InvalidArgumentError);
  });
});

describe('transaction control as text', () => {
  it.each(['COMMIT', 'begin', '/*!ROLLBACK*/', 'SAVEPOINT a', 'SET autocommit = 0', 'XA END 1'])(
    '%p is refused before it is sent, inside a block and on the database',
    async (sql) => {
      const db = new FakeDatabase();
      await db.atomic(async (tx) => {
        await tx.query('A');
        expect(await rejection(tx.query(sql))).toBeInstanceOf(TransactionControlError);
        expect(await rejection(db.query(sql))).toBeInstanceOf(TransactionControlError);
      });
      expect(await rejection(db.query(sql))).toBeInstanceOf(TransactionControlError);
      expect(sent(db)).toEqual(['BEGIN', 'A', 'COMMIT']);
    },
  );
});

describe('late work of a block', () => {
  it('is refused, and the text tells the way out', async () => {
    const db = new FakeDatabase();
    const gate = deferred();
    let late: Promise<unknown> | undefined;
    await db.atomic(async (tx) => {
      await tx.query('A');
      late = gate.promise.then(() => db.query('LATE'));
    }, 'transfer');
    gate.resolve();
    const error = await rejection(late!);
    expect(error).toBeInstanceOf(TransactionClosedError);
    expect(error.message).toMatch(/'transfer' is over.*db\.withoutScope\(fn\)/s);
    expect(sent(db)).toEqual(['BEGIN', 'A', 'COMMIT']);
  });

  it('is refused from the moment the block leaves, by any of its ways', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^COMMIT/, { until: never });
    let query: (() => Promise<unknown>) | undefined;
    watched(
      db.atomic(async (tx) => {
        await tx.query('A');
        query = () => tx.query('LATE');
      }),
    );
    await settled();
    expect(await rejection(query!())).toBeInstanceOf(TransactionClosedError);
    expect(sent(db)).toEqual(['BEGIN', 'A', 'COMMIT']);
  });
});

describe('after an error inside a block', () => {
  it('the next statement is preceded by DO 0, and goes ahead where the transaction is open', async () => {
    const db = new FakeDatabase();
    db.driver.on(/DUPLICATE/, { error: serverError(1062) });
    await db.atomic(async (tx) => {
      await tx.query('A');
      await rejection(tx.query('DUPLICATE'));
      await tx.query('B');
      await tx.query('C');
    });
    expect(sent(db)).toEqual(['BEGIN', 'A', 'DUPLICATE', 'DO 0', 'B', 'C', 'COMMIT']);
  });

  it('so is COMMIT', async () => {
    const db = new FakeDatabase();
    db.driver.on(/WAIT/, { error: serverError(1205) });
    await db.atomic(async (tx) => {
      await rejection(tx.query('WAIT'));
    });
    expect(sent(db)).toEqual(['BEGIN', 'WAIT', 'DO 0', 'COMMIT']);
  });

  it('nothing more is run where the server has ended the transaction with it', async () => {
    const db = new FakeDatabase();
    const failure = serverError(1205);
    db.driver.on(/WAIT/, { error: failure, effect: (it) => (it.inTransaction = false) });
    let second: unknown;
    const block = db.atomic(async (tx) => {
      await tx.query('A');
      await rejection(tx.query('WAIT'));
      second = await rejection(tx.query('B'));
    });
    const error = await rejection(block);
    expect(error).toBeInstanceOf(TransactionDoomedError);
    expect(second).toBeInstanceOf(TransactionDoomedError);
    expect([error.cause, (second as Error).cause]).toEqual([failure, failure]);
    expect(sent(db)).toEqual(['BEGIN', 'A', 'WAIT', 'DO 0', 'ROLLBACK']);
  });

  it.each([
    ['a deadlock', 'mysql', serverError(1213)],
    ['a deadlock', 'mariadb', serverError(1213)],
    ['a snapshot conflict', 'mariadb', serverError(1020)],
  ] as const)('%s on %s dooms it without asking', async (_what, flavour, failure) => {
    const db = new FakeDatabase({}, { flavour });
    db.driver.on(/^A/, { error: failure });
    const block = db.atomic(async (tx) => {
      await rejection(tx.query('A'));
      await rejection(tx.query('B'));
    });
    expect((await rejection(block)).cause).toBe(failure);
    expect(sent(db)).toEqual(['BEGIN', 'A', 'ROLLBACK']);
  });

  it('nothing more is run where the server does not even answer DO 0', async () => {
    const db = new FakeDatabase();
    db.driver.on(/DUPLICATE/, { error: serverError(1062) });
    db.driver.on(/^DO 0/, { error: serverError(1317) });
    const block = db.atomic(async (tx) => {
      await rejection(tx.query('DUPLICATE'));
      await rejection(tx.query('B'));
    });
    expect((await rejection(block)).cause.errno).toBe(1317);
    expect(sent(db)).toEqual(['BEGIN', 'DUPLICATE', 'DO 0', 'ROLLBACK']);
  });

  it('a lost connection dooms it; nothing is sent on another one', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^A/, breaks());
    const block = db.atomic(async (tx) => {
      await rejection(tx.query('A'));
      await tx.query('B');
    });
    const error = await rejection(block);
    expect(error).toBeInstanceOf(TransactionDoomedError);
    expect(error.cause.code).toBe('ECONNRESET');
    expect([db.driver.work, db.numbers]).toEqual([
      ['1 BEGIN', '1 A'],
      [0, 0, 0, 0],
    ]);
  });

  it('a connection lost between two statements dooms it too', async () => {
    const db = new FakeDatabase();
    const block = db.atomic(async (tx) => {
      await tx.query('A');
      db.driver.latest.lose(codeError('ECONNRESET'));
      await tx.query('B');
    });
    await rejection(block);
    expect([db.driver.work, db.driver.attempts]).toEqual([['1 BEGIN', '1 A'], 1]);
  });
});

describe('a statement that ends the transaction by itself', () => {
  it('raises ImplicitCommitError, and nothing more is run', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^CREATE/, { effect: (it) => (it.inTransaction = false) });
    const seen: unknown[] = [];
    const block = db.atomic(async (tx) => {
      await tx.query('A');
      seen.push(await rejection(tx.query('CREATE TABLE t')));
      seen.push(await rejection(tx.query('B')));
    });
    expect(await rejection(block)).toBeInstanceOf(TransactionDoomedError);
    expect(seen[0]).toBeInstanceOf(ImplicitCommitError);
    expect((seen[0] as Error).message).toMatch(/what came before it is committed/);
    expect(seen[1]).toBeInstanceOf(TransactionDoomedError);
    expect((seen[1] as Error).message).toMatch(/after 'ImplicitCommitError'/);
    expect(sent(db)).toEqual(['BEGIN', 'A', 'CREATE TABLE t', 'ROLLBACK']);
  });
});

describe('a failed ROLLBACK', () => {
  it.each([
    ['refused', { error: serverError(1064) }],
    ['not answered', breaks()],
  ])(
    'that is %s closes the connection, and the first error reaches the caller',
    async (_w, reply) => {
      const db = new FakeDatabase();
      db.driver.on(/^ROLLBACK/, reply);
      const failure = new Error('mine');
      const block = db.atomic(async (tx) => {
        await tx.query('A');
        throw failure;
      });
      expect(await rejection(block)).toBe(failure);
      expect([db.driver.open, db.numbers]).toEqual([0, [0, 0, 0, 0]]);
      expect(db.logger.of(/^ROLLBACK failed/)).toHaveLength(1);
    },
  );
});
