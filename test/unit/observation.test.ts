import { Instruments } from '../../src/metrics/instruments';
import type { Observer } from '../../src/metrics/observer';
import { operationOf } from '../../src/metrics/operation';
import { breaks, serverError } from '../support/fake-driver';
import { FakeDatabase, endAll, rejection } from '../support/fixture';
import { deferred } from '../support/deferred';
import { until } from '../support/until';

afterEach(endAll);

/** What was told, in order: the method, then what it got. */
function listener(): { readonly heard: unknown[][]; readonly observer: Observer } {
  const heard: unknown[][] = [];
  const note =
    (method: keyof Observer) =>
    (...what: unknown[]): void => {
      heard.push([method, ...what]);
    };
  const observer: Observer = {
    acquired: note('acquired'),
    held: note('held'),
    connected: note('connected'),
    connectFailed: note('connectFailed'),
    removed: note('removed'),
    timedOut: note('timedOut'),
    leaked: note('leaked'),
    repeated: note('repeated'),
    transaction: note('transaction'),
    statement: ({ operation, elapsed, errorClass, text }) =>
      heard.push(['statement', operation, elapsed, errorClass, text]),
  };
  return { heard, observer };
}

describe('an observer', () => {
  it('is told of the connect, the wait, the statement and the hold, in ms', async () => {
    const db = new FakeDatabase();
    const { heard, observer } = listener();
    db.observation.add(observer);
    const connecting = deferred();
    db.driver.nextConnects(() => connecting.promise);
    const answer = deferred();
    db.driver.on(/FROM t/, { until: answer.promise });
    const done = db.query('SELECT 1 FROM t WHERE a = ?', ['secret']);
    await db.clock.advance(30);
    connecting.resolve();
    await until('the statement is on the wire', () => db.driver.work.length === 1);
    await db.clock.advance(7);
    answer.resolve();
    await done;
    expect(heard).toStrictEqual([
      ['connected', 30],
      ['acquired', 30],
      ['statement', 'SELECT', 7, undefined, 'SELECT ? FROM t WHERE a = ?'],
      ['held', 7],
    ]);
  });

  it('that comes while a connection is out is told nothing wrong of it', async () => {
    const db = new FakeDatabase();
    const [lease] = await db.take(1);
    const { heard, observer } = listener();
    db.observation.add(observer);
    await db.clock.advance(50);
    expect(db.pool.holders()).toMatchObject([{ heldFor: undefined }]);
    await lease!.giveBack();
    expect(heard).toEqual([]);
    await (await db.pool.acquire()).giveBack();
    expect(heard).toEqual([
      ['acquired', 0],
      ['held', 0],
    ]);
  });

  it('that comes a second time is told nothing of what was taken while nobody watched', async () => {
    const db = new FakeDatabase();
    const { heard, observer } = listener();
    const leave = db.observation.add(observer);
    await (await db.pool.acquire()).giveBack();
    leave();
    const [lease] = await db.take(1);
    await db.clock.advance(500);
    heard.length = 0;
    db.observation.add(observer);
    expect(db.pool.holders()).toMatchObject([{ heldFor: undefined }]);
    await lease!.giveBack();
    expect(heard).toEqual([]);
  });

  it('that left is told nothing more, and a second one as much as before', async () => {
    const db = new FakeDatabase();
    await db.fill(1);
    const [one, other] = [listener(), listener()];
    const leave = db.observation.add(one.observer);
    const leaveToo = db.observation.add(other.observer);
    await db.query('DO 1');
    leave();
    leave();
    await db.query('DO 2');
    leaveToo();
    await db.query('DO 3');
    expect([one.heard.length, other.heard.length]).toEqual([3, 6]);
    expect(db.observation.current).toBeUndefined();
  });

  it('that throws throws into nobody’s statement, and others are told all the same', async () => {
    const db = new FakeDatabase();
    const thrown: unknown[] = [];
    const keep = queueMicrotask;
    globalThis.queueMicrotask = (task) => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    };
    const { heard, observer } = listener();
    const fault = new Error('an observer’s own');
    const fails = (): never => {
      throw fault;
    };
    db.observation.add({ acquired: fails, held: fails, statement: fails, connected: fails });
    db.observation.add(observer);
    await expect(db.query('DO 1')).resolves.toBeDefined();
    globalThis.queueMicrotask = keep;
    expect(heard.map(([method]) => method)).toEqual(['connected', 'acquired', 'statement', 'held']);
    expect(thrown).toEqual([fault, fault, fault, fault]);
  });

  it('is told of failures by their class, of repeats, and of no message', async () => {
    const db = new FakeDatabase();
    await db.fill(1);
    const { heard, observer } = listener();
    db.observation.add(observer);
    db.driver.once(/^UPDATE/, { error: serverError(1213, "Deadlock 'secret'") });
    const done = db.query('UPDATE t SET a = 1');
    await db.clock.advance(1000);
    await done;
    const told = heard.filter(([method]) => method === 'statement' || method === 'repeated');
    expect(told).toStrictEqual([
      ['statement', 'UPDATE', 0, 'deadlock', 'UPDATE t SET a = ?'],
      ['repeated', 'deadlock'],
      ['statement', 'UPDATE', 0, undefined, 'UPDATE t SET a = ?'],
    ]);
    expect(JSON.stringify(heard)).not.toContain('secret');
  });

  it('is told how outermost blocks ended, once each, and not of blocks inside them', async () => {
    const db = new FakeDatabase();
    const { heard, observer } = listener();
    db.observation.add(observer);
    await db.atomic(async () => {
      await db.query('DO 1');
      await db.atomic(() => db.query('DO 2'));
      await rejection(db.atomic(() => Promise.reject(new Error('inner'))));
    });
    await rejection(db.atomic(() => Promise.reject(new Error('outer'))));
    db.driver.once(/^COMMIT/, breaks());
    await rejection(db.atomic(() => db.query('DO 3')));
    expect(heard.filter(([method]) => method === 'transaction')).toEqual([
      ['transaction', 'committed'],
      ['transaction', 'rolledBack'],
      ['transaction', 'inDoubt'],
    ]);
  });

  it('is told of connects that failed, acquires that timed out and connections that left', async () => {
    const db = new FakeDatabase({ acquireTimeout: 100, connectionLimit: 1 });
    const { heard, observer } = listener();
    db.observation.add(observer);
    db.driver.everyConnect = () => Promise.reject(new Error('no'));
    const refused = rejection(db.query('DO 1'));
    await db.clock.advance(100);
    await refused;
    const methods = heard.map(([method]) => method);
    expect(methods).toContain('connectFailed');
    expect(methods.at(-1)).toBe('timedOut');
    db.driver.everyConnect = () => Promise.resolve();
    await db.clock.advance(2000);
    const [lease] = await db.take(1);
    lease!.discard(new Error('away'));
    expect(heard).toContainEqual(['removed', 'discarded']);
  });

  it('is told of a leak once, and not of its all-clear', async () => {
    const db = new FakeDatabase({ leakDetectionThreshold: 10 });
    const { heard, observer } = listener();
    db.observation.add(observer);
    const [lease] = await db.take(1);
    await db.clock.advance(50);
    await lease!.giveBack();
    expect(heard.filter(([method]) => method === 'leaked')).toEqual([['leaked', 'held']]);
  });
});

