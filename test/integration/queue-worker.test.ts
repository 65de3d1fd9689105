import {
  ClaimLostError,
  type Message,
  type MessageQueue,
  type RetryingPooledDatabase,
} from '../../src/index';
import { Bell } from '../../src/queue/bell';
import { startProxy } from '../support/fault-proxy';
import { QueueBench, collect, numbers, openTransaction } from '../support/queue-bench';
import { notesIn, onEachServer } from '../support/servers';
import { deferred, failure, until } from '../support/until';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let db: RetryingPooledDatabase;
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ db, queue } = await queues.begin({ maxAttempts: 3 }));
  });

  it('a handler that resolves acknowledges, one that throws gives back, and after the last attempt the message is dead', async () => {
    const attempts: number[] = [];
    const worker = queue.worker('jobs', 'g', (message) => {
      if (message.body !== 'bad') return;
      attempts.push(message.attempt);
      throw new TypeError('no good');
    });
    await queue.produceMany('jobs', ['a', 'bad', 'b']);
    await until('all are settled', async () => {
      const { lag, pending } = await queue.info('jobs', 'g');
      return lag + pending === 0;
    });
    expect(attempts).toEqual([1, 2, 3]);
    await until('it knows', () => worker.stats().acknowledged === 2);
    expect(worker.stats()).toMatchObject({ acknowledged: 2, failed: 3, running: 0 });
    const dead = await collect(queue.deadLetters('jobs', 'g'));
    expect(dead).toMatchObject([{ body: 'bad', attempts: 3, reason: 'TypeError: no good' }]);
  });

  it('as many handlers run at once as it says, never more, and no more is claimed than may be held', async () => {
    const goOn = deferred();
    let most = 0;
    let running = 0;
    const worker = queue.worker(
      'jobs',
      'g',
      async () => {
        most = Math.max(most, ++running);
        await goOn.promise;
        running--;
      },
      { concurrency: 3, prefetch: 5 },
    );
    await queue.produceMany('jobs', numbers(20));
    await until('it is full', () => worker.stats().held === 5);
    expect(worker.stats().running).toBe(3);
    expect(await queue.info('jobs', 'g')).toMatchObject({ pending: 5, lag: 15 });
    goOn.resolve();
    await until('all are done', () => worker.stats().acknowledged === 20);
    expect(most).toBe(3);
  });

  it('the handler runs in nobody’s scope or transaction, and may acknowledge in one of its own', async () => {
    const seen: unknown[] = [];
    const done = deferred();
    await db.atomic(async () => {
      await db.execute('INSERT INTO notes (id) VALUES (1)');
      queue.worker('jobs', 'g', async (message) => {
        seen.push(db.inTransaction);
        await db.atomic(async () => {
          await db.execute('INSERT INTO notes (id) VALUES (2)');
          await message.ack();
        });
        done.resolve();
      });
      await queues.other().produce('jobs', 'a');
      await done.promise;
      expect(seen).toEqual([false]);
    });
    expect(await notesIn(bench)).toEqual([1, 2]);
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('a message whose handler takes longer than its visibility timeout stays its own', async () => {
    let runs = 0;
    const options = { visibilityTimeout: 4000 };
    const handler = async (message: Message): Promise<void> => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 5000));
      expect(message.signal.aborted).toBe(false);
    };
    const worker = queue.worker('jobs', 'g', handler, options);
    const other = queues.other().worker('jobs', 'g', handler, options);
    await queue.produce('jobs', 'slow');
    await until('it is done', () => worker.stats().acknowledged + other.stats().acknowledged === 1);
    expect(runs).toBe(1);
  });

  it('the handler’s signal fires when the claim was taken away, and its acknowledgement rolls its transaction back', async () => {
    const lost = deferred<unknown>();
    const begun = deferred<Message>();
    const worker = queue.worker(
      'jobs',
      'g',
      async (message) => {
        if (message.attempt > 1) return;
        begun.resolve(message);
        await until('it is told', () => message.signal.aborted);
        lost.resolve(message.signal.reason);
        await db.atomic(async () => {
          await db.execute('INSERT INTO notes (id) VALUES (1)');
          await message.ack();
        });
      },
      { visibilityTimeout: 3000, concurrency: 2 },
    );
    await queue.produce('jobs', 'a');
    const { id } = await begun.promise;
    expect(await queue.requeue('jobs', 'g', id)).toBe(true);
    expect(await queue.requeue('jobs', 'g', 12345)).toBe(false);
    expect(await lost.promise).toBeInstanceOf(ClaimLostError);
    await until('the other attempt is acknowledged', () => worker.stats().acknowledged === 1);
    await until('this one is counted', () => worker.stats().lost === 1);
    expect(await notesIn(bench)).toEqual([]);
  });

  it('a message whose row somebody keeps locked is lost alone: the others are extended', async () => {
    const held: Message[] = [];
    const over = deferred();
    const worker = queue.worker(
      'jobs',
      'g',
      async (message) => {
        if (message.attempt > 1) return;
        held.push(message);
        await over.promise;
      },
      { visibilityTimeout: 3000, concurrency: 5, prefetch: 10 },
    );
    await queue.produceMany('jobs', numbers(3));
    await until('it has them', () => held.length === 3);
    const [locked, ...others] = held as [Message, ...Message[]];
    const operator = bench.open();
    const open = await openTransaction(operator, () =>
      queues.open(operator).requeue('jobs', 'g', locked.id),
    );
    await until('the claim is over', () => locked.signal.aborted);
    // Longer than theirs was when it was taken.
    await new Promise((resolve) => setTimeout(resolve, 3200));
    expect(others.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    await open.commit();
    over.resolve();
    await until('all are done', () => worker.stats().acknowledged === 3);
    expect(worker.stats()).toMatchObject({ lost: 1 });
  });

  it('on a dead network the signal fires before the server lets anybody else in', async () => {
    const proxy = await startProxy(bench.server);
    const cut = bench.open({ host: proxy.host, port: proxy.port, timeout: 1000 });
    const mine = queues.open(cut);
    const begun = deferred<Message>();
    const over = deferred();
    mine.worker(
      'jobs',
      'g',
      async (message) => {
        begun.resolve(message);
        await over.promise;
      },
      { visibilityTimeout: 2500 },
    );
    await queue.produce('jobs', 'a');
    const message = await begun.promise;
    proxy.blackHole();
    const [theirs] = await queue.consume('jobs', 'g', { wait: 20_000 });
    expect(message.signal.aborted).toBe(true);
    expect(theirs!.attempt).toBe(2);
    await theirs!.ack();
    over.resolve();
    const stopping = mine.close();
    await cut.end({ deadline: 0 });
    await stopping;
    await proxy.close();
  });

  it('stop() takes no more, gives back what nobody has begun with, and waits for the others', async () => {
    const goOn = deferred();
    const worker = queue.worker('jobs', 'g', () => goOn.promise, { concurrency: 1, prefetch: 10 });
    await queue.produceMany('jobs', [1, 2, 3, 4]);
    await until('it has them', () => worker.stats().held === 4);
    const stopping = worker.stop();
    expect(worker.stop()).toBe(stopping);
    const others = await queue.consume('jobs', 'g', { batch: 10, wait: 10_000 });
    // What was given back was no attempt.
    expect(others.map(({ body, attempt }) => [body, attempt])).toEqual([
      [2, 1],
      [3, 1],
      [4, 1],
    ]);
    goOn.resolve();
    await stopping;
    expect(worker.stats()).toMatchObject({ acknowledged: 1, held: 0, running: 0 });
  });

  it('stop() with a deadline aborts the handlers that are late, and comes to its end', async () => {
    const begun = deferred<Message>();
    const worker = queue.worker('jobs', 'g', async (message) => {
      expect(message.signal.aborted).toBe(false);
      begun.resolve(message);
      await new Promise(() => {});
    });
    await queue.produce('jobs', 'a');
    const message = await begun.promise;
    await worker.stop({ deadline: 50 });
    expect(message.signal.aborted).toBe(true);
    expect((await failure(worker.stop({ deadline: -1 }))).message).toContain('deadline');
  });

  it.each(['commits', 'rolls back'] as const)(
    'a handler that ends while the transaction is open in which it acknowledged: that one decides, here it %s',
    async (end) => {
      const goOn = deferred();
      const over = deferred();
      let attempts = 0;
      const worker = queue.worker('jobs', 'g', async (message) => {
        if (++attempts > 1) return;
        const acknowledged = deferred();
        const open = db.atomic(async () => {
          await message.ack();
          acknowledged.resolve();
          await goOn.promise;
          if (end === 'rolls back') throw new Error('no');
        });
        void open.catch(() => {}).then(over.resolve);
        await acknowledged.promise;
        if (end === 'commits') throw new Error('another part of it failed');
      });
      await queue.produce('jobs', 'a');
      // The event loop is kept busy by nobody meanwhile, or this would not be looked at.
      await until('the handler has ended', () => attempts === 1 && worker.stats().running === 0);
      expect(worker.stats().held).toBe(1);
      goOn.resolve();
      await over.promise;
      if (end === 'rolls back') await until('it comes again', () => attempts === 2);
      await until('nothing is held', () => worker.stats().held === 0);
      expect(attempts).toBe(end === 'commits' ? 1 : 2);
      expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0, dead: 0 });
    },
  );

  it('a handler that ends after its worker was stopped and the database ended keeps nobody busy', async () => {
    const own = bench.open();
    const mine = queues.open(own);
    const goOn = deferred();
    const begun = deferred<Message>();
    const worker = mine.worker('jobs', 'g', async (message) => {
      begun.resolve(message);
      await goOn.promise;
    });
    await queue.produce('jobs', 'a');
    await begun.promise;
    await worker.stop({ deadline: 1 });
    await mine.close();
    await own.end();
    goOn.resolve();
    await until('it has given up', () => worker.stats().held === 0);
    expect(worker.stats()).toMatchObject({ acknowledged: 0, lost: 1 });
  });

  it('a message that was given back is learnt of by those who wait here, however seldom they look', async () => {
    const slow = queues.open(db, { pollInterval: 60_000 });
    await queue.produce('jobs', 'a');
    const [message] = await queue.consume('jobs', 'g', { visibilityTimeout: 60_000 });
    const waits = jest.spyOn(Bell.prototype, 'wait');
    const waiting = slow.consume('jobs', 'g', { wait: 20_000 });
    // So that its pauses have grown.
    await until('it has looked some times', () => waits.mock.calls.length >= 6);
    await message!.nack({ delay: 300 });
    expect(await waiting).toMatchObject([{ body: 'a', attempt: 2 }]);
    // It was told, and did not come upon it.
    expect(await Promise.all(waits.mock.results.map(({ value }) => value as unknown))).toContain(
      true,
    );
    waits.mockRestore();
  });

  it('payloads that cannot be read block nobody: the others go on, they come to the dead letters with a reason', async () => {
    const ids = await queue.produceMany('jobs', ['a', 'newer', { json: 1 }, 'b']);
    const table = queues.table('queue_messages');
    // As a later version would write them, and as a broken one would.
    await bench.sql(`UPDATE ${table} SET kind = 77 WHERE id = ?`, [ids[1]]);
    await bench.sql(`UPDATE ${table} SET body = '{' WHERE id = ?`, [ids[2]]);
    const got: unknown[] = [];
    queue.worker('jobs', 'g', ({ body }) => got.push(body), { concurrency: 4 });
    await until('they are dead', async () => (await queue.info('jobs', 'g')).dead === 2);
    expect(got).toEqual(['a', 'b']);
    for (const { reason, body } of await collect(queue.deadLetters('jobs', 'g'))) {
      expect(reason).toMatch(/^It could not be read: /);
      expect(body).toBeUndefined();
    }
  });

  it('a group that does not exist yet is waited for', async () => {
    const got: unknown[] = [];
    queue.worker('later', 'g', ({ body }) => got.push(body));
    await queue.produce('later', 'kept');
    await queue.createGroup('later', 'g', { from: 'start' });
    await until('it has it', () => got.length === 1);
  });
});
