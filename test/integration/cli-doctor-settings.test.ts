import { createConnection, type Connection } from 'mysql2/promise';
import { call, urlOf, type CliRun } from '../support/cli';
import { onEachPrivateServer } from '../support/private-servers';
import { until } from '../support/until';

const LIMIT = 10;

function findings({ json }: CliRun): Record<string, string> {
  return Object.fromEntries(
    json.findings.map(({ check, level }: { check: string; level: string }) => [check, level]),
  );
}

/* Servers with few connections, and with settings that only a start can change. */
onEachPrivateServer([`--max_connections=${LIMIT}`, '--innodb_rollback_on_timeout=ON'], (there) => {
  const url = (): string => urlOf(there().server, there().schema);

  /** Sessions end a little after their clients: until only the workbench's own is there. */
  const alone = (): Promise<void> =>
    until('nobody else is connected', async () => {
      const [row] = await there().sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'");
      return Number(row?.['Value']) === 1;
    });

  it('a max_connections below the planned fleet is a problem', async () => {
    const run = await call(['doctor', '--json', '--processes', '3'], { url: url() });
    expect(run.code).toBe(1);
    expect(findings(run)['connections']).toBe('problem');
    expect(findings(run)['rollback-on-timeout']).toBe('note');
    const small = ['--processes', '2', '--connection-limit', '2'];
    expect((await call(['doctor', '--json', ...small], { url: url() })).code).toBe(0);
  });

  it('a server that is full is told as such, with exit code 3', async () => {
    const { host, port, user, password } = there().server;
    const held: Connection[] = [];
    await alone();
    try {
      // One more is let in for those who may do everything, as this account may.
      for (let n = 0; n <= LIMIT; n++) {
        const one = await createConnection({ host, port, user, password }).catch(() => undefined);
        if (one === undefined) break;
        one.on('error', () => {});
        held.push(one);
      }
      const run = await call(['doctor', '--json'], { url: url() });
      expect(run.code).toBe(3);
      expect(run.json.findings[0].found).toMatch(/no connection left/);
    } finally {
      await Promise.all(held.map((one) => one.end()));
      await alone();
    }
  });

  it('a read-only server is a problem, also for whoever may write there', async () => {
    await there().sql('SET GLOBAL read_only = 1');
    try {
      const run = await call(['doctor', '--json', '--connection-limit', '2'], { url: url() });
      expect(run.code).toBe(1);
      expect(run.json.summary.problem).toBe(1);
      expect(findings(run)['read-only']).toBe('problem');
    } finally {
      await there().sql('SET GLOBAL read_only = 0');
    }
  });

  it('settings that will cause trouble are warnings, and no problem', async () => {
    const settings = {
      sql_mode: "''",
      wait_timeout: '5',
      innodb_lock_wait_timeout: '600',
      max_allowed_packet: '1048576',
      time_zone: "'+05:45'",
    };
    const before: [string, unknown][] = [];
    for (const [name, value] of Object.entries(settings)) {
      const [row] = await there().sql(`SELECT @@GLOBAL.${name} AS was`);
      before.push([name, row?.['was']]);
      await there().sql(`SET GLOBAL ${name} = ${value}`);
    }
    try {
      const run = await call(['doctor', '--json', '--connection-limit', '2'], { url: url() });
      expect(run.code).toBe(0);
      expect(findings(run)).toMatchObject({
        'sql-mode': 'warning',
        'wait-timeout': 'warning',
        'lock-wait': 'note',
        packet: 'warning',
        'time-zone': 'ok',
        clock: 'ok',
      });
      for (const { level, advice } of run.json.findings) {
        if (level !== 'ok') expect(advice.length).toBeGreaterThan(20);
      }
    } finally {
      for (const [name, was] of before) await there().sql(`SET GLOBAL ${name} = ?`, [was]);
    }
  });
});
