import * as mysql2 from 'mysql2';
import { running } from '../support/running';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

/* Traps of mysql2 that concern results which are not taken at once, and commands that wait for each other. */

onEachServer((bench) => {
  const MANY =
    'SELECT a.COLUMN_NAME FROM information_schema.COLUMNS a, information_schema.COLUMNS b LIMIT 100000';

  it('trap 21: a stream that nobody reads to its end does not hang the next borrower', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const connection = await db.getConnection();
    await connection.stream(MANY).next();
    await connection.release();
    expect((await db.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    // Dropped without a release: collected, reclaimed, reported is proved with the leaks.

    const theirs = mysql2.createPool({ ...bench.theirAddress, connectionLimit: 1 });
    const held = await new Promise<mysql2.PoolConnection>((resolve, reject) =>
      theirs.getConnection((error, taken) => (error === null ? resolve(taken) : reject(error))),
    );
    const rows = held.query(MANY).stream({ highWaterMark: 1 });
    await new Promise((resolve) => rows.once('readable', resolve));
    held.release();
    const answered = new Promise<string>((resolve) =>
      theirs.query('DO 0', () => resolve('answered')),
    );
    const silence = new Promise<string>((resolve) => setTimeout(() => resolve('silence'), 500));
    expect(await Promise.race([answered, silence])).toBe('silence');
    held.destroy();
    await new Promise<void>((resolve) => theirs.end(() => resolve()));
  });

  it('trap 22: without pipelining no statement waits for a stranger’s: each has a connection', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const other = await bench.open().getConnection();
    await other.query('LOCK TABLES notes WRITE');
    const all = Array.from({ length: 4 }, () => db.query('SELECT COUNT(*) FROM notes'));
    await until('all run', async () => (await running(bench, 'SELECT COUNT(*) FROM notes')) === 4);
    await other.query('UNLOCK TABLES');
    await other.release();
    await Promise.all(all);
    expect(db.stats().created).toBe(4);
    // One connection of mysql2's runs what it is given one after the other, and so do ours, in order.
    const connection = await db.getConnection();
    const order: number[] = [];
    await Promise.all(
      [0.05, 0.01, 0].map((seconds, at) =>
        connection.query('SELECT SLEEP(?)', [seconds]).then(() => order.push(at)),
      ),
    );
    expect(order).toEqual([0, 1, 2]);
    await connection.release();
  });
});
