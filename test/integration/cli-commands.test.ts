import { once } from 'node:events';
import { DistributedLocks, RetryingPooledDatabase, install, installSql } from '../../src/index';
import { Sessions, type OpenTransactions, type Session } from '../../src/cli/sessions';
import { Cli, call, urlOf } from '../support/cli';
import { Workbench, onEachServer, session, testServers } from '../support/servers';
import { running } from '../support/running';
import { until } from '../support/until';

const cli = new Cli();

onEachServer((bench) => {
  const url = urlOf(bench.server, bench.schema);
  const tables = async (prefix: string): Promise<number> => {
    const sql =
      'SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND LEFT(TABLE_NAME, ?) = ?';
    const [row] = await bench.sql(sql, [bench.schema, prefix.length, prefix]);
    return Number(row?.['n']);
  };

  it('install makes the tables once, and says what it did', async () => {
    const first = await cli.run(['install'], { url });
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^boomerang_locks +1 {2}created$/m);
    expect(first.stdout).toMatch(/^\d+ tables? changed, 0 as they were$/m);
    const second = await call(['install', '--json'], { url });
    expect(second.json.tables.map(({ done }: { done: string }) => done)).not.toContain('created');
  });

  it('what install --print writes makes the same tables', async () => {
    const { code, stdout } = await call(['install', '--print', '--prefix', 'printed_']);
    expect(code).toBe(0);
    const statements = stdout.split(';\n').slice(0, -1);
    expect(statements).toEqual(installSql({ prefix: 'printed_' }));
    for (const sql of statements)
      await bench.sql(sql.replace(/`printed_/g, `${bench.schema}.\`printed_`));
    expect(await tables('printed_')).toBe(await tables('boomerang_'));
    const { json } = await call(['install', '--json', '--prefix', 'printed_'], { url });
    expect(new Set(json.tables.map(({ done }: { done: string }) => done))).toEqual(
      new Set(['unchanged']),
    );
  });

  it('locks are listed with their holders, and taken away only where it is meant', async () => {
    const locks = new DistributedLocks(bench.open());
    await Promise.all([
      locks.acquire('nightly report', { meta: { job: 7 } }),
      locks.acquire('with\x1b[31mcolour'),
    ]);
    const listed = await call(['locks', 'ls'], { url });
    expect(listed.stdout).toMatch(
      new RegExp(`^nightly report +\\S+:${process.pid} +.* m?s +\\d+\\.?\\d* s +\\d{16}$`, 'm'),
    );
    expect(listed.stdout).toContain('with\\u{1b}[31mcolour');
    expect(listed.stdout).not.toContain('\x1b');
    expect(listed.stdout).toMatch(/^2 locks held$/m);
    const { json } = await call(['locks', 'ls', '--json', '--meta'], { url });
    expect(json.locks[0]).toMatchObject({
      name: 'nightly report',
      pid: process.pid,
      meta: { job: 7 },
    });

    const dry = await call(['locks', 'release', 'nightly report', '--dry-run'], { url });
    expect([dry.code, await locks.isLocked('nightly report')]).toEqual([0, true]);
    const done = await call(['locks', 'release', 'nightly report', 'nobody has it', '--json'], {
      url,
    });
    expect(done.code).toBe(1);
    expect(done.json.locks).toEqual([
      { name: 'nightly report', outcome: 'released' },
      { name: 'nobody has it', outcome: 'free' },
    ]);
    expect(await locks.isLocked('nightly report')).toBe(false);
    await locks.close();
  });

  it('without the tables the commands that need them say so, with exit code 1', async () => {
    const { code, stderr } = await call(['locks', 'ls', '--prefix', 'nowhere_'], { url });
    expect(code).toBe(1);
    expect(stderr).toMatch(/nowhere_locks.*missing[^]*mysql-boomerang install/);
  });

  it('status shows the server and the tables', async () => {
    const { code, json } = await call(['status', '--json'], { url });
    expect(code).toBe(0);
    expect(json).toMatchObject({ server: { readOnly: false }, locks: { held: 0 } });
    expect(json.connections.connected).toBeGreaterThan(0);
    expect(json.tables).toContainEqual(
      expect.objectContaining({ table: 'boomerang_locks', state: 'current', engine: 'InnoDB' }),
    );
    const { stdout } = await call(['status'], { url });
    expect(stdout).toMatch(/^boomerang_locks +1 +\d+ +[\d.]+ KiB$/m);
  });

  /** A statement that runs until it is told to end. */
  async function working(db: RetryingPooledDatabase): Promise<{ end: () => Promise<unknown> }> {
    const name = `${bench.schema} works`;
    await bench.sql('SELECT GET_LOCK(?, 60)', [name]);
    const works = db.query('SELECT GET_LOCK(?, 60)', [name]);
    await until('it works', async () => (await running(bench, `'${name}', 60`)) === 1);
    return {
      async end() {
        await bench.sql('SELECT RELEASE_LOCK(?)', [name]);
        return works;
      },
    };
  }

  /** The sessions that kill-idle would end. */
  async function found(...more: string[]): Promise<number[]> {
    const args = ['kill-idle', '--older-than', '0s', '--dry-run', '--json', ...more];
    const { json } = await call(args, { url });
    return (json.sessions ?? []).map(({ id }: { id: number }) => id);
  }

  it('kill-idle ends the sessions that are idle, and no others', async () => {
    const idle = bench.open({ keepaliveInterval: 0 });
    const id = await session(idle);
    const other = new RetryingPooledDatabase({ ...bench.address, database: 'information_schema' });
    const elsewhere = await session(other);
    const busy = await working(bench.open());

    await until('it is found idle', async () => (await found()).includes(id));
    expect(await bench.sessions()).toContain(id);
    const late = await call(['kill-idle', '--older-than', '1h', '--json'], { url });
    expect(late.json.sessions).toEqual([]);

    const { code, json } = await call(['kill-idle', '--older-than', '0s', '--json'], { url });
    expect(code).toBe(0);
    expect(json.sessions).toContainEqual(expect.objectContaining({ id, outcome: 'ended' }));
    await until('it is gone', async () => !(await bench.sessions()).includes(id));
    // The one in another database, and the one that works, go on.
    expect(await session(other)).toBe(elsewhere);
    await busy.end();
    // The pool finds out by itself.
    await until('the pool has noticed', () => idle.stats().total === 0);
    expect(await session(idle)).not.toBe(id);
    await other.end();
  });

  it('a session that begins to work between the look and the end is left alone', async () => {
    const db = bench.open({ connectionLimit: 1, validateAfter: 0 });
    const id = await session(db);
    await using sessions = await Sessions.of(bench.open());
    // The list may be a moment behind the answer.
    let idle: Session | undefined;
    await until('it is idle', async () => {
      idle = (await sessions.list()).find((one) => one.id === id);
      return idle?.isIdle === true;
    });
    expect(idle).toMatchObject({ isIdle: true, database: bench.schema });
    const busy = await working(db);
    expect(await sessions.end(idle!, ({ isIdle }) => isIdle)).toBe('active');
    await busy.end();
    expect(await session(db)).toBe(id);
    const isMeant = ({ isIdle }: { isIdle: boolean }): boolean => isIdle;
    await until('it is ended', async () => (await sessions.end(idle!, isMeant)) === 'ended');
    await until('it is gone', async () => !(await bench.sessions()).includes(id));
    expect(await sessions.end(idle!, () => true)).toBe('gone');
  });

  describe('open transactions', () => {
    /**
     * Asks for them again and again. Tells in the end whether it was each time within the 100 ms in which
     * InnoDB repeats itself.
     */
    const asking = async (): Promise<{ stop: () => Promise<boolean> }> => {
      let [asks, longest] = [true, 0];
      let before = Infinity;
      const ask = async (): Promise<void> => {
        const begun = performance.now();
        await bench.sql('SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX');
        longest = Math.max(longest, performance.now() - before);
        before = begun;
      };
      await ask();
      const done = (async () => {
        while (asks) await ask();
      })();
      return {
        async stop() {
          asks = false;
          await done;
          return longest < 100;
        },
      };
    };
    const opened = async () => {
      const one = await bench.open().getConnection();
      await one.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
      return one;
    };

    it('are those of now, whoever has asked just before', async () => {
      await using sessions = await Sessions.of(bench.open());
      // As it stands in what InnoDB gives again.
      await (await asking()).stop();
      const one = await opened();
      const isOpen = async (): Promise<boolean> =>
        ((await sessions.transactions()) as OpenTransactions).has(one.threadId);
      expect(await isOpen()).toBe(true);
      await one.rollback();
      expect(await isOpen()).toBe(false);
      await one.release();
    });

    it('that are not to be seen are no reason to end a session', async () => {
      const args = ['kill-idle', '--older-than', '0s', '--in-transaction'];
      let wereUnseen = false;
      // Where the one who asks had to pause, what is open was to be seen.
      while (!wereUnseen) {
        const other = await asking();
        const one = await opened();
        const { code, stderr, stdout } = await call(args, { url });
        wereUnseen = await other.stop();
        if (wereUnseen) {
          expect([code, stdout]).toEqual([1, '']);
          expect(stderr).toContain('no session was ended');
          await one.query('DO 1');
        }
        await one.release();
      }
    }, 120_000);
  });

  it('kill-idle --in-transaction ends what keeps rows locked', async () => {
    const db = bench.open();
    const open = await db.getConnection();
    const quiet = await db.getConnection();
    const numberOf = async (one: typeof open): Promise<number> => {
      const [rows] = await one.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id');
      return rows[0]!.id;
    };
    const [mine, not] = [await numberOf(open), await numberOf(quiet)];
    await open.beginTransaction();
    await open.query('INSERT INTO notes VALUES (7, NULL)');
    const inTransaction = (): Promise<number[]> => found('--in-transaction');
    await until('it is found idle', async () => (await inTransaction()).includes(mine));
    const args = ['kill-idle', '--older-than', '0s', '--in-transaction', '--json'];
    const { json } = await call(args, { url });
    expect(json.sessions).toEqual([expect.objectContaining({ id: mine, outcome: 'ended' })]);
    await until('it is gone', async () => !(await bench.sessions()).includes(mine));
    expect(await bench.sessions()).toContain(not);
    await Promise.all([open.release(), quiet.release()]);
    expect(await bench.sql(`SELECT * FROM ${bench.schema}.notes`)).toEqual([]);
  });
});

/* The process itself, on one server. */
describe('status --watch', () => {
  it('goes on until Ctrl-C, which is its ordinary end', async () => {
    const bench = new Workbench(testServers()[0]!);
    await bench.setUp();
    const db = bench.open();
    await install(db);
    const args = ['status', '--watch', '--interval', '100ms', '--json'];
    const child = cli.start(args, { url: urlOf(bench.server, bench.schema) });
    const ended = once(child, 'close');
    let said = '';
    child.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('it has looked three times', () => said.split('\n').length > 3, 40_000);
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    const lines = said.trim().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ locks: { held: 0 } });
    await until('its session is closed', async () => (await bench.sessions()).length <= 1);
    await bench.endDatabases();
    await bench.tearDown();
  }, 60_000);
});
