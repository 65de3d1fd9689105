import type { DatabaseOptions, RetryingPooledDatabase } from '../../src/index';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { notesIn, onEachServer } from '../support/servers';
import { failure } from '../support/until';

onEachServer((bench) => {
  let proxy: FaultProxy;
  beforeEach(async () => {
    proxy = await startProxy(bench.server);
  });
  afterEach(() => proxy.close());

  const open = (
    assumeReadsIdempotent: boolean,
    more: DatabaseOptions['retry'] = {},
  ): RetryingPooledDatabase => {
    const { host, port } = proxy;
    const retry = { minDelay: 1, maxDelay: 2, assumeReadsIdempotent, ...more };
    return bench.open({ host, port, connectionLimit: 2, acquireTimeout: 10_000, retry });
  };
  const times = (text: string): number =>
    proxy.statements.filter((statement) => statement.includes(text)).length;
  const lost = {
    code: expect.stringMatching(/^(ECONNRESET|PROTOCOL_CONNECTION_LOST)$/) as unknown,
  };

  describe('retry.assumeReadsIdempotent', () => {
    it.each([
      "SELECT 'mark' AS v",
      "/* why */ (SELECT 'mark' AS v)",
      "WITH one AS (SELECT 'mark' AS v) SELECT v FROM one",
      "SELECT 'mark' AS v FROM (SELECT 'INSERT INTO') AS t FOR UPDATE",
    ])('%s, whose reply was lost, is repeated and answered', async (sql) => {
      const db = open(true);
      const trap = proxy.swallow(/mark/, 'cut');
      expect((await db.query(sql))[0]).toEqual([{ v: 'mark' }]);
      await trap.sprung;
      expect({ times: times('mark'), retries: db.stats().retries }).toEqual({
        times: 2,
        retries: 1,
      });
    });

    it.each([
      "SELECT 'mark' INTO @v",
      "SELECT id FROM notes WHERE text <> 'mark' INTO @v",
      "SELECT @v := 'mark'",
      "SELECT GET_LOCK('mark', 0)",
      "UPDATE notes SET text = 'mark'",
      "INSERT INTO notes SELECT 1, 'mark'",
      "DO 'mark'",
    ])('%s is not: it rejects with the loss', async (sql) => {
      const db = open(true);
      const trap = proxy.swallow(/mark/, 'cut');
      expect(await failure(db.query(sql))).toMatchObject(lost);
      await trap.sprung;
      expect({ times: times('mark'), retries: db.stats().retries }).toEqual({
        times: 1,
        retries: 0,
      });
    });

    it('idempotent: false of a statement wins; without the option only idempotent: true repeats', async () => {
      const assuming = open(true);
      proxy.swallow(/'one'/, 'cut');
      const sql = "SELECT 'one'";
      expect(await failure(assuming.query({ sql, idempotent: false }))).toMatchObject(lost);
      const plain = open(false);
      proxy.swallow(/'two'/, 'cut');
      expect(await failure(plain.query("SELECT 'two'"))).toMatchObject(lost);
      proxy.swallow(/'three'/, 'cut');
      await plain.query("SELECT 'three'", [], { idempotent: true });
      expect(['one', 'two', 'three'].map((mark) => times(`'${mark}'`))).toEqual([1, 1, 2]);
    });

    it('never repeats a statement inside a transaction', async () => {
      const db = open(true);
      proxy.swallow(/mark/, 'cut');
      expect(await failure(db.atomic((tx) => tx.query("SELECT 'mark'")))).toMatchObject(lost);
      proxy.swallow(/other/, 'cut');
      const declared = { sql: "SELECT 'other'", idempotent: true };
      expect(await failure(db.atomic((tx) => tx.query(declared)))).toMatchObject(lost);
      expect([times('mark'), times('other')]).toEqual([1, 1]);
    });

    it('holds for prepared statements as well', async () => {
      const db = open(true);
      await db.execute('SELECT ? AS v', [1]);
      const trap = proxy.swallow('execute', 'cut');
      expect((await db.execute('SELECT ? AS v', [2]))[0]).toEqual([{ v: 2 }]);
      await trap.sprung;
    });
  });

  describe('retries of one call', () => {
    it.each([
      [0, 1],
      [1, 2],
      [5, 6],
    ])('%d: run %d times at most, whatever retry.attempts says', async (retries, runs) => {
      const db = open(false, { attempts: 3 });
      for (let n = 0; n < runs; n++) proxy.swallow(/mark/, 'cut');
      const error = await failure(db.query("SELECT 'mark'", [], { idempotent: true, retries }));
      expect(error).toMatchObject(lost);
      expect(error['attempts']).toBe(retries === 0 ? undefined : runs);
      expect(times('mark')).toBe(runs);
      // The next one is let through, with the same or more retries.
      proxy.swallow(/next/, 'cut');
      await db.query("SELECT 'next'", [], { idempotent: true, retries: retries + 1 });
    });

    it('0 also where it is certain that nothing was done', async () => {
      const db = open(false);
      await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (1, NULL)`);
      const holder = await db.getConnection();
      await holder.beginTransaction();
      await holder.query("UPDATE notes SET text = 'held' WHERE id = 1");
      const error = await failure(
        db.query("UPDATE notes SET text = 'mine' WHERE id = 1", [], {
          retries: 0,
          timeout: 25_000,
        }),
      );
      await holder.release();
      expect(error).toMatchObject({ errno: 1205 });
      expect({ times: times("'mine'"), notes: await notesIn(bench) }).toEqual({
        times: 1,
        notes: [1],
      });
    });
  });
});
