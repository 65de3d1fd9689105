import { RetryingPooledDatabase, install } from '../../src/index';
import { Cli, call, urlOf, type CliRun } from '../support/cli';
import { onEachServer } from '../support/servers';

const cli = new Cli();

/** Of a check: its level and what was found. */
function found({ json }: CliRun, check: string): { level: string; found: string; advice?: string } {
  const [first] = json.findings.filter((one: { check: string }) => one.check === check);
  return first;
}

onEachServer((bench) => {
  const url = urlOf(bench.server, bench.schema);
  const users: string[] = [];

  /** An account that has these rights on the workbench's database, and no others. */
  async function account(rights: string, limit = ''): Promise<string> {
    const user = `u${users.length}_${bench.schema.slice(2)}`;
    await bench.sql(`CREATE USER '${user}'@'%' IDENTIFIED BY 'p@ss word' ${limit}`);
    users.push(user);
    await bench.sql(`GRANT ${rights} ON ${bench.schema}.* TO '${user}'@'%'`);
    return urlOf({ ...bench.server, user, password: 'p@ss word' }, bench.schema);
  }

  afterEach(async () => {
    for (const user of users.splice(0)) await bench.sql(`DROP USER '${user}'@'%'`);
  });

  it('a server as it is usually set up has no problem, and all is said of it', async () => {
    const run = await cli.run(['doctor', '--json'], { url });
    expect(run.code).toBe(0);
    expect(run.json.summary).toMatchObject({ problem: 0, warning: 0 });
    expect(run.json.findings.map(({ check }: { check: string }) => check)).toEqual([
      'server',
      'topology',
      'read-only',
      'skip-locked',
      'privileges',
      'tables',
      'connections',
      'kill',
      'wait-timeout',
      'lock-wait',
      'rollback-on-timeout',
      'packet',
      'tls',
      'charset',
      'sql-mode',
      'isolation',
      'session-tracking',
      'clock',
      'time-zone',
    ]);
    const { flavour, name } = bench.server;
    expect(found(run, 'server').found.toLowerCase()).toBe(
      `${flavour} ${/\d+\.\d+\.\d+/.exec(name)![0]}`,
    );
    expect(found(run, 'kill').level).toBe('ok');
    expect(found(run, 'session-tracking').level).toBe('ok');
    expect(found(run, 'skip-locked').level).toBe('ok');
    expect(found(run, 'isolation')).toMatchObject({ level: 'note', found: 'REPEATABLE READ' });
    expect(found(run, 'clock').advice).toMatch(/of no matter/i);
    expect(found(run, 'time-zone').advice).toMatch(/of no matter/i);
  });

  it('the text has the same, in columns, and the password nowhere', async () => {
    const { code, stdout, stderr } = await cli.run(['doctor'], { url });
    expect(code).toBe(0);
    expect(stdout).toContain(
      `${bench.server.user}@${bench.server.host}:${bench.server.port}/${bench.schema}`,
    );
    expect(stdout).toMatch(/^ok {7}read-only {12}takes writes$/m);
    expect(stdout).toMatch(/^\d+ ok, \d+ notes, 0 warnings, 0 problems$/m);
    expect(stdout + stderr).not.toContain(bench.server.password);
    // Not on a terminal: no colours.
    expect(stdout).not.toContain('\x1b');
  });

  it('what the URL sets up for sessions is what is looked at', async () => {
    const initSql = encodeURIComponent('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
    const options = `?connectionLimit=3&minIdle=2&initSql=${initSql}&rowsAsArray=true&typeCast=false`;
    const run = await call(['doctor', '--json'], {
      url: urlOf(bench.server, bench.schema, options),
    });
    expect(run.code).toBe(0);
    expect(found(run, 'isolation')).toEqual({
      check: 'isolation',
      level: 'ok',
      found: 'READ COMMITTED',
    });
    expect(found(run, 'connections').found).toMatch(/^1 × 3 = 3 connections planned/);
  });

  it('a wrong password is told as such, with exit code 3', async () => {
    const wrong = urlOf({ ...bench.server, password: 'not-this-one' }, bench.schema);
    const run = await call(['doctor', '--json'], { url: wrong });
    expect(run.code).toBe(3);
    expect(run.json.findings).toHaveLength(1);
    expect(found(run, 'session')).toMatchObject({ level: 'problem' });
    expect(found(run, 'session').found).toMatch(/refused the login: a wrong password/);
    expect(run.stdout + run.stderr).not.toContain('not-this-one');
    const other = await call(['locks', 'ls', '--json'], { url: wrong });
    expect(other.code).toBe(3);
    expect(other.json.error).toMatchObject({ code: 'ERR_UNREACHABLE' });
  });

  it('an encrypted session is told as such, and so is one that cannot be had', async () => {
    const ssl = encodeURIComponent('{"rejectUnauthorized":false}');
    const run = await call(['doctor', '--json'], {
      url: urlOf(bench.server, bench.schema, `?ssl=${ssl}`),
    });
    // This MariaDB was started without a certificate, and MySQL makes one for itself.
    if (bench.server.flavour === 'mysql') {
      expect(found(run, 'tls').found).toMatch(/^encrypted, TLSv1\.\d with \w+$/);
      const strict = await call(['doctor', '--json'], {
        url: urlOf(bench.server, bench.schema, '?ssl={}'),
      });
      expect([strict.code, found(strict, 'session').found]).toEqual([
        3,
        expect.stringMatching(/^the encrypted connection could not be made/),
      ]);
    } else if (run.code === 3) {
      expect(found(run, 'session').found).toMatch(/^the encrypted connection could not be made/);
    } else {
      expect(found(run, 'tls').found).toMatch(/^encrypted, TLS/);
    }
  });

  it('a server on which no database is chosen has no place for the tables', async () => {
    const run = await call(['doctor', '--json'], { url: urlOf(bench.server, '') });
    expect([run.code, found(run, 'database').level]).toEqual([1, 'problem']);
    expect((await call(['install'], { url: urlOf(bench.server, '') })).code).toBe(1);
  });

  it('a database that is not there is told as such', async () => {
    const run = await call(['doctor', '--json'], { url: urlOf(bench.server, 'not_there') });
    expect(run.code).toBe(3);
    expect(found(run, 'session').found).toMatch(/not to this database/);
  });

  it('an account without privileges has problems, and is told which', async () => {
    const run = await call(['doctor', '--json'], { url: await account('EXECUTE') });
    expect(run.code).toBe(1);
    expect(found(run, 'privileges')).toMatchObject({
      level: 'problem',
      found: 'the account has no CREATE, SELECT, INSERT, UPDATE, DELETE here',
    });
    // It may stop its own statements all the same.
    expect(found(run, 'kill').level).toBe('ok');
    const refused = await call(['install', '--json'], { url: await account('SELECT') });
    expect(refused.code).toBe(1);
    expect(refused.json.error.message).toMatch(/1142/);
  });

  it('tables are told by their versions, and install brings them up', async () => {
    const db = new RetryingPooledDatabase({ ...bench.address });
    await install(db, { prefix: 'v_' });
    await db.end();
    const args = ['doctor', '--json', '--prefix', 'v_'];
    const versions = `${bench.schema}.v_schema`;
    expect(found(await call(args, { url }), 'tables').level).toBe('ok');

    // Whoever only reads and writes rows needs no more, once they are there.
    const writer = await call(args, { url: await account('SELECT, INSERT, UPDATE, DELETE') });
    expect(writer.code).toBe(0);
    expect(found(writer, 'privileges')).toMatchObject({ level: 'note' });

    await bench.sql(`UPDATE ${versions} SET version = 0 WHERE name = 'locks'`);
    const older = await call(args, { url });
    expect(older.code).toBe(1);
    expect(found(older, 'tables').found).toBe('of an older version: v_locks (0, wanted 1)');
    expect(found(older, 'tables').advice).toMatch(/mysql-boomerang install/);

    const installed = await call(['install', '--json', '--prefix', 'v_'], { url });
    expect(installed.code).toBe(0);
    expect(installed.json.tables).toContainEqual({
      table: 'v_locks',
      done: 'upgraded',
      from: 0,
      version: 1,
    });
    expect((await call(args, { url })).code).toBe(0);

    await bench.sql(`DROP TABLE ${bench.schema}.v_cache_tags`);
    const dropped = await call(args, { url });
    expect(dropped.code).toBe(1);
    expect(found(dropped, 'tables').found).toBe('missing: v_cache_tags');
    // Somebody who uses the locks alone, as autoInstall leaves it.
    await bench.sql(`DROP TABLE ${bench.schema}.v_cache`);
    await bench.sql(`DELETE FROM ${versions} WHERE LEFT(name, 5) = 'cache'`);
    const unused = await call(args, { url });
    expect([unused.code, found(unused, 'tables')]).toMatchObject([
      0,
      { level: 'note', found: 'not installed: v_cache, v_cache_tags' },
    ]);

    await bench.sql(`ALTER TABLE ${bench.schema}.v_locks ENGINE = MyISAM`);
    const alien = await call(args, { url });
    expect([alien.code, found(alien, 'tables').found]).toEqual([1, 'not InnoDB: v_locks']);

    await bench.sql(`UPDATE ${versions} SET version = 99 WHERE name = 'locks'`);
    const newer = await call(args, { url });
    expect(newer.code).toBe(1);
    expect(found(newer, 'tables').found).toBe('of a newer version: v_locks (99, wanted 1)');
    expect((await call(['install', '--prefix', 'v_'], { url })).code).toBe(1);
  });

  it('a fleet that the server cannot serve is a problem', async () => {
    const fleet = ['--processes', '20', '--connection-limit', '10'];
    const run = await call(['doctor', '--json', ...fleet], { url });
    expect(run.code).toBe(1);
    expect(found(run, 'connections').level).toBe('problem');
    expect(found(run, 'connections').found).toMatch(/20 × 10 = 200 .* max_connections 151/);
    const limited = await account('ALL', 'WITH MAX_USER_CONNECTIONS 8');
    const own = await call(['doctor', '--json'], { url: limited });
    expect(own.code).toBe(1);
    expect(found(own, 'user-connections').found).toMatch(/the account may have 8/);
  });
});

it('where nothing listens that is said at once, with exit code 3', async () => {
  const begun = performance.now();
  const run = await call(['doctor', '--json'], { url: 'mysql://root:secret@127.0.0.1:1/app' });
  expect(run.code).toBe(3);
  expect(found(run, 'session').found).toBe('nothing listens there (ECONNREFUSED)');
  expect(run.stdout).not.toContain('secret');
  expect(performance.now() - begun).toBeLessThan(8000);
});
