import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  ClaimLostError,
  NoTransactionError,
  type MessageQueue,
  type RetryingPooledDatabase,
} from '../../src/index';
import { QueueBench, bodies, drain, numbers, openTransaction } from '../support/queue-bench';
import { notesIn, onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let db: RetryingPooledDatabase;
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ db, queue } = await queues.begin());
  });

  const note = (id: number): Promise<unknown> =>
    db.execute('INSERT INTO notes (id) VALUES (?)', [id]);

  it('a message produced in a transaction that rolls back is never seen, and wakes nobody', async () => {
    const waiting = queue.consume('jobs', 'g', { wait: 300 });
    await failure(
      db.atomic(async () => {
        await note(1);
        expect(await queue.produce('jobs', 'never')).toBeGreaterThan(0);
        await queue.produce('jobs', 'never', { key: 'k', dedupeKey: 'd' });
        throw new Error('no');
      }),
    );
    expect(await waiting).toEqual([]);
    expect(await notesIn(bench)).toEqual([]);
    expect(await bench.sql(`SELECT * FROM ${queues.table('queue_messages')}`)).toEqual([]);
    // The dedupeKey was given back with the rest.
    await queue.produce('jobs', 'seen', { dedupeKey: 'd' });
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['seen']);
  });

  it('a message is seen when its transaction commits, at once by those who wait here', async () => {
    const slow = queues.open(db, { pollInterval: 60_000 });
    const waiting = slow.consume('jobs', 'g', { wait: 20_000 });
    await db.atomic(async () => {
      await note(1);
      await queue.produce('jobs', 'outbox');
      expect(await queues.other().consume('jobs', 'g')).toEqual([]);
    });
    expect(bodies(await waiting)).toEqual(['outbox']);
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('messages that commit in another order than that of their ids are all seen, by every group', async () => {
    await queue.createGroup('jobs', 'h');
    const late = await openTransaction(db, () => queue.produce('jobs', 'first, and late'));
    await queue.produceMany('jobs', ['second', 'third']);
    expect(bodies(await drain(queue, 'jobs', 'g', 0))).toEqual(['second', 'third']);
    await late.commit();
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['first, and late']);
    expect(bodies(await drain(queue, 'jobs', 'h'))).toEqual(['first, and late', 'second', 'third']);
  });

  it('an acknowledgement inside a transaction commits with the data', async () => {
    await queue.produce('jobs', 'a');
    const [message] = await queue.consume('jobs', 'g');
    await db.atomic(async () => {
      await note(1);
      await message!.ack();
    });
    await message!.ack();
    expect(await notesIn(bench)).toEqual([1]);
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('an acknowledgement that rolls back leaves the message claimed, to be acknowledged again', async () => {
    await queue.produce('jobs', 'a', { key: 'k' });
    const [message] = await queue.consume('jobs', 'g', { wait: 10_000 });
    await failure(
      db.atomic(async () => {
        await message!.ack();
        throw new Error('no');
      }),
    );
    expect(await queue.info('jobs', 'g')).toMatchObject({ pending: 1 });
    expect(message!.signal.aborted).toBe(false);
    await message!.ack();
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('a stale consumer’s acknowledgement is refused, and its transaction rolled back', async () => {
    await queue.produce('jobs', 'a');
    const [stale] = await queue.consume('jobs', 'g');
    await queues.expire();
    const [fresh] = await queues.other().consume('jobs', 'g');
    const late = db.atomic(async () => {
      await note(1);
      await stale!.ack();
    });
    expect(await failure(late)).toBeInstanceOf(ClaimLostError);
    expect(await notesIn(bench)).toEqual([]);
    await fresh!.ack();
  });

  it('while a transaction that acknowledges is open its message is nobody else’s, even past its claim', async () => {
    await queue.produceMany('jobs', ['a', 'b']);
    const [message] = await queue.consume('jobs', 'g', { visibilityTimeout: 2000 });
    await db.atomic(async () => {
      await note(1);
      await message!.ack();
      await new Promise((resolve) => setTimeout(resolve, 2200));
      const others = await queues.other().consume('jobs', 'g', { batch: 5 });
      expect(bodies(others)).toEqual(['b']);
      expect(message!.signal.aborted).toBe(false);
    });
    expect(await notesIn(bench)).toEqual([1]);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual([]);
  });

  it('one transaction: a row, a message acknowledged, messages produced in two streams; all or nothing', async () => {
    await queue.createGroup('mails', 'g');
    await queue.produce('jobs', 'order');
    const [order] = await queue.consume('jobs', 'g');
    const work = async (fails: boolean): Promise<void> => {
      await db.atomic(async () => {
        await note(1);
        await queue.produce('mails', 'confirmation');
        await queue.produce('jobs', 'next', { delay: 0, key: 'k' });
        await order!.ack();
        if (fails) throw new NoTransactionError('no');
      });
    };
    await failure(work(true));
    expect(await drain(queue, 'mails', 'g', 0)).toEqual([]);
    await work(false);
    expect(bodies(await drain(queue, 'mails', 'g'))).toEqual(['confirmation']);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['next']);
    expect(await notesIn(bench)).toEqual([1]);
  });

  it('a claim waits for no producer whose transaction is open: on an empty queue, with one message, with five', async () => {
    for (const there of [0, 1, 5]) {
      await queue.produceMany('jobs', numbers(there));
      const open = await openTransaction(db, async () => {
        await queue.produceMany('jobs', ['x', 'y']);
        await queue.produce('jobs', 'z', { key: 'k', delay: 1 });
      });
      const own = queues.open(bench.open({ timeout: 15_000 }));
      const some = await own.consume('jobs', 'g', { batch: 10 });
      expect(some).toHaveLength(there);
      // Nor do the other statements.
      await some[0]?.extend();
      await some[0]?.nack({ delay: 1 });
      await Promise.all(some.slice(1).map((message) => message.ack()));
      await until('the one given back is there again', async () => {
        const [again] = await own.consume('jobs', 'g');
        await again?.ack();
        return again !== undefined || there === 0;
      });
      await own.trim('jobs');
      await open.commit();
      // One of them has a key, which the other queue may be looking after at this moment.
      expect(await drain(queue, 'jobs', 'g', 1000)).toHaveLength(3);
    }
  }, 60_000);

  it('what waits for a row that a transaction has locked holds up no other message and no other stream', async () => {
    await queue.createGroup('others', 'g');
    await queue.produceMany('jobs', numbers(4));
    const messages = await queue.consume('jobs', 'g', { batch: 4 });
    const operator = bench.open();
    const locked = await openTransaction(operator, async () => {
      for (const { claim } of messages.slice(0, 2)) {
        await operator.query(
          `SELECT * FROM ${queues.table('queue_deliveries')} FORCE INDEX (PRIMARY) ` +
            'WHERE group_id = ? AND message_id = ? FOR UPDATE',
          [claim.groupId, claim.messageId],
        );
      }
      await operator.query(
        `SELECT * FROM ${queues.table('queue_streams')} FORCE INDEX (name) WHERE name = ? FOR UPDATE`,
        [Buffer.from('jobs')],
      );
    });
    const settled: string[] = [];
    const noted = (what: string, work: Promise<unknown>): Promise<unknown> =>
      work.then(() => settled.push(what));
    const waiting: Promise<unknown>[] = [];
    // Each in a turn of its own, so that each is a statement of its own.
    for (const message of messages.slice(0, 2)) {
      waiting.push(noted('locked', message.ack()), noted('locked', queue.produce('jobs', 'late')));
      await nextTurn();
    }
    await Promise.all([
      noted('free', messages[2]!.ack()),
      noted('free', messages[3]!.ack()),
      noted('free', queue.produce('others', 'free')),
    ]);
    expect(settled).toEqual(['free', 'free', 'free']);
    await locked.commit();
    await Promise.all(waiting);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['late', 'late']);
  });
});
