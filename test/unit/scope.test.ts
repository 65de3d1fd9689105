import { InvalidArgumentError } from '../../src/errors';
import { connectionScope } from '../../src/scope/connection-scope';
import { currentContext, withoutScope } from '../../src/scope/context';
import { deferred } from '../support/deferred';
import { breaks, codeError } from '../support/fake-driver';
import { endAll, FakeDatabase, rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

describe('a connection scope', () => {
  it('runs its function now and resolves to its result', async () => {
    let ran = false;
    const scope = connectionScope(() => {
      ran = true;
      return 5;
    });
    expect([ran, await scope]).toEqual([true, 5]);
  });

  it.each([undefined, null, 5, {}])('refuses %p for a function, by a rejection', async (fn) => {
    const error = await rejection(connectionScope(fn as never));
    expect(error).toBeInstanceOf(InvalidArgumentError);
  });

  it('takes no connection without a statement', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {});
    expect(db.driver.attempts).toBe(0);
  });

  it('runs all its statements on one connection, in call order, and gives it back', async () => {
    const db = new FakeDatabase();
    await db.fill(3);
    await connectionScope(async () => {
      await Promise.all([db.query('A'), db.query('B'), connectionScope(() => db.query('C'))]);
      expect(db.numbers).toEqual([3, 1, 2, 0]);
    });
    expect([db.driver.work, db.numbers]).toEqual([
      ['3 A', '3 B', '3 C'],
      [3, 0, 3, 0],
    ]);
  });

  it('keeps the connection until the outermost call ends', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {
      await connectionScope(() => db.query('A'));
      expect(db.numbers).toEqual([1, 1, 0, 0]);
      await connectionScope(() => db.query('B'));
    });
    expect(db.numbers).toEqual([1, 0, 1, 0]);
  });

  it('holds a connection of each database it uses', async () => {
    const [one, two] = [new FakeDatabase(), new FakeDatabase()];
    await connectionScope(async () => {
      await one.query('A');
      await two.query('B');
      expect([one.numbers, two.numbers]).toEqual([
        [1, 1, 0, 0],
        [1, 1, 0, 0],
      ]);
    });
    expect([one.numbers, two.numbers]).toEqual([
      [1, 0, 1, 0],
      [1, 0, 1, 0],
    ]);
  });

  it('gives the connection back after a throw, and the error is the function’s own', async () => {
    const db = new FakeDatabase();
    const failure = new Error('mine');
    const scope = connectionScope(async () => {
      await db.query('A');
      throw failure;
    });
    expect(await rejection(scope)).toBe(failure);
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    expect(
      await rejection(
        connectionScope(() => {
          throw failure;
        }),
      ),
    ).toBe(failure);
  });

  it('waits on leaving for statements that nobody awaited', async () => {
    const db = new FakeDatabase();
    const gate = deferred();
    db.driver.on(/SLOW/, { until: gate.promise });
    const scope = watched(
      connectionScope(async () => {
        void db.query('SLOW');
        void db.query('NEXT');
      }),
    );
    await settled();
    expect([scope.state, db.numbers]).toEqual(['pending', [1, 1, 0, 0]]);
    gate.resolve();
    await scope.promise;
    expect([db.driver.work, db.numbers]).toEqual([
      ['1 SLOW', '1 NEXT'],
      [1, 0, 1, 0],
    ]);
  });

  it('lets its result stand when handing back fails', async () => {
    const db = new FakeDatabase();
    db.driver.on(/^<reset>/, { error: codeError('ECONNRESET') });
    const result = await connectionScope(async () => {
      await db.query('SET @a = 1');
      return 'result';
    });
    expect([result, db.numbers]).toEqual(['result', [0, 0, 0, 0]]);
  });

  it('takes another connection after a lost one', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {
      await db.query('A');
      db.driver.latest.lose(codeError('ECONNRESET'));
      await db.query('B');
    });
    expect([db.driver.work, db.numbers]).toEqual([
      ['1 A', '2 B'],
      [1, 0, 1, 0],
    ]);
  });

  it('leaves its spoilt connection and takes another for what comes next', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    db.driver.once(/LOST/, breaks());
    await connectionScope(async () => {
      await rejection(db.query('LOST'));
      await db.query('B');
    });
    expect([db.driver.work, db.numbers]).toEqual([
      ['1 LOST', '2 B'],
      [1, 0, 1, 0],
    ]);
  });
});

describe('what outlives its scope', () => {
  it('has a lease of its own for each late statement', async () => {
    const db = new FakeDatabase();
    const gate = deferred();
    let late: Promise<unknown> | undefined;
    await connectionScope(async () => {
      await db.query('A');
      late = gate.promise.then(() => db.query('LATE'));
    });
    const [lease] = await db.take(1);
    gate.resolve();
    await late;
    expect(db.driver.work).toEqual(['1 A', '2 LATE']);
    await lease!.giveBack();
  });

  it('carries on as an outermost scope, with one lease of its own', async () => {
    const db = new FakeDatabase();
    const gate = deferred();
    let late: Promise<unknown> | undefined;
    await connectionScope(async () => {
      await db.query('A');
      late = connectionScope(async () => {
        await db.query('B');
        await gate.promise;
        await db.query('C');
        await db.query('D');
        expect(db.numbers).toEqual([1, 1, 0, 0]);
      });
      await settled();
    });
    expect(db.numbers).toEqual([1, 0, 1, 0]);
    gate.resolve();
    await late;
    expect([db.driver.work, db.numbers]).toEqual([
      ['1 A', '1 B', '1 C', '1 D'],
      [1, 0, 1, 0],
    ]);
  });
});

describe('outside of scopes', () => {
  it('a statement has a connection for itself alone and gives it back', async () => {
    const db = new FakeDatabase();
    await Promise.all([db.query('A'), db.query('B')]);
    expect(db.numbers).toEqual([2, 0, 2, 0]);
  });

  it('withoutScope() runs its function in no scope at all', async () => {
    const db = new FakeDatabase();
    await connectionScope(async () => {
      await db.query('A');
      await withoutScope(() => {
        expect(currentContext()).toBeUndefined();
        return db.query('B');
      });
    });
    expect(db.driver.work).toEqual(['1 A', '2 B']);
  });

  it('no scope leaks into the code after it', async () => {
    const scope = connectionScope(async () => settled());
    expect(currentContext()).toBeUndefined();
    await scope;
    expect(currentContext()).toBeUndefined();
  });
});
