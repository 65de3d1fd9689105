import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type GaleraCluster, provideGalera, ServerUnavailableError } from '../../scripts/server';
import { PrivateServer } from '../../scripts/server/private-server';
import { longForm } from '../support/long-form';
import { ask, describeUnpacked, isAlive, START_MS, untilAsync } from './support';

const isLong = longForm('BOOMERANG_GALERA', false);
/** Packages may have to be downloaded; then three starts, with a transfer of state for two of them. */
const CLUSTER_MS = 2 * START_MS;
const STEP_MS = START_MS;

describeUnpacked('a Galera cluster')('a Galera cluster', () => {
  let cluster: GaleraCluster | undefined;
  const seen = { pids: new Set<number>(), folders: new Set<string>() };

  /** What runs now, to be looked for when all is stopped. */
  function remember(): void {
    for (const node of cluster?.nodes ?? []) {
      if (!(node instanceof PrivateServer)) throw new Error('not a private server');
      for (const pid of [node.pid, node.keeperPid]) if (pid !== undefined) seen.pids.add(pid);
      seen.folders.add(node.folder);
    }
  }

  beforeAll(async () => {
    const start = Date.now();
    try {
      cluster = await provideGalera();
    } catch (error) {
      if (!(error instanceof ServerUnavailableError)) throw error;
      process.stdout.write(`skipped: no tests on a Galera cluster: ${error.message}\n`);
      return;
    }
    remember();
    process.stdout.write(`a Galera cluster of three was up in ${Date.now() - start} ms\n`);
  }, CLUSTER_MS);

  afterAll(() => cluster?.stop(), STEP_MS);

  /** A test on the cluster. Without one, which was said above, there is nothing to be tested. */
  function onCluster(name: string, work: (cluster: GaleraCluster) => Promise<void>): void {
    it(
      name,
      async () => {
        if (cluster !== undefined) await work(cluster);
      },
      STEP_MS,
    );
  }

  const url = (i: number): string => cluster?.nodes[i]?.url ?? '';

  async function status(i: number, name: string): Promise<string> {
    const [row] = await ask(url(i), `SHOW STATUS LIKE '${name}'`);
    return String(row?.['Value']);
  }

  const untilSize = (i: number, size: number): Promise<void> =>
    untilAsync(
      `node ${i} sees ${size}`,
      async () => (await status(i, 'wsrep_cluster_size')) === String(size),
    );

  /** A node that has given its state to another is in step again some time after that one. */
  const untilInStep = (i: number): Promise<void> =>
    untilAsync(
      `node ${i} is in step`,
      async () => (await status(i, 'wsrep_local_state_comment')) === 'Synced',
    );

  const numbers = async (i: number): Promise<number[]> =>
    (await ask(url(i), 'SELECT n FROM shared ORDER BY n')).map((row) => Number(row['n']));

  /** Reads what every commit of before has written, wherever that was. */
  const untilRead = (i: number, expected: readonly number[]): Promise<void> =>
    untilAsync(`node ${i} reads ${expected.join(', ')}`, async () => {
      const found = await numbers(i).catch(() => []);
      return found.join() === expected.join();
    });

  onCluster('has three nodes that are in step, each on ports of its own', async ({ nodes }) => {
    for (const i of nodes.keys()) {
      await untilSize(i, 3);
      await untilInStep(i);
    }
    const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
    const incoming = await status(0, 'wsrep_incoming_addresses');
    expect(incoming.split(',').sort()).toEqual(addresses.sort());
  });

  onCluster('gives what is written on one node to the others', async () => {
    await ask(url(0), 'CREATE TABLE shared (n INT PRIMARY KEY)');
    await ask(url(0), 'INSERT INTO shared VALUES (1)');
    await untilRead(2, [1]);
    await ask(url(2), 'INSERT INTO shared VALUES (2)');
    await untilRead(1, [1, 2]);
  });

  onCluster('goes on with two when one is killed, and has three when it is back', async (three) => {
    await three.kill(1);
    await untilSize(0, 2);
    await ask(url(0), 'INSERT INTO shared VALUES (3)');
    await three.restart(1);
    remember();
    expect(await status(1, 'wsrep_cluster_size')).toBe('3');
    expect(await status(1, 'wsrep_local_state_comment')).toBe('Synced');
    await untilRead(1, [1, 2, 3]);
    // Whoever gave it its state has no process for that any more.
    for (const i of three.nodes.keys()) await untilInStep(i);
  });

  if (isLong) {
    onCluster('has a node refuse statements while it is cut off', async (three) => {
      await three.isolate(2);
      await untilAsync('node 2 refuses', () =>
        numbers(2).then(
          () => false,
          (error: unknown) => String(error).includes('WSREP has not yet prepared node'),
        ),
      );
      await untilSize(0, 2);
      await ask(url(0), 'INSERT INTO shared VALUES (4)');
      await three.rejoin(2);
      await untilRead(2, [1, 2, 3, 4]);
    });

    onCluster('refuses statements without a majority, until one is back', async (three) => {
      await Promise.all([three.kill(1), three.kill(2)]);
      await untilAsync('node 0 refuses', () =>
        numbers(0).then(
          () => false,
          () => true,
        ),
      );
      await three.restart(1);
      await untilRead(0, [1, 2, 3, 4]);
      await three.restart(2);
      await untilSize(0, 3);
      remember();
    });

    onCluster('comes back from what any node has when all were killed', async (three) => {
      await Promise.all([0, 1, 2].map((i) => three.kill(i)));
      for (const i of [2, 1, 0]) await three.restart(i);
      remember();
      await untilSize(2, 3);
      for (const i of [0, 1, 2]) await untilRead(i, [1, 2, 3, 4]);
    });
  }

  onCluster('leaves nothing after stop(), which may be called twice', async (three) => {
    expect(three.stop()).toBe(three.stop());
    await three.stop();
    expect([...seen.pids].filter(isAlive)).toEqual([]);
    expect([...seen.folders].filter((folder) => existsSync(folder))).toEqual([]);
    expect(commands().filter(mentionsAny(seen.folders))).toEqual([]);
  });
});

/** Command lines of everything that runs: a node's transfers of state are processes of their own. */
function commands(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
      } catch {
        return []; // ended by now
      }
    });
}

function mentionsAny(words: ReadonlySet<string>): (text: string) => boolean {
  return (text) => [...words].some((word) => text.includes(word));
}