describe('holders', () => {
  it('are those who have a connection, the longest first, with label and time', async () => {
    const db = new FakeDatabase();
    db.observation.add({});
    const first = await db.pool.acquire({ owner: { label: 'first' } });
    await db.clock.advance(20);
    const second = await db.pool.acquire({ owner: { label: 'second' } });
    await db.clock.advance(5);
    expect(db.pool.holders()).toStrictEqual([
      { threadId: 1, label: 'first', stack: undefined, heldFor: 25 },
      { threadId: 2, label: 'second', stack: undefined, heldFor: 5 },
    ]);
    await first.giveBack();
    await second.giveBack();
    expect(db.pool.holders()).toEqual([]);
  });

  it('bear the stack of so many a second, which begins with the caller and not with this library', async () => {
    const db = new FakeDatabase();
    db.observation.add({}, { stacksPerSecond: 10 });
    db.observation.add({}, { stacksPerSecond: 2 });
    const leases = [];
    for (let count = 0; count < 6; count++) {
      leases.push(await db.pool.acquire({ owner: { label: 'x' } }));
      await db.clock.advance(40);
    }
    const stacks = db.pool.holders().map(({ stack }) => stack);
    // At 0, and from 100 ms on.
    expect(stacks.map((stack) => stack !== undefined)).toEqual([
      true,
      false,
      false,
      true,
      false,
      false,
    ]);
    const [head, top] = stacks[0]!.split('\n');
    expect(head).toBe('Error: taken here');
    expect(top).toContain('observation.test.ts');
    for (const lease of leases) await lease.giveBack();
  });

  it('have none where nobody asked for stacks', async () => {
    const db = new FakeDatabase();
    db.observation.add({});
    const lease = await db.pool.acquire({ owner: { label: 'x' } });
    expect(db.pool.holders()).toMatchObject([{ stack: undefined }]);
    await lease.giveBack();
  });
});

