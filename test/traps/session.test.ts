import * as mysql2 from 'mysql2/promise';
import { classify } from '../../src/driver/classify';
import { ConfigurationError, RetryingPooledDatabase, StatementTimeoutError } from '../../src/index';
import { startProxy } from '../support/fault-proxy';
import { patientWithAnswers } from '../support/patient-answers';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure, until } from '../support/until';

/* Traps of mysql2 that concern what a connection carries: session, prepared statements, errors. */

onEachServer((bench) => {
  patientWithAnswers();

  it('trap 05: a connection that is closed says goodbye: the server sees COM_QUIT', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const db = bench.open({ host, port, idleTimeout: 20 });
    const goodbye = proxy.saw('quit');
    await db.query('DO 0');
    await goodbye;
    await db.end();
    await proxy.close();
  });

  it('trap 07: transaction, variables, time zone and database of a borrower do not reach the next', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const first = await db.getConnection();
    const { threadId } = first;
    await first.query("SET @mine = 1, time_zone = '+05:00'");
    await first.query('USE information_schema');
    await first.beginTransaction();
    await first.query(`INSERT INTO ${bench.schema}.notes VALUES (1, NULL)`);
    await first.release();
    const second = await db.getConnection();
    const [rows] = await second.query(
      "SELECT @mine AS mine, @@time_zone <> '+05:00' AS zone, DATABASE() AS db",
    );
    expect(rows).toEqual([{ mine: null, zone: 1, db: bench.schema }]);
    expect(second.threadId).toBe(threadId);
    await second.release();
    expect(await notesIn(bench)).toEqual([]);
  });

  it('trap 07, evidence: mysql2’s pool hands the open transaction on', async () => {
    const pool = mysql2.createPool({
      ...bench.theirAddress,
      connectionLimit: 1,
    });
    const first = await pool.getConnection();
    await first.query('SET @mine = 1');
    first.release();
    const [rows] = await pool.query('SELECT @mine AS mine');
    expect(rows).toEqual([{ mine: 1 }]);
    await pool.end();
  });

  it('trap 08: a reset happens only to a dirty session, and initSql is there again after it', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const db = bench.open({ host, port, connectionLimit: 1, initSql: 'SET @who = 7' });
    const reset = proxy.saw('reset');
    let seen = false;
    void reset.then(() => {
      seen = true;
    });
    for (let round = 0; round < 3; round++) await db.execute('SELECT ?', [round]);
    await db.query('INSERT INTO notes VALUES (1, NULL)');
    expect(seen).toBe(false);
    await db.query('SET @who = 8');
    await reset;
    expect((await db.query('SELECT @who AS who'))[0]).toEqual([{ who: 7 }]);
    await db.end();
    await proxy.close();
  });

  it('trap 09: a timeout stops the statement on the server; the next borrower does not wait for it', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    const begun = performance.now();
    const error = await failure(db.query('SELECT SLEEP(60)', [], { timeout: 100 }));
    expect(error).toBeInstanceOf(StatementTimeoutError);
    await db.query('DO 0');
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(db.stats()).toMatchObject({ created: 1, active: 0 });
    // mysql2 rejects as early, but its connection works on for whoever has it next.
    const { host, port, user, password } = bench.server;
    const theirs = mysql2.createPool({ host, port, user, password, connectionLimit: 1 });
    const start = performance.now();
    await failure(theirs.query({ sql: 'SELECT SLEEP(1)', timeout: 100 }));
    await theirs.query('DO 0');
    expect(performance.now() - start).toBeGreaterThan(900);
    await theirs.end();
  });

  it('trap 17: errno that mysql2 does not name or misnames is told by number and flavour', async () => {
    const { flavour } = bench.server;
    const limit = flavour === 'mariadb' ? 'max_statement_time = 0.05' : 'max_execution_time = 50';
    const db = bench.open({ connectionLimit: 1 });
    const connection = await db.getConnection();
    await connection.query(`SET SESSION ${limit}`);
    const many = 'information_schema.COLUMNS';
    const error = await failure(
      connection.query(
        `SELECT COUNT(*) FROM ${many} a, ${many} b, ${many} c WHERE a.TABLE_NAME <> b.TABLE_NAME`,
      ),
    );
    expect(error['errno']).toBe(flavour === 'mariadb' ? 1969 : 3024);
    expect(classify(error, { flavour }).name).toBe('cancelled');
    const other = flavour === 'mariadb' ? 'mysql' : 'mariadb';
    expect(classify(error, { flavour: other }).name).not.toBe('cancelled');
    await connection.release();
    expect(db.stats().created).toBe(1);
  });

  it('trap 18: prepared statements are few per connection', async () => {
    const db = bench.open({ connectionLimit: 1, maxPreparedStatements: 5 });
    const connection = await db.getConnection();
    for (let n = 0; n < 40; n++) await connection.execute(`SELECT ? + ${n} AS v`, [1]);
    const [rows] = await connection.query(
      "SHOW SESSION STATUS WHERE Variable_name IN ('Com_stmt_prepare', 'Com_stmt_close')",
    );
    const counts = Object.fromEntries(rows.map((row) => [row['Variable_name'], row['Value']]));
    expect(Number(counts['Com_stmt_prepare'])).toBeGreaterThanOrEqual(40);
    const open = Number(counts['Com_stmt_prepare']) - Number(counts['Com_stmt_close']);
    expect(open).toBeLessThanOrEqual(6);
    await connection.release();
  });

  it('trap 19: a handle the server forgot is prepared again, and its cache is not poisoned', async () => {
    const db = bench.open({ connectionLimit: 1, resetOnRelease: 'never' });
    const connection = await db.getConnection();
    await connection.execute('SELECT ? AS v', [1]);
    await connection.release();
    // A reset drops every prepared statement on the server.
    const always = bench.open({ connectionLimit: 1, resetOnRelease: 'always' });
    for (let round = 0; round < 3; round++) {
      expect((await always.execute('SELECT ? AS v', [round]))[0]).toEqual([{ v: round }]);
    }
    expect(always.stats().created).toBe(1);
  });

  it('trap 24: a server that refused is tried again; nothing is given up for good', async () => {
    const proxy = await startProxy(bench.server);
    const { host, port } = proxy;
    const db = bench.open({ host, port, acquireTimeout: 60 });
    proxy.refuse();
    for (let n = 0; n < 10; n++) await failure(db.query('DO 0'));
    expect((await db.health({ within: 50 })).ready).toBe(false);
    await proxy.heal();
    await until('it is ready again', async () => (await db.health({ within: 5000 })).ready);
    expect((await db.health({ within: 15_000 })).reasons).toEqual([]);
    await db.end();
    await proxy.close();
  });

  // The other half, a server that is read-only, is in failover.test.ts: it needs one of our own.
  it('trap 25: 1792 has innocent causes: READ ONLY that the caller set, or atomic() was asked for, is no failover', async () => {
    const db = bench.open({ connectionLimit: 1, acquireTimeout: 15_000 });
    const before = await session(db);
    // An innocent 1792: the caller's own READ ONLY. It is an error, once, on the same connection.
    const connection = await db.getConnection();
    await connection.query('SET SESSION TRANSACTION READ ONLY');
    expect(await failure(connection.query('INSERT INTO notes VALUES (1, NULL)'))).toMatchObject({
      errno: 1792,
    });
    expect(connection.threadId).toBe(before);
    await connection.release();
    // And its own: a transaction that is to change nothing.
    const write = (): Promise<unknown> => db.query('INSERT INTO notes VALUES (1, NULL)');
    for (const retries of [0, 3]) {
      expect(await failure(db.atomic(write, { readOnly: true, retries }))).toMatchObject({
        errno: 1792,
      });
    }
    expect(await session(db)).toBe(before);
    expect(db.stats()).toMatchObject({ retries: 0, created: 1, destroyed: 0 });
    expect(await notesIn(bench)).toEqual([]);
    await write();
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('trap 26: mysql2’s stack per call is off unless asked for', async () => {
    const plain = bench.open();
    const traced = bench.open({ trace: true });
    const bad = 'SELECT * FROM nowhere';
    expect((await failure(plain.query(bad)))['errno']).toBe(1146);
    expect((await failure(traced.query(bad)))['errno']).toBe(1146);
    expect(() => new RetryingPooledDatabase({ trace: 'yes' as never })).toThrow(ConfigurationError);
  });
});
