import { spawnSync } from 'node:child_process';
import { Cache, DistributedLocks, KeyValueStore, MessageQueue, install } from '../../src/index';
import { MonitorBench, ask } from '../support/monitor-bench';
import { isToBeHad, provideProgram, type Program, type ProgramSource } from '../support/program';
import { OWN_NAME } from '../support/prometheus-lint';
import { Workbench, testServers } from '../support/servers';
import { failure } from '../support/until';

const PROMTOOL: ProgramSource = {
  variable: 'PROMTOOL',
  names: ['promtool'],
  packages: ['prometheus'],
  file: 'usr/bin/promtool',
};

(isToBeHad(PROMTOOL) ? describe : describe.skip)('promtool', () => {
  const bench = new Workbench(testServers()[0]!);
  const monitors = new MonitorBench();
  let promtool: Program;

  beforeAll(async () => {
    promtool = await provideProgram(PROMTOOL);
  }, 600_000);
  beforeAll(() => bench.setUp());
  afterEach(() => bench.endDatabases());
  afterAll(() => bench.tearDown());

  /** What it has to say of a text, a line each. */
  const complaintsOf = (input: string): string[] => {
    const { command, env } = promtool;
    const said = spawnSync(command, ['check', 'metrics'], { input, env, encoding: 'utf8' });
    if (said.error !== undefined) throw said.error;
    return `${said.stdout}${said.stderr}`.split('\n').filter((line) => line !== '');
  };

  it('has nothing to say of what is exposed, with every part in use', async () => {
    const db = bench.open({ connectionLimit: 4 });
    await install(db);
    const { url } = await monitors.open(db, { databaseLabel: true });
    const [locks, cache] = [new DistributedLocks(db), new Cache(db)];
    const [store, queue] = [new KeyValueStore(db), new MessageQueue(db)];
    await locks.using('one', {}, () => db.query('SELECT 1'));
    await cache.getOrSet('one', () => 1);
    await store.set('one', 1);
    await queue.createGroup('orders', 'mail');
    await queue.produce('orders', { id: 1 });
    await failure(db.query('SELECT nothing'));
    const { body } = await ask(`${url}/metrics`);
    expect(body).toContain('mysql_boomerang_');
    expect(complaintsOf(body).filter((line) => !OWN_NAME.test(line))).toEqual([]);
    await Promise.all([cache.close(), queue.close()]);
  });

  it('would have, where a name is wrong', () => {
    const text = '# TYPE requests counter\nrequests 1\n';
    expect(complaintsOf(text).join()).toContain('requests');
  });
});
