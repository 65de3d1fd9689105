import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  FrameMismatchError,
  StatementAbortedError,
  StatementTimeoutError,
  StreamOpenError,
  connectionScope,
  releaseConnection,
} from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { patientWithAnswers } from '../support/patient-answers';
import { running } from '../support/running';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure, until } from '../support/until';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that are in use, of the heap and outside of it. */
function used(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

onEachServer((bench) => {
  patientWithAnswers();

  /** So many rows without a table. */
  const numbers = (count: number): string =>
    bench.server.flavour === 'mariadb'
      ? `SELECT seq AS n FROM seq_1_to_${count}`
      : `WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${count}) ` +
        `SELECT /*+ SET_VAR(cte_max_recursion_depth = ${count}) */ n FROM s`;

  /** The same rows, of 1 kB each: 100,000 of them are far more than the server can send to nobody. */
  const wide = (count: number): string =>
    numbers(count).replace(/\bn\b(?= FROM s\b)|seq AS n/, "$&, REPEAT('x', 1000) AS x");

  async function fill(...ids: number[]): Promise<void> {
    for (const id of ids)
      await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (?, NULL)`, [id]);
  }

  it('gives every row in order, and the connection back at the end', async () => {
    const db = bench.open({ connectionLimit: 1 });
    let expected = 0;
    for await (const { n } of db.stream<{ n: number }>(numbers(5000))) expect(n).toBe(++expected);
    expect(expected).toBe(5000);
    expect(db.stats()).toMatchObject({ active: 0, acquired: 1, created: 1 });
    await db.query('DO 0');
  });

  it('nothing is sent before the first next(), and values are bound', async () => {
    await fill(1, 2, 3);
    const db = bench.open();
    const stream = db.stream<{ id: number }>('SELECT id FROM notes WHERE id > ? ORDER BY id', [1]);
    expect(db.stats().created).toBe(0);
    // Steps asked for at once are made in order.
    const steps = await Promise.all([stream.next(), stream.next(), stream.next(), stream.next()]);
    expect(steps.map(({ value }) => (value as { id: number } | undefined)?.id)).toStrictEqual([
      2,
      3,
      undefined,
      undefined,
    ]);
  });

  it('a statement inside the loop runs on another connection, in a scope as well', async () => {
    await fill(1, 2, 3);
    const db = bench.open({ connectionLimit: 2 });
    await connectionScope(async () => {
      const mine = await session(db);
      for await (const { id } of db.stream<{ id: number }>('SELECT id FROM notes')) {
        await db.execute('UPDATE notes SET text = ? WHERE id = ?', ['seen', id]);
        expect(await session(db)).toBe(mine);
        expect(await db.manualClose()).toBe(true);
        await session(db);
      }
    });
    expect(await bench.sql(`SELECT DISTINCT text FROM ${bench.schema}.notes`)).toEqual([
      { text: 'seen' },
    ]);
  });

  it('on a pool of 1 a stream inside a scope that holds the connection says what is missing', async () => {
    const db = await bench.connected({ connectionLimit: 1, acquireTimeout: 400 });
    await connectionScope(async () => {
      await db.query('DO 0');
      const error = await failure(db.stream(numbers(5)).next());
      expect(error).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
      expect(error.message).toMatch(/stream has a connection of its own/);
    });
  });

  it.each(['break', 'return', 'throw'])(
    'left early by %s: the connection is back and fit',
    async (how) => {
      const db = bench.open({ connectionLimit: 1 });
      const stream = db.stream<{ n: number }>(wide(100_000));
      const loop = async (): Promise<void> => {
        for await (const { n } of stream) {
          if (n < 3) continue;
          if (how === 'break') break;
          if (how === 'return') return;
          throw new Error('mine');
        }
      };
      await loop().catch((error: unknown) => expect(error).toMatchObject({ message: 'mine' }));
      expect(db.stats().active).toBe(0);
      expect(await stream.next()).toEqual({ done: true, value: undefined });
      const [rows] = await db.query('SELECT 1 AS one');
      expect(rows).toEqual([{ one: 1 }]);
    },
  );

  it('left while the server works on: stopped there, the connection used again', async () => {
    await fill(1, 2, 3);
    const db = bench.open({ connectionLimit: 1 });
    // So long that the server sends what it has.
    const slow = "SELECT id, REPEAT('x', 100000), SLEEP(IF(id > 1, 60, 0)) FROM notes ORDER BY id";
    for await (const row of db.stream(slow)) {
      expect(row['id']).toBe(1);
      break;
    }
    await until('it is gone', async () => (await running(bench, 'SLEEP')) === 0);
    await db.query('DO 0');
    expect(db.stats()).toMatchObject({ active: 0, created: 1 });
  });

  it('a slow reader holds the server back: memory stays where it is', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const before = used();
    let [seen, grown] = [0, Infinity];
    for await (const _ of db.stream(wide(60_000))) {
      if (++seen !== 10) continue;
      // Long enough for all of it to come.
      await delay(1000);
      grown = used() - before;
    }
    expect(seen).toBe(60_000);
    expect(grown / 2 ** 20).toBeLessThan(24);
  });

  it('an error of the statement is the first step’s', async () => {
    const db = bench.open({ connectionLimit: 1 });
    expect(await failure(db.stream('SELECT * FROM nowhere').next())).toMatchObject({ errno: 1146 });
    expect(await failure(db.stream('SELECT ?', 'bare' as never).next())).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
    });
    expect(await failure(db.stream('BEGIN').next())).toMatchObject({
      code: 'ERR_TRANSACTION_CONTROL',
    });
    expect(db.stats().active).toBe(0);
  });

  it('a statement without rows is run, and gives none', async () => {
    const db = bench.open();
    expect(await db.stream('INSERT INTO notes VALUES (1, NULL)').next()).toMatchObject({
      done: true,
    });
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('a time limit covers the reading, and ends it while nobody reads', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    const stream = db.stream(numbers(100_000), [], { timeout: 3000 });
    await stream.next();
    await until('the connection is back', () => db.stats().active === 0);
    await db.query('DO 0');
    const rest = async (): Promise<void> => {
      for await (const _ of stream);
    };
    expect(await failure(rest())).toBeInstanceOf(StatementTimeoutError);
  });

  it('a signal ends it', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const aborter = new AbortController();
    const loop = async (): Promise<void> => {
      for await (const _ of db.stream(wide(100_000), [], { signal: aborter.signal })) {
        aborter.abort();
      }
    };
    expect(await failure(loop())).toBeInstanceOf(StatementAbortedError);
    expect(db.stats().active).toBe(0);
    await db.query('DO 0');
  });

  it('a connection that is lost in mid-stream is an error of the loop, never a short result', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const id = await session(db);
    let seen = 0;
    const loop = async (): Promise<void> => {
      for await (const _ of db.stream(wide(100_000))) {
        if (++seen !== 10) continue;
        await bench.sql(`KILL ${id}`);
      }
    };
    await failure(loop());
    expect(db.stats().active).toBe(0);
    await db.query('DO 0');
  });

  it('until its first rows it is repeated as any statement is', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const db = bench.open({ host, port, connectionLimit: 1 });
    await db.query('DO 0');
    const lost = proxy.lose(/SELECT 5/, 'reset');
    const rows: unknown[] = [];
    for await (const row of db.stream('SELECT 5 AS n', [], { idempotent: true })) rows.push(row);
    await lost.seen;
    expect([rows, db.stats().retries]).toEqual([[{ n: 5 }], 1]);
    proxy.lose(/SELECT 6/, 'reset');
    await failure(db.stream('SELECT 6 AS n').next());
    expect(db.stats().retries).toBe(1);
    await db.end({ deadline: 0 });
    await proxy.close();
  });

  it('with retry.assumeReadsIdempotent a read is repeated after a lost answer', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const retry = { assumeReadsIdempotent: true };
    const db = bench.open({ host, port, connectionLimit: 1, retry });
    proxy.swallow('execute', 'cut');
    const rows: unknown[] = [];
    for await (const row of db.stream('SELECT 5 AS n')) rows.push(row);
    expect([rows, db.stats().retries]).toEqual([[{ n: 5 }], 1]);
    await db.end({ deadline: 0 });
    await proxy.close();
  });

  describe('inside a transaction', () => {
    it('it sees the transaction’s rows; any other statement rejects at once until it is left', async () => {
      const db = bench.open({ connectionLimit: 1 });
      await db.atomic(async (tx) => {
        await tx.query('INSERT INTO notes VALUES (1, NULL), (2, NULL), (3, NULL)');
        for await (const { id } of db.stream<{ id: number }>('SELECT id FROM notes ORDER BY id')) {
          expect(await failure(tx.query('DO 0'))).toBeInstanceOf(StreamOpenError);
          expect(await failure(db.atomic(() => db.query('DO 0')))).toBeInstanceOf(StreamOpenError);
          expect(await failure(db.stream('SELECT 1').next())).toBeInstanceOf(StreamOpenError);
          if (id === 2) break;
        }
        const ids: unknown[] = [];
        for await (const { id } of tx.stream<{ id: number }>('SELECT id FROM notes')) ids.push(id);
        expect(ids).toHaveLength(3);
        await tx.query('INSERT INTO notes VALUES (4, NULL)');
      });
      expect(await notesIn(bench)).toEqual([1, 2, 3, 4]);
    });

    it('one that is open at the end is left before COMMIT, or before ROLLBACK', async () => {
      const db = bench.open({ connectionLimit: 1 });
      await db.atomic(async (tx) => {
        await tx.query('INSERT INTO notes VALUES (1, NULL)');
        await tx.stream(wide(100_000)).next();
      });
      const mine = new Error('mine');
      const block = db.atomic(async (tx) => {
        await tx.query('INSERT INTO notes VALUES (2, NULL)');
        await db.atomic(() => db.stream(wide(100_000)).next());
        throw mine;
      });
      expect(await failure(block)).toBe(mine);
      expect([await notesIn(bench), db.stats().active]).toEqual([[1], 0]);
    });

    it('what is left of one after the block rejects', async () => {
      const db = bench.open();
      const stream = await db.atomic(async (tx) => {
        const open = tx.stream(wide(100_000));
        await open.next();
        return [open];
      });
      const rest = async (): Promise<void> => {
        for await (const _ of stream[0]!);
      };
      expect(await failure(rest())).toMatchObject({ code: 'ERR_TRANSACTION_CLOSED' });
      const unopened = await db.atomic(async (tx) => [tx.stream('SELECT 1')]);
      expect(await failure(unopened[0]!.next())).toMatchObject({ code: 'ERR_TRANSACTION_CLOSED' });
    });

    it('a generator over a stream that was begun in one block is not continued in another', async () => {
      await fill(1, 2);
      const db = bench.open();
      class Notes {
        @releaseConnection
        async *all(): AsyncGenerator {
          for await (const row of db.stream('SELECT id FROM notes')) yield row;
        }
      }
      const rows = new Notes().all();
      await db.atomic(async () => {
        await rows.next();
      });
      expect(await failure(db.atomic(() => rows.next()))).toBeInstanceOf(FrameMismatchError);
      await rows.return(undefined);
    });
  });

  it('on a connection of one’s own: others reject until it is left; release() leaves it', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const connection = await db.getConnection();
    const stream = connection.stream(wide(100_000));
    await stream.next();
    expect(await failure(connection.query('DO 0'))).toBeInstanceOf(StreamOpenError);
    expect(await failure(connection.atomic(async () => 1))).toBeInstanceOf(StreamOpenError);
    await stream.return();
    await connection.query('DO 0');
    await connection.stream(wide(100_000)).next();
    await connection.release();
    await db.query('DO 0');
    expect(db.stats()).toMatchObject({ active: 0, created: 1 });
  });
});
