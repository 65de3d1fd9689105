import { InvalidArgumentError, type MessageQueue } from '../../src/index';
import { QueueBench, bodies, drain } from '../support/queue-bench';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let queue: MessageQueue;
  const every = { stream: 'jobs', payload: 'tick' };

  beforeEach(async () => {
    ({ queue } = await queues.begin());
  });

  const firedFor = async (name: string): Promise<string | undefined> => {
    const [row] = await bench.sql(
      `SELECT CAST(fired_for AS CHAR) AS at FROM ${queues.table('queue_schedules')} WHERE name = ?`,
      [name],
    );
    return row === undefined ? undefined : String(row['at']);
  };

  it('four processes with one schedule fire once for each moment, and none before the first', async () => {
    const all = [queue, queues.other(), queues.other(), queues.other()];
    const schedules = all.map((one) => one.schedule('second', '* * * * * *', every));
    // Both as they are at one moment.
    const look = async (): Promise<{ at: number; count: number } | undefined> => {
      const [row] = await bench.sql(
        `SELECT CAST(fired_for AS CHAR) AS at, (SELECT COUNT(*) FROM ${queues.table('queue_messages')}) AS count ` +
          `FROM ${queues.table('queue_schedules')} WHERE name = 'second'`,
      );
      if (row === undefined) return undefined;
      return { at: Date.parse(`${String(row['at'])}Z`), count: Number(row['count']) };
    };
    let first: { at: number; count: number } | undefined;
    await until('it has begun', async () => (first = await look()) !== undefined);
    await until('it has fired', async () => (await queue.info('jobs', 'g')).lag >= 2);
    await Promise.all(schedules.map((schedule) => schedule.stop()));
    const last = await look();
    expect(last!.count).toBeGreaterThanOrEqual(2);
    expect(last!.count - first!.count).toBeLessThanOrEqual((last!.at - first!.at) / 1000);
    expect(await drain(queue, 'jobs', 'g', 0)).toHaveLength(last!.count);
  }, 20_000);

  it('of moments at which no process was there the last is made up for, once', async () => {
    const first = queue.schedule('yearly', '0 0 1 1 *', every);
    await until('it has begun', async () => (await firedFor('yearly')) !== undefined);
    await first.stop();
    await bench.sql(
      `UPDATE ${queues.table('queue_schedules')} SET fired_for = fired_for - INTERVAL 3 YEAR`,
    );
    const again = [queue, queues.other()].map((one) => one.schedule('yearly', '0 0 1 1 *', every));
    expect(bodies(await queue.consume('jobs', 'g', { batch: 9, wait: 10_000 }))).toEqual(['tick']);
    await Promise.all(again.map((schedule) => schedule.stop()));
    expect(await queue.consume('jobs', 'g')).toEqual([]);
  });

  it('refuses what is no cron expression and no time zone, at once', () => {
    expect(() => queue.schedule('a', 'every now and then', every)).toThrow(InvalidArgumentError);
    const nowhere = { ...every, timezone: 'Nowhere/None' };
    expect(() => queue.schedule('a', '* * * * *', nowhere)).toThrow(InvalidArgumentError);
  });
});
