import type { MessageQueue } from '../../src/index';
import type { Bench } from './part';
import { atMost, type Measurement } from './result';
import { medianOf } from './spread';

const WAITING = 1_000_000;
const DELAYED = 100_000;
const AT_A_TIME = 10_000;
const CLAIMS = 40;
const BATCH = 50;
/** A claim on the whole backlog may take so many times what it takes on a small one. */
const FLAT = 3;

async function fill(queue: MessageQueue, stream: string, count: number, delay = 0): Promise<void> {
  const payloads = Array.from({ length: AT_A_TIME }, (_, at) => at);
  for (let made = 0; made < count; made += AT_A_TIME) {
    await queue.produceMany(stream, payloads, { delay });
  }
}

async function claimTimes(queue: MessageQueue, stream: string): Promise<number[]> {
  const times: number[] = [];
  for (let claim = 0; claim < CLAIMS; claim++) {
    const begun = performance.now();
    const messages = await queue.consume(stream, 'g', { batch: BATCH });
    times.push(performance.now() - begun);
    await Promise.all(messages.map((message) => message.ack()));
  }
  return times;
}

/** Whether a claim costs the same, however many messages wait. */
export async function measureBacklog({ library, server }: Bench): Promise<Measurement[]> {
  const { MessageQueue, RetryingPooledDatabase, install } = library;
  const db = new RetryingPooledDatabase({ uri: server.url });
  await install(db);
  const queue = new MessageQueue(db, { retention: 86_400_000 });
  try {
    for (const stream of ['small', 'large']) await queue.createGroup(stream, 'g');
    await fill(queue, 'small', AT_A_TIME);
    const small = medianOf(await claimTimes(queue, 'small'));
    await fill(queue, 'large', DELAYED, 3_600_000);
    await fill(queue, 'large', WAITING);
    const large = medianOf(await claimTimes(queue, 'large'));
    const info = await queue.info('large', 'g');
    return [
      {
        part: 'queue',
        name: `claim of ${BATCH} of ${WAITING} waiting and ${DELAYED} delayed : of ${AT_A_TIME}`,
        concurrency: 1,
        figures: `${large.toFixed(2)} ms : ${small.toFixed(2)} ms; ${info.lag} left`,
        bars: [atMost('growth', large / small, FLAT)],
      },
    ];
  } finally {
    for (const stream of ['small', 'large']) await queue.deleteGroup(stream, 'g');
    await queue.close();
    await db.end();
  }
}
