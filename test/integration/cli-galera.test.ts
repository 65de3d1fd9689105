import { provideGalera, ServerUnavailableError, type GaleraCluster } from '../../scripts/server';
import { DistributedLocks, RetryingPooledDatabase } from '../../src/index';
import { call, type CliRun } from '../support/cli';
import { longForm } from '../support/long-form';
import { until } from '../support/until';

const START_MS = 120_000;

/** Starting a cluster takes longer than all that is proved on it: `npm run test:long cliGalera`. */
const isLong = longForm('BOOMERANG_CLI_GALERA', false);
const describeLong = isLong ? describe : describe.skip;
if (!isLong) {
  process.stdout.write('skipped: doctor on a Galera cluster is for npm run test:long cliGalera\n');
}

describeLong('the command line on a Galera cluster', () => {
  let cluster: GaleraCluster | undefined;

  beforeAll(async () => {
    try {
      cluster = await provideGalera({ nodes: 2 });
    } catch (error) {
      if (!(error instanceof ServerUnavailableError)) throw error;
      process.stdout.write(`skipped: no doctor on a Galera cluster: ${error.message}\n`);
    }
  }, START_MS);

  afterAll(() => cluster?.stop(), START_MS);

  const urlOf = (node: number): string => cluster!.nodes[node]!.url;
  const doctor = (node: number): Promise<CliRun> =>
    call(['doctor', '--json'], { url: urlOf(node) });
  const topology = ({ json }: CliRun): any =>
    json.findings.find(({ check }: { check: string }) => check === 'topology');

  /** A test on the cluster. Without one, which was said above, there is nothing to be tested. */
  function onCluster(name: string, work: () => Promise<void>): void {
    it(name, async () => (cluster === undefined ? undefined : work()), START_MS);
  }

  onCluster('doctor knows it for one, says what follows, and finds no problem', async () => {
    for (const node of [0, 1]) {
      const run = await doctor(node);
      expect(run.code).toBe(0);
      expect(topology(run)).toMatchObject({
        level: 'note',
        found: 'a node of a Galera cluster of 2, Synced',
      });
      expect(topology(run).advice).toMatch(/1213.*retries.*SessionLock is refused/);
    }
  });

  onCluster('what one node installs and holds the other shows', async () => {
    expect((await call(['install'], { url: urlOf(0) })).code).toBe(0);
    await until('it is there', async () => {
      const { json } = await call(['status', '--json'], { url: urlOf(1) });
      return json.tables.every(({ state }: { state: string }) => state === 'current');
    });
    await using db = new RetryingPooledDatabase(urlOf(0));
    await using locks = new DistributedLocks(db);
    await locks.acquire('there');
    await until('it is seen', async () => {
      const { json } = await call(['locks', 'ls', '--json'], { url: urlOf(1) });
      return json.locks?.[0]?.name === 'there';
    });
  });

  onCluster('a node without a majority is a problem, told as such', async () => {
    await cluster!.isolate(1);
    let last: CliRun | undefined;
    await until(
      'the node knows that it is alone',
      async () => {
        last = await doctor(1);
        return last.code !== 0;
      },
      60_000,
    );
    process.stdout.write(`a node that is cut off: exit ${last!.code}, ${last!.stdout}`);
    expect(last!.code).toBe(1);
    expect(topology(last!)).toMatchObject({ level: 'problem' });
    expect(topology(last!).advice).toMatch(/lost the majority/);
    await cluster!.rejoin(1);
  });
});
