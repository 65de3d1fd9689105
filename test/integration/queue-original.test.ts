import type { MessageQueue } from '../../src/index';
import { QueueBench, bodies, collect, drain } from '../support/queue-bench';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

/* What the system this idea comes from got wrong, each once. */
onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ queue } = await queues.begin({ maxAttempts: 2 }, { retention: 60_000 }));
  });

  it('two groups do not split a stream between them', async () => {
    await queue.createGroup('jobs', 'h');
    await queue.produceMany('jobs', [1, 2, 3, 4]);
    const both = await Promise.all([drain(queue, 'jobs', 'g', 0), drain(queue, 'jobs', 'h', 0)]);
    expect(both.map(bodies)).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
  });

  it('a consumer that has messages in hand gets new ones, and not those again', async () => {
    await queue.produceMany('jobs', [1, 2]);
    const first = await queue.consume('jobs', 'g', { consumer: 'ann' });
    const second = await queue.consume('jobs', 'g', { consumer: 'ann', batch: 5 });
    expect(bodies([...first, ...second])).toEqual([1, 2]);
    const names = ['>', '$', '0', '*'];
    for (const name of names) await queue.createGroup(name, name);
    for (const name of names) await queue.produce(name, name, { key: name, dedupeKey: name });
    for (const name of names) expect(bodies(await drain(queue, name, name))).toEqual([name]);
  });

  it('requeued twice, and at the same moment, a message is one', async () => {
    const id = await queue.produce('jobs', 'a');
    await queue.consume('jobs', 'g');
    const twice = [queue.requeue('jobs', 'g', id), queues.other().requeue('jobs', 'g', id)];
    expect((await Promise.all(twice)).sort()).toEqual([false, true]);
    expect(await queue.requeue('jobs', 'g', id)).toBe(false);
    expect(bodies(await drain(queue, 'jobs', 'g', 0))).toEqual(['a']);
  });

  it('a dead consumer’s messages come back by themselves, and end among the dead letters', async () => {
    await queue.produce('jobs', 'a');
    await queue.consume('jobs', 'g', { visibilityTimeout: 800 });
    const [again] = await queues
      .other()
      .consume('jobs', 'g', { visibilityTimeout: 800, wait: 10_000 });
    expect(again!.attempt).toBe(2);
    await until('it is dead', async () => {
      await queue.consume('jobs', 'g');
      return (await collect(queue.deadLetters('jobs', 'g'))).length === 1;
    });
  });

  it('the lag is what is not claimed yet, whatever was claimed and acknowledged before', async () => {
    await queue.produceMany('jobs', [1, 2, 3, 4, 5]);
    await queue.produce('jobs', 6, { delay: 60_000 });
    await queue.produceMany('jobs', [7, 8], { key: 'k' });
    const some = await queue.consume('jobs', 'g', { batch: 3 });
    await some[0]!.ack();
    const info = await queue.info('jobs', 'g');
    expect(info).toMatchObject({ length: 8, lag: 5, delayed: 1, pending: 2, dead: 0 });
    expect(info.oldest).toBeGreaterThan(0);
  });

  it('names that differ by case, blanks or accents are different streams, groups and keys', async () => {
    const names = ['jobs', 'JOBS', 'jobs ', 'jóbs'];
    for (const name of names) {
      await queue.createGroup(name, 'g');
      await queue.createGroup(name, 'G');
      await queue.produce(name, name);
    }
    for (const name of names) {
      expect(bodies(await drain(queue, name, 'g', 0))).toEqual([name]);
      expect(bodies(await drain(queue, name, 'G', 0))).toEqual([name]);
    }
  });

  it('messages of a stream are found by an index, and go when they are done with', async () => {
    await queue.produceMany('jobs', [1, 2, 3]);
    await drain(queue, 'jobs', 'g', 0);
    const [plan] = await queues.plan(
      `SELECT COUNT(*) FROM ${queues.table('queue_messages')} WHERE stream_id = 1`,
    );
    expect(plan).toMatchObject({ key: 'stream' });
    expect(await queue.trim('jobs')).toBe(3);
    expect(await queue.info('jobs', 'g')).toMatchObject({ length: 0, oldest: 0 });
  });
});
