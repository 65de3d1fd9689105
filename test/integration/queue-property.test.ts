import fc from 'fast-check';
import {
  ClaimLostError,
  type Message,
  type MessageQueue,
  type RetryingPooledDatabase,
} from '../../src/index';
import { resolveQueueOptions } from '../../src/queue/queue-options';
import { makeParts } from '../../src/queue/queue-parts';
import { longForm } from '../support/long-form';
import { quiet } from '../support/plain-queue';
import { QueueBench, collect } from '../support/queue-bench';
import {
  MAX_ATTEMPTS,
  QueueModel,
  queueHistory,
  tellingHistory,
  type QueueEnd,
  type QueueStep,
} from '../support/queue-model';
import { onEachServer } from '../support/servers';

const PROPERTY = longForm<{ numRuns: number; seed?: number }>('BOOMERANG_QUEUE_MODEL', {
  numRuns: 40,
});

/** Does to a queue what the model does to a list. */
class Trial {
  readonly #queues: QueueBench;
  readonly #db: RetryingPooledDatabase;
  readonly #queue: MessageQueue;
  readonly #hands: Message[] = [];
  #bodies = 0;

  constructor(queues: QueueBench, db: RetryingPooledDatabase, queue: MessageQueue) {
    this.#queues = queues;
    this.#db = db;
    this.#queue = queue;
  }

  async run(step: QueueStep): Promise<QueueEnd> {
    try {
      return await this.#run(step);
    } catch (error) {
      if (error instanceof ClaimLostError) return 'lost';
      throw error;
    }
  }

  async #run({ do: what, n }: QueueStep): Promise<QueueEnd> {
    const queue = this.#queue;
    switch (what) {
      case 'produce':
        await queue.produceMany(
          'jobs',
          Array.from({ length: n + 1 }, () => this.#bodies++),
        );
        return 'done';
      case 'produceInVain':
        return this.#inVain(() => queue.produce('jobs', 'never'));
      case 'consume': {
        const some = await queue.consume('jobs', 'g', { batch: n + 1 });
        this.#hands.push(...some);
        return some.map(({ body, attempt }) => `${String(body)}/${attempt}`).join(' ');
      }
      case 'redrive':
        return String(await queue.redrive('jobs', 'g'));
      case 'expire':
        return this.#expire();
      default:
    }
    const message = this.#hands.at(-1 - n);
    if (message === undefined) return 'nothing';
    if (what === 'requeue') return String(await queue.requeue('jobs', 'g', message.id));
    if (what === 'ackInVain') return this.#inVain(() => message.ack());
    await (what === 'ack' ? message.ack() : message.nack({ delay: 0 }));
    return 'done';
  }

  async #expire(): Promise<QueueEnd> {
    const { pending } = await this.#queue.info('jobs', 'g');
    // What it does beside would have a part of them, and be late with it.
    await quiet(this.#queue);
    await this.#queues.expire();
    const { directory, upkeep } = makeParts(this.#db, resolveQueueOptions({}));
    await upkeep.run(await directory.group('jobs', 'g'));
    return String(pending);
  }

  async #inVain(work: () => Promise<unknown>): Promise<QueueEnd> {
    const no = new Error('no');
    try {
      await this.#db.atomic(async () => {
        await work();
        throw no;
      });
    } catch (error) {
      if (error !== no) throw error;
    }
    return 'done';
  }
}

onEachServer((bench) => {
  const queues = new QueueBench(bench);

  it('whatever is done in whatever order: each message is ready, claimed, dead or acknowledged, and as often as it was produced', async () => {
    const db = bench.open({ connectionLimit: 3 });
    const ends = new Set<string>();
    let stream = 0;
    await fc.assert(
      fc.asyncProperty(queueHistory, async (steps) => {
        await queues.clear();
        const queue = queues.open(db, { retention: 3_600_000 });
        await queue.createGroup('jobs', 'g', { maxAttempts: MAX_ATTEMPTS });
        stream++;
        const model = new QueueModel();
        const trial = new Trial(queues, db, queue);
        for (const step of steps) {
          const expected = model.run(step);
          ends.add(`${step.do} ${/^\d+(\/|$)/.test(expected) ? 'some' : expected}`);
          expect([step, await trial.run(step)]).toEqual([step, expected]);
          expect(await queue.info('jobs', 'g')).toMatchObject({
            length: model.produced,
            lag: model.count('ready'),
            pending: model.count('claimed'),
            dead: model.count('dead'),
          });
        }
        expect(await collect(queue.deadLetters('jobs', 'g'))).toHaveLength(model.count('dead'));
        await queue.close();
      }),
      { ...PROPERTY, examples: [[tellingHistory]] },
    );
    expect(stream).toBeGreaterThan(0);
    // The histories came to where it matters.
    for (const end of ['ack done', 'ack lost', 'nack done', 'requeue true', 'redrive some']) {
      expect(ends).toContain(end);
    }
  }, 3_600_000);
});
