import { setTimeout as delay } from 'node:timers/promises';
import { TurnTimeoutError, connectionScope, type RetryingPooledDatabase } from '../../src/index';
import { onEachServer, session } from '../support/servers';
import { deferred, failure } from '../support/until';

onEachServer((bench) => {
  let db: RetryingPooledDatabase;
  beforeEach(() => {
    db = bench.open({ connectionLimit: 2 });
  });

  describe('taking a connection', () => {
    it('statements of one scope share one connection', async () => {
      const [first, second] = await connectionScope(async () => [
        await session(db),
        await session(db),
      ]);
      expect(first).toBe(second);
      expect(db.stats().acquired).toBe(1);
    });

    it('a scope that runs no statement takes no connection', async () => {
      await connectionScope(async () => {
        await connectionScope(async () => delay(1));
      });
      expect(db.stats()).toMatchObject({ acquired: 0, created: 0 });
    });

    it('a scope takes its connection with its first statement, not before', async () => {
      await connectionScope(async () => {
        expect(db.stats().acquired).toBe(0);
        await db.query('DO 0');
        expect(db.stats().active).toBe(1);
      });
      expect(db.stats().active).toBe(0);
    });

    it('a statement outside any scope takes a lease for itself alone', async () => {
      await db.query('DO 0');
      await db.execute('DO 0');
      expect(db.stats()).toMatchObject({ acquired: 2, released: 2, active: 0 });
    });

    it('50 parallel nested calls run on a pool of 2', async () => {
      const nested = (depth: number): Promise<number> =>
        connectionScope(async () => {
          const id = await session(db);
          if (depth > 0) expect(await nested(depth - 1)).toBe(id);
          return id;
        });
      const both = await Promise.all([db.getConnection(), db.getConnection()]);
      await Promise.all(both.map((connection) => connection.release()));
      await Promise.all(Array.from({ length: 50 }, () => nested(3)));
      expect(db.stats()).toMatchObject({ active: 0, acquired: 52, released: 52, created: 2 });
    });

    it('two databases in one scope have a lease each, and both go back', async () => {
      const other = bench.open({ connectionLimit: 1 });
      await connectionScope(async () => {
        expect(await session(db)).not.toBe(await session(other));
        expect([db.stats().active, other.stats().active]).toEqual([1, 1]);
      });
      expect([db.stats().active, other.stats().active]).toEqual([0, 0]);
    });
  });

  describe('nesting', () => {
    it('only the outermost end gives the connection back', async () => {
      await connectionScope(async () => {
        const outer = await session(db);
        await connectionScope(async () => expect(await session(db)).toBe(outer));
        expect(db.stats()).toMatchObject({ active: 1, released: 0 });
        expect(await session(db)).toBe(outer);
      });
      expect(db.stats()).toMatchObject({ active: 0, released: 1 });
    });

    it('a nested call that fails leaves the connection to its caller', async () => {
      await connectionScope(async () => {
        const outer = await session(db);
        const error = await failure(connectionScope(() => Promise.reject(new Error('inner'))));
        expect(error.message).toBe('inner');
        expect(await session(db)).toBe(outer);
      });
    });
  });

  describe('taking turns', () => {
    it('statements of one scope run in call order, Promise.all included', async () => {
      const order: number[] = [];
      await connectionScope(() =>
        Promise.all(
          [3, 1, 2].map(async (pause, place) => {
            await db.query('DO SLEEP(?)', [pause / 100]);
            order.push(place);
          }),
        ),
      );
      expect(order).toEqual([0, 1, 2]);
      expect(db.stats().acquired).toBe(1);
    });

    it('Promise.all that fails early: the scope waits for the statement still running', async () => {
      let finished = false;
      const slow = () => db.query('DO SLEEP(0.2)').then(() => (finished = true));
      const error = await failure(
        connectionScope(() => Promise.all([slow(), Promise.reject(new Error('early'))])),
      );
      expect([error.message, finished]).toEqual(['early', true]);
      expect(db.stats()).toMatchObject({ active: 0, idle: 1 });
    });

    it('waiting behind a nested block ends with TurnTimeoutError that names the block', async () => {
      const impatient = await bench.connected({ connectionLimit: 2, acquireTimeout: 400 });
      const entered = deferred();
      const blocked = deferred();
      await connectionScope(async () => {
        const block = impatient.atomic(
          async () => {
            entered.resolve();
            await blocked.promise;
          },
          { label: 'slow block' },
        );
        await entered.promise;
        const error = await failure(impatient.query('DO 0'));
        expect(error).toBeInstanceOf(TurnTimeoutError);
        expect(error.message).toContain("'slow block'");
        blocked.resolve();
        await block;
      });
    });

    it('waiting behind a running statement is not bounded by acquireTimeout', async () => {
      const impatient = await bench.connected({ acquireTimeout: 400 });
      const { acquired } = impatient.stats();
      await connectionScope(() =>
        Promise.all([impatient.query('DO SLEEP(0.6)'), impatient.query('DO 0')]),
      );
      expect(impatient.stats().acquired).toBe(acquired + 1);
    });
  });

  describe('leaving', () => {
    it('waits for statements nobody awaited, then gives the connection back', async () => {
      let finished = false;
      await connectionScope(async () => {
        void db.query('DO SLEEP(0.1)').then(() => {
          finished = true;
        });
      });
      expect(finished).toBe(true);
      expect(db.stats()).toMatchObject({ active: 0, idle: 1 });
    });

    it('looks again: a statement issued when the last one ended still belongs to the scope', async () => {
      await connectionScope(async () => {
        const first = db.query('DO SLEEP(0.05)');
        void first.then(() => db.query('DO SLEEP(0.05)'));
      });
      expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
    });

    it('an error while giving back does not hide the method’s own', async () => {
      const broken = bench.open();
      const error = await failure(
        connectionScope(async () => {
          const id = await session(broken);
          // Dirty, then killed: the reset on return meets a dead connection.
          await broken.query('SET @x = 1');
          await bench.sql(`KILL CONNECTION ${id}`);
          throw new Error('own');
        }),
      );
      expect(error.message).toBe('own');
      expect(broken.stats()).toMatchObject({ active: 0, idle: 0, destroyed: 1 });
    });

    it('an error while giving back does not take the method’s result away either', async () => {
      const broken = bench.open();
      const result = await connectionScope(async () => {
        const id = await session(broken);
        await broken.query('SET @x = 1');
        await bench.sql(`KILL CONNECTION ${id}`);
        return 'result';
      });
      expect(result).toBe('result');
      expect(broken.stats()).toMatchObject({ active: 0, idle: 0 });
    });
  });

  describe('late work', () => {
    it('a statement from a timer that fires after its scope has a lease of its own', async () => {
      const fired = deferred<unknown>();
      let isOver = false;
      await connectionScope(async () => {
        const timer = setInterval(() => {
          if (!isOver) return;
          clearInterval(timer);
          db.query('DO 0').then(fired.resolve, fired.reject);
        }, 5);
        await session(db);
      });
      isOver = true;
      expect(db.stats()).toMatchObject({ acquired: 1, active: 0 });
      await fired.promise;
      expect(db.stats()).toMatchObject({ acquired: 2, released: 2, active: 0 });
    });

    it('fire-and-forget that outlives its parent still runs, one lease per late statement', async () => {
      const late = deferred();
      await connectionScope(async () => {
        await db.query('DO 0');
        void delay(30)
          .then(() => db.query('DO 0'))
          .then(() => db.query('DO 0'))
          .then(() => late.resolve(), late.reject);
      });
      expect(db.stats().active).toBe(0);
      await late.promise;
      expect(db.stats()).toMatchObject({ acquired: 3, released: 3, active: 0 });
    });

    it('a decorated call whose parent has ended carries on as an outermost scope', async () => {
      const go = deferred();
      const done = deferred<number[]>();
      await connectionScope(async () => {
        await db.query('DO 0');
        void connectionScope(async () => {
          await go.promise;
          return [await session(db), await session(db)];
        }).then(done.resolve, done.reject);
      });
      expect(db.stats()).toMatchObject({ active: 0, acquired: 1 });
      go.resolve();
      const [first, second] = await done.promise;
      expect(first).toBe(second);
      expect(db.stats()).toMatchObject({ active: 0, acquired: 2, released: 2 });
    });

    it('a decorated call begun after its parent has ended opens a scope of its own', async () => {
      const done = deferred<number[]>();
      await connectionScope(async () => {
        setTimeout(() => {
          connectionScope(async () => [await session(db), await session(db)]).then(
            done.resolve,
            done.reject,
          );
        }, 20);
      });
      const [first, second] = await done.promise;
      expect(first).toBe(second);
      expect(db.stats()).toMatchObject({ acquired: 1, released: 1 });
    });

    it('a transaction nobody awaited keeps its connection until it ends', async () => {
      const go = deferred();
      const done = deferred();
      const inserted = deferred();
      await connectionScope(async () => {
        void db
          .atomic(async (tx) => {
            await tx.query('INSERT INTO notes VALUES (1, ?)', ['kept']);
            inserted.resolve();
            await go.promise;
            await tx.query('INSERT INTO notes VALUES (2, ?)', ['kept']);
          })
          .then(done.resolve, done.reject);
        await inserted.promise;
      });
      expect(db.stats().active).toBe(1);
      go.resolve();
      await done.promise;
      expect(db.stats()).toMatchObject({ active: 0, acquired: 1, released: 1 });
    });
  });

  describe('manualClose()', () => {
    it('gives the scope’s connection back in mid-method; the next statement leases again', async () => {
      await connectionScope(async () => {
        await db.query('SET @x = 1');
        expect(await db.manualClose()).toBe(true);
        expect(db.stats()).toMatchObject({ active: 0, idle: 1 });
        const [rows] = await db.query('SELECT @x AS x');
        expect(rows).toEqual([{ x: null }]);
        expect(db.stats().active).toBe(1);
      });
      expect(db.stats()).toMatchObject({ active: 0, acquired: 2, created: 1 });
    });

    it('is false outside a scope, and in a scope that holds none', async () => {
      expect(await db.manualClose()).toBe(false);
      await connectionScope(async () => {
        expect(await db.manualClose()).toBe(false);
        await db.query('DO 0');
        expect(await db.manualClose()).toBe(true);
        expect(await db.manualClose()).toBe(false);
      });
    });

    it('waits for the scope’s running statements', async () => {
      await connectionScope(async () => {
        let finished = false;
        const running = db.query('DO SLEEP(0.1)').then(() => {
          finished = true;
        });
        expect(await db.manualClose()).toBe(true);
        expect(finished).toBe(true);
        await running;
      });
    });

    it('ends the lease for the callers above in the same scope too', async () => {
      await connectionScope(async () => {
        await db.query('DO 0');
        await connectionScope(() => db.manualClose());
        expect(db.stats().active).toBe(0);
      });
    });

    it('returns the connection to the pool and does not close it', async () => {
      await connectionScope(async () => {
        const before = await session(db);
        await db.manualClose();
        expect(await session(db)).toBe(before);
      });
    });
  });

  it('a connection lost between two statements of a scope is replaced', async () => {
    await connectionScope(async () => {
      const id = await session(db);
      await bench.sql(`KILL CONNECTION ${id}`);
      const next = await db.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id', [], {
        idempotent: true,
      });
      expect(next[0][0]?.id).not.toBe(id);
    });
    expect(db.stats()).toMatchObject({ active: 0, created: 2, destroyed: 1 });
  });

  it('withoutScope runs outside the scope that is open', async () => {
    await connectionScope(async () => {
      const inside = await session(db);
      expect(await db.withoutScope(() => session(db))).not.toBe(inside);
      expect(await session(db)).toBe(inside);
    });
  });
});
