import { StatementAbortedError, StatementTimeoutError } from '../../src/index';
import { patientWithAnswers } from '../support/patient-answers';
import { running, elapsed } from '../support/running';
import { notesIn, onEachServer, session } from '../support/servers';
import { failure, until } from '../support/until';

/* A slow statement that a KILL ends, and that both flavours answer with an error. */
const SLOW = 'SELECT COUNT(*) FROM notes a WHERE SLEEP(60) = 0 AND a.id >= 0';

onEachServer((bench) => {
  patientWithAnswers();

  /** Rows so that SLOW has something to sleep over. */
  const fill = (): Promise<unknown> =>
    bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (900, NULL)`);

  it('a statement with a time limit is gone from the server, its connection is used again', async () => {
    const db = await bench.connected({ connectionLimit: 1 });
    const id = await session(db);
    const took = await elapsed(async () => {
      const error = await failure(db.query('SELECT SLEEP(60)', [], { timeout: 200 }));
      expect(error).toBeInstanceOf(StatementTimeoutError);
      expect(error).toMatchObject({ message: expect.stringContaining('200 ms') as string });
    });
    expect(took).toBeGreaterThan(190);
    expect(took).toBeLessThan(20_000);
    await until('gone from PROCESSLIST', async () => (await running(bench, 'SLEEP(60)')) === 0);
    expect(await session(db)).toBe(id);
    expect(db.stats()).toMatchObject({ created: 1, active: 0, auxiliary: 1 });
  });

  it('the same with all connections of the pool busy in the same way', async () => {
    const db = bench.open({ connectionLimit: 4 });
    const took = await elapsed(async () => {
      const all = Array.from({ length: 4 }, () =>
        failure(db.query('SELECT SLEEP(60)', [], { timeout: 200 })),
      );
      for (const error of await Promise.all(all))
        expect(error).toBeInstanceOf(StatementTimeoutError);
    });
    expect(took).toBeLessThan(20_000);
    await until('gone from PROCESSLIST', async () => (await running(bench, 'SLEEP(60)')) === 0);
    expect(db.stats()).toMatchObject({ active: 0, waiting: 0 });
    await db.query('DO 0');
  });

  it('no innocent statement is hit: those that follow on the same connection all succeed', async () => {
    const db = bench.open({ connectionLimit: 2 });
    for (let round = 0; round < 40; round++) {
      // About as long as its limit, so that the KILL often comes too late.
      const close = db.query('SELECT SLEEP(0.02)', [], { timeout: 20 }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(StatementTimeoutError);
      });
      await close;
      await Promise.all([db.query('SELECT SLEEP(0.003)'), db.query('SELECT SLEEP(0.003)')]);
    }
  }, 120_000);

  it('outcome: an update that was stopped has no effect', async () => {
    await fill();
    const db = bench.open();
    const blocker = await db.getConnection();
    await blocker.beginTransaction();
    await blocker.query('SELECT * FROM notes FOR UPDATE');
    // There is a connection for it, so that its time is not over before it was sent.
    await db.query('DO 0');
    const update = db.query("UPDATE notes SET text = 'changed'", [], { timeout: 300 });
    expect(await failure(update)).toMatchObject({ outcome: 'notExecuted' });
    await blocker.rollback();
    await blocker.release();
    expect(await bench.sql(`SELECT text FROM ${bench.schema}.notes`)).toEqual([{ text: null }]);
  });

  it('while it waits for a connection: notExecuted, and the cause says what it waited for', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const taken = await db.getConnection();
    const error = await failure(db.query('DO 0', [], { timeout: 50, label: 'report' }));
    expect(error).toBeInstanceOf(StatementTimeoutError);
    expect(error).toMatchObject({
      outcome: 'notExecuted',
      message: expect.stringMatching(/50 ms of this statement 'report'/) as string,
      cause: { code: 'ERR_POOL_EXHAUSTED' },
    });
    expect(db.stats().waiting).toBe(0);
    await taken.release();
  });

  it('acquireTimeout before the limit: PoolExhaustedError', async () => {
    const db = await bench.connected({ connectionLimit: 1, acquireTimeout: 400 });
    const taken = await db.getConnection();
    const error = await failure(db.query('DO 0', [], { timeout: 60_000 }));
    expect(error).toMatchObject({ code: 'ERR_POOL_EXHAUSTED' });
    await taken.release();
  });

  it('a signal stops a statement; its reason is the cause', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const aborter = new AbortController();
    const statement = failure(db.query('SELECT SLEEP(60)', [], { signal: aborter.signal }));
    await until('it runs', async () => (await running(bench, 'SLEEP(60)')) === 1);
    const reason = new Error('the browser is gone');
    aborter.abort(reason);
    const error = await statement;
    expect(error).toBeInstanceOf(StatementAbortedError);
    expect(error['cause']).toBe(reason);
    expect(await failure(db.query('DO 0', [], { signal: aborter.signal }))).toMatchObject({
      outcome: 'notExecuted',
    });
    await db.query('DO 0');
    expect(db.stats().created).toBe(1);
  });

  it('the database’s timeout holds for every statement that does not say otherwise', async () => {
    const db = await bench.connected({ timeout: 300, connectionLimit: 1 });
    expect(await failure(db.execute('SELECT SLEEP(60)'))).toBeInstanceOf(StatementTimeoutError);
    await db.execute('SELECT SLEEP(0.5)', [], { timeout: 0 });
    await db.atomic(async () => {
      expect(await failure(db.query('SELECT SLEEP(60)'))).toBeInstanceOf(StatementTimeoutError);
      await db.query('INSERT INTO notes VALUES (1, NULL)', [], { timeout: 0 });
    });
    expect(await notesIn(bench)).toEqual([1]);
    const connection = await db.getConnection();
    expect(await failure(connection.query('SELECT SLEEP(60)'))).toBeInstanceOf(
      StatementTimeoutError,
    );
    await connection.release();
  });

  it('in a transaction only the statement is stopped; the transaction goes on', async () => {
    const db = bench.open();
    await db.atomic(async (tx) => {
      await tx.query('INSERT INTO notes VALUES (1, NULL)');
      const slow = tx.query('INSERT INTO notes SELECT 2, SLEEP(60) FROM notes', [], {
        timeout: 100,
      });
      const error = await failure(slow);
      expect(error).toBeInstanceOf(StatementTimeoutError);
      await tx.query('INSERT INTO notes VALUES (3, NULL)');
    });
    const notes = await notesIn(bench);
    expect(notes).toEqual(expect.arrayContaining([1, 3]));
  });

  it('a slow statement that nobody limits is left alone by limits of others', async () => {
    await fill();
    const db = bench.open({ connectionLimit: 3 });
    const patient = db.query('SELECT SLEEP(0.4) AS done');
    const others = Array.from({ length: 2 }, () => failure(db.query(SLOW, [], { timeout: 100 })));
    await Promise.all(others);
    expect((await patient)[0]).toEqual([{ done: 0 }]);
  });
});
