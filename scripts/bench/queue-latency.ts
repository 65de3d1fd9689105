import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { MessageQueue } from '../../src/index';
import type { Bench } from './part';
import type { Measurement } from './result';
import { medianOf } from './spread';

const ROUNDS_PER_BLOCK = 20;

function told(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? NaN;
  return `${medianOf(times).toFixed(1)} ms p99 ${p99.toFixed(1)}`;
}

/** From produce() to the handler in this process, or in the child; by this process's clock. */
async function latencies(
  queue: MessageQueue,
  stream: string,
  rounds: number,
  arrived: () => Promise<unknown>,
  idle: number,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await wait(idle * (0.5 + Math.random()));
    const arrival = arrived();
    const begun = performance.now();
    await queue.produce(stream, round);
    await arrival;
    times.push(performance.now() - begun);
  }
  return times;
}

/** A stream of messages beside those that are measured: the consumer is awake. */
async function busy(queue: MessageQueue, stream: string, over: { isOver: boolean }): Promise<void> {
  while (!over.isOver) {
    await queue.produceMany(stream, ['noise', 'noise']);
    await wait(5);
  }
}

export async function measureLatency(bench: Bench): Promise<Measurement[]> {
  const { MessageQueue, RetryingPooledDatabase, install } = bench.library;
  const db = new RetryingPooledDatabase({ uri: bench.server.url });
  await install(db);
  const queue = new MessageQueue(db);
  const child = fork(join(__dirname, 'queue-latency-child.ts'), [bench.server.url, 'far'], {
    execArgv: ['--import', 'tsx'],
  });
  try {
    await queue.createGroup('near', 'g');
    await queue.createGroup('far', 'g');
    let here: () => void = () => undefined;
    queue.worker('near', 'g', ({ body }) => {
      if (body !== 'noise') here();
    });
    await once(child, 'message');
    child.send('work');
    const rounds = bench.blocks * ROUNDS_PER_BLOCK;
    const inThis = (): Promise<void> => new Promise((resolve) => (here = resolve));
    const inThat = (): Promise<unknown> => arrivedIn(child);
    const rows: Measurement[] = [];
    for (const [name, stream, arrived] of [
      ['the same process', 'near', inThis],
      ['another process', 'far', inThat],
    ] as const) {
      const idle = await latencies(queue, stream, rounds, arrived, 200);
      const over = { isOver: false };
      const noise = busy(queue, stream, over);
      const awake = await latencies(queue, stream, rounds, arrived, 20);
      over.isOver = true;
      await noise;
      rows.push({
        part: 'queue',
        name: `produce() to handler in ${name}, idle : busy`,
        concurrency: 1,
        figures: `${told(idle)} : ${told(awake)}`,
        bars: [],
      });
    }
    return rows;
  } finally {
    child.disconnect();
    await queue.close();
    await db.end();
  }
}

function arrivedIn(child: ChildProcess): Promise<unknown> {
  return once(child, 'message');
}
