import {
  ClaimLostError,
  CommitInDoubtError,
  connectionScope,
  type Message,
  type MessageQueue,
  type RetryingPooledDatabase,
} from '../../src/index';
import { deliveryStatements } from '../../src/queue/delivery-sql';
import { MessageTable } from '../../src/queue/message-table';
import type { QueueAccess } from '../../src/queue/queue-access';
import { startProxy, type FaultProxy } from '../support/fault-proxy';
import { quiet } from '../support/plain-queue';
import { QueueBench, bodies, drain, numbers } from '../support/queue-bench';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let proxy: FaultProxy;
  let db: RetryingPooledDatabase;
  /** Behind the proxy. */
  let queue: MessageQueue;

  beforeEach(async () => {
    proxy = await startProxy(bench.server);
    db = bench.open({ host: proxy.host, port: proxy.port, connectionLimit: 2 });
    queue = queues.open(db, { retention: 3_600_000 });
    await queue.createGroup('jobs', 'g');
    // What is looked up once is known, and what is prepared is.
    await queue.produceMany('jobs', [0, 0]);
    await drain(queue, 'jobs', 'g');
    await quiet(queue);
  });

  afterEach(() => proxy.close());

  it('the answer to a claim that was lost: the messages come all the same, at once', async () => {
    await queue.produceMany('jobs', [1, 2, 3]);
    const trap = proxy.swallow('execute', 'cut');
    const some = await queue.consume('jobs', 'g', { batch: 10 });
    await trap.sprung;
    expect(bodies(some)).toEqual([1, 2, 3]);
    expect(some.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
    await Promise.all(some.map((message) => message.ack()));
  });

  it('a claim that never arrived claims nothing', async () => {
    await queue.produceMany('jobs', [1]);
    const trap = proxy.lose('execute', 'cut');
    const [first] = await queue.consume('jobs', 'g').catch(() => []);
    await trap.sprung;
    const [second] = await queue.consume('jobs', 'g');
    expect((first ?? second)!.attempt).toBe(1);
  });

  it('the answer to an acknowledgement that was lost: it counts, and is not taken for a loss', async () => {
    await queue.produceMany('jobs', [1, 2, 3]);
    const [one, ...others] = await queue.consume('jobs', 'g', { batch: 10 });
    await quiet(queue);
    const alone = proxy.swallow('execute', 'cut');
    await one!.ack();
    await alone.sprung;
    await quiet(queue);
    const together = proxy.swallow(/^COMMIT/, 'cut');
    await Promise.all(others.map((message) => message.ack()));
    await together.sprung;
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('the answer to an acknowledgement that was lost, of messages with keys: the next ones have their turn', async () => {
    await queue.produceMany('jobs', [1, 2], { key: 'a' });
    await queue.produceMany('jobs', [3, 4], { key: 'b' });
    const some = await queue.consume('jobs', 'g', { batch: 10, wait: 10_000 });
    await quiet(queue);
    const trap = proxy.swallow(/^COMMIT/, 'cut');
    await Promise.all(some.map((message) => message.ack()));
    await trap.sprung;
    expect(bodies(await drain(queue, 'jobs', 'g', 300))).toEqual([2, 4]);
  });

  it('the answer to an acknowledgement that was lost where a scope holds the connection: it counts as well', async () => {
    await queue.produceMany('jobs', [1, 2]);
    const [warm, message] = await queue.consume('jobs', 'g', { batch: 2 });
    // What is prepared is prepared.
    const acknowledgeInScope = (one: Message): Promise<void> =>
      connectionScope(async () => {
        await db.query('DO 0');
        await one.ack();
      });
    await acknowledgeInScope(warm!);
    await quiet(queue);
    const trap = proxy.swallow('execute', 'cut');
    await acknowledgeInScope(message!);
    await trap.sprung;
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('the answer to an acknowledgement that was lost, and the server away after it: said then, and settled by the next call', async () => {
    const impatient = bench.open({
      host: proxy.host,
      port: proxy.port,
      connectionLimit: 1,
      acquireTimeout: 2500,
      connectTimeout: 2500,
    });
    const own = queues.open(impatient, { retention: 3_600_000 });
    await queue.produceMany('jobs', [1, 2]);
    const [warm, message] = await own.consume('jobs', 'g', { batch: 2 });
    await warm!.ack();
    await quiet(own);
    // What is connected stays so, until it is cut.
    proxy.refuse();
    const trap = proxy.swallow('execute', 'cut');
    const error = await failure(message!.ack());
    await trap.sprung;
    expect(error).not.toBeInstanceOf(ClaimLostError);
    await proxy.heal();
    await until('it is there again', () =>
      impatient.ping().then(
        () => true,
        () => false,
      ),
    );
    await message!.ack();
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('the answer to produce() that was lost is an error that says so; repeated with its dedupeKey it is once', async () => {
    const trap = proxy.swallow(/^COMMIT/, 'cut');
    const error = await failure(queue.produce('jobs', 'once', { dedupeKey: 'k' }));
    await trap.sprung;
    expect(error).toBeInstanceOf(CommitInDoubtError);
    await queue.produce('jobs', 'once', { dedupeKey: 'k' });
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['once']);
  });

  it('the claim sorts nothing, and finds its rows by index, with few rows and with many', async () => {
    const own = queues.other();
    const tables = ['deliveries', 'messages'].map((name) => queues.table(`queue_${name}`));
    const { claim, promote, reclaim, claimed } = deliveryStatements(tables[0]!, tables[1]!);
    const bound: [string, unknown[]][] = [
      [claim.skipping, [1, 10, 5, '', 1]],
      [promote.skipping, [1, 10]],
      [reclaim.skipping, [1, 5, 10]],
      [claimed, [1, 5, 5]],
    ];
    for (const count of [0, 5, 5000]) {
      await own.produceMany(
        'jobs',
        Array.from({ length: count }, (_, at) => at),
      );
      for (const [sql, values] of bound) {
        const plan = await queues.plan(sql, values);
        const text = JSON.stringify(plan);
        expect(text).not.toMatch(/filesort|temporary/i);
        // But for the rows that were found, and are gone through.
        const read = plan.filter(
          ({ table }) => typeof table === 'string' && !table.startsWith('<'),
        );
        for (const { key } of read) expect(key).toMatch(/^(queue|PRIMARY)$/);
      }
    }
  });

  it('whether a message may go is found by whole keys, however many rows a group has or has had', async () => {
    let asked = '';
    const access = {
      name: ({ name }: { name: string }) => queues.table(name),
      list: (sql: string) => Promise.resolve(((asked = sql), [])),
    } as unknown as QueueAccess;
    const [group] = await bench.sql(`SELECT id, stream_id FROM ${queues.table('queue_groups')}`);
    const some = { after: 0, age: 0, most: 1000 };
    await new MessageTable(access).done(
      Number(group?.['stream_id']),
      [Number(group?.['id'])],
      some,
    );
    const own = queues.other({ retention: 3_600_000 });
    const look = async (): Promise<void> => {
      const plan = await queues.plan(asked);
      const lookups = plan.filter(({ table }) => table === 'o');
      expect(lookups.map(({ key }) => key).sort()).toEqual(['PRIMARY', 'incoming', 'incoming']);
      for (const { ref } of lookups) expect(ref).toMatch(/m\.id$/);
    };
    await look();
    await own.produceMany('jobs', numbers(3000));
    await look();
    await own.produceMany('jobs', numbers(50), { key: 'k' });
    await look();
    // Gone, but not purged while somebody may still see it.
    const reader = bench.open();
    await reader.atomic(
      async () => {
        await reader.query('SELECT 1');
        await drain(own, 'jobs', 'g');
        await look();
      },
      { consistentSnapshot: true },
    );
  }, 120_000);

  it('16 workers, acknowledging and failing, over four pools: no deadlock comes to the surface', async () => {
    const count = 600;
    // However long the server takes over so many.
    const pools = Array.from({ length: 4 }, () => bench.open({ acquireTimeout: 90_000 }));
    const each = pools.map((pool) => queues.open(pool));
    let acknowledged = 0;
    const failed: unknown[] = [];
    const workers = Array.from({ length: 16 }, (_, at) =>
      each[at % 4]!.worker(
        'jobs',
        'g',
        ({ body, attempt }) => {
          if (Number(body) % 10 === 0 && attempt === 1) throw new Error('again');
          acknowledged++;
        },
        { concurrency: 3 },
      ),
    );
    await Promise.all(
      Array.from({ length: count }, (_, n) =>
        each[n % 4]!.produce(
          'jobs',
          n,
          n % 3 === 0 ? { key: `k${n % 7}` } : { delay: n % 20 },
        ).catch((error: unknown) => failed.push(error)),
      ),
    );
    const isSettled = async (): Promise<boolean> => {
      const { lag, pending } = await queue.info('jobs', 'g');
      return acknowledged >= count && lag + pending === 0;
    };
    await until('all are acknowledged', isSettled, 90_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(failed).toEqual([]);
    expect(acknowledged).toBe(count);
    const repeats = pools.reduce((sum, pool) => sum + pool.stats().retries, 0);
    process.stdout.write(
      `${bench.server.name}: ${count} messages, ${repeats} statements repeated\n`,
    );
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0, dead: 0 });
  }, 120_000);
});
