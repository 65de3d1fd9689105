import { StatementTimeoutError } from '../../src/index';
import { onEachServer } from '../support/servers';
import { failure, longEnough } from '../support/until';

/** CALL, of which a part stands when it fails. */
onEachServer((bench) => {
  beforeAll(async () => {
    const { schema } = bench;
    await bench.sql(`CREATE TABLE ${schema}.log (n INT)`);
    await bench.sql(
      `CREATE PROCEDURE ${schema}.deadlocked() BEGIN INSERT INTO ${schema}.log VALUES (1); ` +
        "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock'; END",
    );
    await bench.sql(
      `CREATE PROCEDURE ${schema}.slow() BEGIN INSERT INTO ${schema}.log VALUES (2); ` +
        `SELECT COUNT(*) FROM ${schema}.log WHERE SLEEP(60) = 0; END`,
    );
  });
  beforeEach(() => bench.sql(`DELETE FROM ${bench.schema}.log`));
  const logged = async (): Promise<number> =>
    (await bench.sql(`SELECT n FROM ${bench.schema}.log`)).length;

  it('is not repeated by itself after a deadlock; declared idempotent, it is', async () => {
    const db = bench.open({ retry: { minDelay: 1, maxDelay: 2 } });
    for (const sql of ['CALL deadlocked()', '/* why */ call deadlocked()']) {
      await bench.sql(`DELETE FROM ${bench.schema}.log`);
      expect(await failure(db.query(sql))).toMatchObject({ errno: 1213 });
      expect(await failure(db.stream(sql).next())).toMatchObject({ errno: 1213 });
      expect(await logged()).toBe(2);
    }
    await failure(db.query('CALL deadlocked()', [], { idempotent: true }));
    expect(await logged()).toBe(5);
  });

  it('stopped by a limit: outcome unknown', async () => {
    const db = await bench.connected();
    await longEnough(async (timeout) => {
      const error = await failure(db.query('CALL slow()', [], { timeout }));
      if ((await logged()) === 0) return false;
      expect(await logged()).toBe(1);
      expect([error.constructor, error['outcome']]).toEqual([StatementTimeoutError, 'unknown']);
      return true;
    });
  });
});
