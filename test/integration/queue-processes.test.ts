import { provideServer, type ServerHandle } from '../../scripts/server';
import { MessageQueue, RetryingPooledDatabase, install } from '../../src/index';
import { longForm } from '../support/long-form';
import { plain } from '../support/plain-queue';
import { QueueWorkers } from '../support/queue-workers';
import { Workbench, testServers } from '../support/servers';
import { until } from '../support/until';

const TRIAL = longForm('BOOMERANG_QUEUE', {
  messages: 1500,
  processes: 3,
  servers: 1,
  /** Kill the server as well, which then has to be one of our own. */
  restarts: 0,
});
const KEYS = 20;
const AT_ONCE = 200;

const cases = testServers()
  .slice(0, TRIAL.servers)
  .flatMap((server, at) =>
    // The plain way is the same on all of them.
    (at === 0 ? (['skipping', 'plain'] as const) : (['skipping'] as const)).map((locking) => ({
      server,
      locking,
    })),
  );

describe.each(cases)('on $server.name, locking $locking', ({ server, locking }) => {
  let handle: ServerHandle | undefined;
  let bench: Workbench;
  let workers: QueueWorkers;

  beforeAll(async () => {
    if (TRIAL.restarts > 0) handle = await provideServer({ kind: server.kind });
    bench = new Workbench(handle === undefined ? server : { ...server, ...addressOf(handle) });
    await bench.setUp();
    workers = new QueueWorkers(bench, locking);
  }, 60_000);
  afterAll(async () => {
    await workers.destroy();
    if (handle === undefined) await bench.tearDown();
    else await handle.stop();
  });

  it(`${TRIAL.processes} processes, killed, stopped, their answers swallowed${
    TRIAL.restarts > 0 ? ', the server killed' : ''
  }: ${TRIAL.messages} messages, each acknowledged, each effect once, in the order of its key`, async () => {
    const db = new RetryingPooledDatabase({ ...bench.address, acquireTimeout: 30_000 });
    const queue = new MessageQueue(db, { dedupeWindow: 3_600_000 });
    const begun = performance.now();
    if (locking === 'plain') plain(queue);
    await install(db);
    await db.query(
      'CREATE TABLE effects (id INT AUTO_INCREMENT PRIMARY KEY, body INT, message_key VARCHAR(9), KEY (body))',
    );
    await db.query('CREATE TABLE delivered (id INT AUTO_INCREMENT PRIMARY KEY, body INT)');
    await queue.createGroup('jobs', 'g', { maxAttempts: 1_000_000 });
    await Promise.all(Array.from({ length: TRIAL.processes }, () => workers.start()));

    let over = false;
    const every = async (ms: number, work: () => Promise<unknown>): Promise<void> => {
      while (!over) {
        await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random())));
        if (!over) await work();
      }
    };
    const killing = every(1000, () => workers.disturb());
    void every(300, () => workers.swallow());
    const restarting = restart(handle, () => over);
    // Without the server nothing else comes to an end.
    let failure: unknown;
    restarting.catch((error: unknown) => (failure = error ?? true));

    // One with a key in five; the producer of a key goes on when the one before is stored.
    const produce = async (body: number): Promise<void> => {
      const key = body % 5 === 0 ? `k${(body / 5) % KEYS}` : undefined;
      const options = { dedupeKey: String(body), ...(key === undefined ? {} : { key }) };
      for (;;) {
        try {
          await queue.produce('jobs', body, options);
          return;
        } catch {
          if (failure !== undefined) throw failure;
          // The server was killed: what is repeated is once.
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    };
    for (let from = 0; from < TRIAL.messages; from += AT_ONCE) {
      const some = Array.from(
        { length: Math.min(AT_ONCE, TRIAL.messages - from) },
        (_, at) => from + at,
      );
      const laned = some.filter((body) => body % 5 === 0);
      await Promise.all([
        ...some.filter((body) => body % 5 !== 0).map(produce),
        ...Array.from({ length: KEYS }, async (_, lane) => {
          for (const body of laned) if ((body / 5) % KEYS === lane) await produce(body);
        }),
      ]);
    }
    await until(
      'all is acknowledged',
      async () => {
        if (failure !== undefined) throw failure;
        const left = await queue.info('jobs', 'g').catch(() => undefined);
        return left !== undefined && left.lag + left.pending === 0;
      },
      TRIAL.messages * 20 + 120_000,
    );
    over = true;
    await Promise.all([killing, restarting]);
    const codes = await workers.end();
    expect(codes).toEqual(codes.map(() => 0));

    const [counts] = await db.query(
      'SELECT COUNT(*) AS effects, COUNT(DISTINCT body) AS bodies, (SELECT COUNT(*) FROM delivered) AS delivered FROM effects',
    );
    expect(counts[0]).toMatchObject({ effects: TRIAL.messages, bodies: TRIAL.messages });
    const [outOfOrder] = await db.query(
      'SELECT body FROM (SELECT body, LAG(body) OVER (PARTITION BY message_key ORDER BY id) AS before_it ' +
        'FROM effects WHERE message_key IS NOT NULL) AS each_key WHERE before_it > body LIMIT 5',
    );
    expect(outOfOrder).toEqual([]);
    expect((await queue.info('jobs', 'g')).dead).toBe(0);
    const { killed, stopped, swallowed } = workers.faults;
    const seconds = Math.round((performance.now() - begun) / 1000);
    process.stdout.write(
      `${server.name}, ${locking}: ${TRIAL.messages} messages in ${seconds} s, each effect once; delivered ${String(counts[0]?.['delivered'])} times; ` +
        `${killed} processes killed, ${stopped} stopped, ${swallowed} answers swallowed; ` +
        `${workers.retries} statements repeated by those who were left\n`,
    );
    await queue.close();
    await db.end();
  }, 3_600_000);
});

function addressOf({ host, port, user, password }: ServerHandle) {
  return { host, port, user, password };
}

/** Kills the server and starts it again, some times over. */
async function restart(handle: ServerHandle | undefined, isOver: () => boolean): Promise<void> {
  for (let count = 0; count < TRIAL.restarts && handle !== undefined; count++) {
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    if (isOver()) return;
    await handle.kill();
    await handle.start();
  }
}