describe('instruments', () => {
  const OF = { kind: 'thing', snapshot: ({ size }: { size: number }) => ({ size }) };

  it('are listed with their numbers until they are removed', () => {
    const instruments = new Instruments();
    const [one, other] = [{ size: 1 }, { size: 2 }];
    instruments.add(one, 'a', OF);
    instruments.add(other, 'b', OF);
    expect(instruments.list().map((each) => [each.name, each.snapshot()])).toEqual([
      ['a', { size: 1 }],
      ['b', { size: 2 }],
    ]);
    instruments.remove(one);
    expect(instruments.list().map(({ id, name }) => [id, name])).toEqual([[1, 'b']]);
  });

  it('without rows have none', async () => {
    const instruments = new Instruments();
    const one = { size: 1 };
    instruments.add(one, 'a', OF);
    expect(await instruments.list()[0]!.details(5)).toEqual([]);
  });
});

describe('operationOf', () => {
  it.each([
    ['SELECT 1', 'SELECT'],
    ['  (select 1)', 'SELECT'],
    ['/* who */ insert INTO t', 'INSERT'],
    ['-- why\nUPDATE t', 'UPDATE'],
    ['# why\n delete FROM t', 'DELETE'],
    ['/**/ /***/ /* a * b */ REPLACE INTO t', 'REPLACE'],
    ['-- a /* b\n/* c -- */SELECT 1', 'SELECT'],
    ['/* never ended SELECT 1', 'OTHER'],
    ['SECRET stuff', 'OTHER'],
    ['', 'OTHER'],
    ['/*!50000 SELECT */ 1', 'OTHER'],
    [`${' '.repeat(3000)}SELECT 1`, 'OTHER'],
  ])('of %j is %s', (sql, operation) => {
    expect(operationOf(sql)).toBe(operation);
    expect(operationOf(sql)).toBe(operation);
  });

  it.each(['-- a line\n', '/* a */ ', '# a line\n'])(
    'is found at once behind many comments, and so is that there is none: %j',
    (comment) => {
      const begun = performance.now();
      expect(operationOf(`${comment.repeat(32)}/*!50000 SELECT */ 1`)).toBe('OTHER');
      expect(operationOf(`${comment.repeat(32)}SELECT 1`)).toBe('SELECT');
      // Going back over them would take years.
      expect(performance.now() - begun).toBeLessThan(10_000);
    },
  );
});
