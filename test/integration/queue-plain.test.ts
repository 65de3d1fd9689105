import type { MessageQueue, RetryingPooledDatabase } from '../../src/index';
import {
  QueueBench,
  bodies,
  collect,
  drain,
  numbers,
  openTransaction,
  untilGroupWaits,
} from '../support/queue-bench';
import { partsOfQueue, plain } from '../support/plain-queue';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

/* On a server that has neither SKIP LOCKED nor JSON_TABLE; see also queue-keys and queue-processes. */
onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let db: RetryingPooledDatabase;
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ db, queue } = await queues.begin({ maxAttempts: 2 }));
    plain(queue);
  });

  const other = (): MessageQueue => plain(queues.other());

  it('is found out by the server’s answer, once; any other error is one', async () => {
    const { access } = partsOfQueue(queues.other());
    const asked: string[] = [];
    const either = (sql: string): Promise<unknown> =>
      access.either<unknown>(
        () => {
          asked.push(sql);
          return access.rows(sql);
        },
        () => Promise.resolve('plain'),
      );
    expect((await failure(either('SELECT no_such_function(1)')))['errno']).toBe(1305);
    expect(await either('SELECT 1 FOR UPDATE SKIP LOCKT')).toBe('plain');
    expect(await either('SELECT 1')).toBe('plain');
    expect(asked).toHaveLength(2);
  });

  it('consumers that ask at the same moment never have the same message, and get all', async () => {
    await queue.produceMany('jobs', numbers(300));
    const taken = await Promise.all(
      [queue, other(), other(), other()].map(async (one) => {
        const own: unknown[] = [];
        for (;;) {
          const some = await one.consume('jobs', 'g', { batch: 7 });
          if (some.length === 0) return own;
          own.push(...bodies(some));
          await Promise.all(some.map((message) => message.ack()));
        }
      }),
    );
    expect(taken.flat().sort((a, b) => Number(a) - Number(b))).toEqual(numbers(300));
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('no claim waits for a producer whose transaction is open', async () => {
    const open = await openTransaction(db, () => queue.produceMany('jobs', ['x', 'y']));
    await other().produceMany('jobs', ['a', 'b']);
    const impatient = plain(queues.open(bench.open({ timeout: 15_000 })));
    const some = await impatient.consume('jobs', 'g', { batch: 5 });
    expect(bodies(some)).toEqual(['a', 'b']);
    await Promise.all(some.map((message) => message.extend()));
    await Promise.all(some.map((message) => message.ack()));
    await open.commit();
  });

  it('all that becomes of a message: given back, delayed, taken over, expired, dead, driven again, trimmed', async () => {
    await queue.produceMany('jobs', [1, 2]);
    await queue.produce('jobs', 3, { delay: 50 });
    const [one, two] = await queue.consume('jobs', 'g', { batch: 2, consumer: 'ann' });
    await one!.nack({ delay: 10 });
    const [again] = await queue.claimStale('jobs', 'g', 'ann', { batch: 5 });
    expect(again).toMatchObject({ body: 2, attempt: 2 });
    await expect(two!.ack()).rejects.toThrow('claim');
    await queues.expire();
    await until('it is dead, and the others are done', async () => {
      await drain(queue, 'jobs', 'g');
      const { lag, pending, dead } = await queue.info('jobs', 'g');
      return lag + pending === 0 && dead === 1;
    });
    expect(await collect(queue.deadLetters('jobs', 'g'))).toMatchObject([{ body: 2 }]);
    expect(await queue.redrive('jobs', 'g')).toBe(1);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual([2]);
    await queue.trim('jobs');
    expect(await queue.info('jobs', 'g')).toMatchObject({ length: 0 });
  });

  it('a worker that is stopped gives back what it has not begun with', async () => {
    let release: () => void = () => {};
    const worker = queue.worker('jobs', 'g', () => new Promise<void>((go) => (release = go)), {
      prefetch: 5,
    });
    await queue.produceMany('jobs', numbers(4));
    await until('it has them', () => worker.stats().held === 4);
    const stopping = worker.stop();
    expect(bodies(await other().consume('jobs', 'g', { batch: 9, wait: 10_000 }))).toEqual([
      1, 2, 3,
    ]);
    release();
    await stopping;
  });

  it('a group created while a producer is open gets what that one commits', async () => {
    const open = await openTransaction(db, () => queue.produce('jobs', 'open'));
    const creating = other().createGroup('jobs', 'new');
    await untilGroupWaits(bench);
    await open.commit();
    expect(await creating).toBe(true);
    expect(bodies(await drain(queue, 'jobs', 'new', 300))).toEqual(['open']);
  });
});
