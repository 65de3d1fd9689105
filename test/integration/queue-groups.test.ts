import type { MessageQueue, RetryingPooledDatabase } from '../../src/index';
import {
  QueueBench,
  bodies,
  drain,
  openTransaction,
  untilGroupWaits,
} from '../support/queue-bench';
import { onEachServer } from '../support/servers';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let db: RetryingPooledDatabase;
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ db, queue } = await queues.begin({ maxAttempts: 3 }));
  });

  /** Over a pool whose statements wait for nobody as long as a transaction here is open. */
  const impatient = (): MessageQueue => queues.open(bench.open({ timeout: 15_000 }));

  it('a group that begins at the start gets what is still there, one that begins now does not', async () => {
    await queue.produce('jobs', 'old');
    await queue.produce('jobs', 'old with a key', { key: 'k' });
    await queue.createGroup('jobs', 'all', { from: 'start' });
    await queue.createGroup('jobs', 'new');
    await queue.produce('jobs', 'new');
    expect(bodies(await drain(queue, 'jobs', 'new'))).toEqual(['new']);
    expect(bodies(await drain(queue, 'jobs', 'all'))).toEqual(
      expect.arrayContaining(['old', 'old with a key', 'new']),
    );
  });

  it('createGroup() twice is once; of twenty at the same moment one makes it', async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? queue : queues.other()).createGroup('jobs', 'twenty'),
      ),
    );
    expect(made.filter(Boolean)).toHaveLength(1);
  });

  it.each(['now', 'start'] as const)(
    'a group created from %s while producers’ transactions are open gets what they commit, whatever the order of ids',
    async (from) => {
      const early = await openTransaction(db, async () => {
        await queue.produce('jobs', 'open');
        await queue.produce('jobs', 'open, with a key', { key: 'k' });
        await queue.produce('jobs', 'open, delayed', { delay: 1 });
      });
      // Of later ids, and committed before anybody asks for the group.
      await queue.produceMany('jobs', ['committed', 'too']);
      const late = await openTransaction(db, () => queue.produce('jobs', 'later'));
      const creating = queues.other().createGroup('jobs', 'new', { from });
      await untilGroupWaits(bench);
      await late.commit();
      await early.commit();
      expect(await creating).toBe(true);
      const open = ['later', 'open', 'open, delayed', 'open, with a key'];
      const there = from === 'start' ? ['committed', ...open, 'too'] : open;
      const got = bodies(await drain(queue, 'jobs', 'new', 300));
      expect(got.sort()).toEqual(there);
      await queue.produce('jobs', 'after');
      expect(bodies(await drain(queue, 'jobs', 'new'))).toEqual(['after']);
    },
  );

  it('a group that is created in a transaction gets what open producers commit, too', async () => {
    await queue.produce('jobs', 'committed');
    const open = await openTransaction(db, () => queue.produce('jobs', 'open'));
    const theirs = bench.open();
    const creator = queues.open(theirs);
    const creating = theirs.atomic(() => creator.createGroup('jobs', 'new'));
    await untilGroupWaits(bench);
    await open.commit();
    expect(await creating).toBe(true);
    expect(bodies(await drain(queue, 'jobs', 'new'))).toEqual(['open']);
  });

  it('a group that was created first gets what a transaction produces that was open before', async () => {
    await db.atomic(async () => {
      await db.execute('INSERT INTO notes (id) VALUES (1)');
      await queues.other().createGroup('jobs', 'new');
      await queue.produce('jobs', 'open');
    });
    expect(bodies(await drain(queue, 'jobs', 'new'))).toEqual(['open']);
  });

  it('createGroup() for one that is there waits for no producer, and holds none up', async () => {
    const open = await openTransaction(db, () => queue.produce('jobs', 1));
    expect(await impatient().createGroup('jobs', 'g')).toBe(false);
    expect(await impatient().createGroup('jobs', 'g', { maxAttempts: 7 })).toBe(false);
    await open.commit();
    const [row] = await bench.sql(`SELECT max_attempts FROM ${queues.table('queue_groups')}`);
    expect(row).toMatchObject({ max_attempts: 7 });
  });

  it('createGroup() waits for no producer of another stream, whichever was there first', async () => {
    for (const stream of ['a', 'b', 'c']) await queue.createGroup(stream, 'g');
    const open = await openTransaction(db, async () => {
      await queue.produce('b', 1);
      await queue.produce('b', 2, { key: 'k' });
    });
    for (const stream of ['a', 'c', 'new']) {
      expect(await impatient().createGroup(stream, 'from now on')).toBe(true);
      expect(await impatient().createGroup(stream, 'from the start', { from: 'start' })).toBe(true);
      await impatient().produce(stream, 3);
    }
    await open.commit();
  });

  it('maxAttempts that was changed counts for what was claimed before, and for those who consumed before', async () => {
    await queue.produce('jobs', 1);
    await queue.consume('jobs', 'g');
    await queue.createGroup('jobs', 'g', { maxAttempts: 1 });
    await queues.expire();
    expect(await queue.consume('jobs', 'g', { wait: 200 })).toEqual([]);
    expect(await queue.info('jobs', 'g')).toMatchObject({ dead: 1 });
  });

  it('deleteGroup() takes all of a group with it, and its name can be used again', async () => {
    await queue.produce('jobs', 'old');
    await queue.produce('jobs', 'old', { key: 'k' });
    const [held] = await queue.consume('jobs', 'g');
    expect(await queue.deleteGroup('jobs', 'g')).toBe(true);
    expect(await queue.deleteGroup('jobs', 'g')).toBe(false);
    await expect(held!.ack()).rejects.toThrow('claim');
    expect(await queue.createGroup('jobs', 'g')).toBe(true);
    await queue.produce('jobs', 'new');
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['new']);
  });
});
