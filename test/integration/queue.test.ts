import {
  ClaimLostError,
  InvalidArgumentError,
  MessageQueue,
  PoolClosedError,
  SchemaError,
  TransactionOpenError,
  auditReleases,
  connectionScope,
  type RetryingPooledDatabase,
} from '../../src/index';
import { QueueBench, bodies, collect, drain } from '../support/queue-bench';
import { elapsed } from '../support/running';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  const queues = new QueueBench(bench);
  let db: RetryingPooledDatabase;
  let queue: MessageQueue;

  beforeEach(async () => {
    ({ db, queue } = await queues.begin({ maxAttempts: 3 }));
  });

  it('payloads come back as what they were', async () => {
    const payloads = ['é😀', 7, -0, 12n, null, { a: [1, 'x'] }, Buffer.from([0, 255]), ''];
    await queue.produceMany('jobs', payloads);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(payloads);
  });

  it('a payload of a megabyte, alone and among small ones', async () => {
    const large = Buffer.alloc(1_000_000, 7);
    await queue.produceMany('jobs', ['a', large, 'b']);
    const [a, body, b] = bodies(await drain(queue, 'jobs', 'g'));
    expect([a, large.equals(body as Buffer), b]).toEqual(['a', true, 'b']);
  });

  it('two groups each get everything', async () => {
    await queue.createGroup('jobs', 'h');
    await queue.produceMany('jobs', [1, 2, 3]);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual([1, 2, 3]);
    expect(bodies(await drain(queue, 'jobs', 'h'))).toEqual([1, 2, 3]);
  });

  it('two consumers of a group never have the same message at once, and get all', async () => {
    const other = queues.other();
    const payloads = Array.from({ length: 300 }, (_, at) => at);
    await queue.produceMany('jobs', payloads);
    const taken = await Promise.all(
      [queue, other, queue, other].map(async (one) => {
        const own: unknown[] = [];
        for (;;) {
          const some = await one.consume('jobs', 'g', { batch: 7 });
          if (some.length === 0) return own;
          own.push(...bodies(some));
        }
      }),
    );
    expect(taken.flat().sort((a, b) => Number(a) - Number(b))).toEqual(payloads);
  });

  it('consumers of one process that ask at the same moment share one claim, and what there is', async () => {
    await queue.produceMany('jobs', [1, 2, 3, 4]);
    const before = db.stats().acquired;
    const shares = await Promise.all(
      Array.from({ length: 4 }, () => queue.consume('jobs', 'g', { batch: 50 })),
    );
    expect(shares.map((share) => share.length)).toEqual([1, 1, 1, 1]);
    expect(db.stats().acquired - before).toBeLessThan(6);
  });

  it('a message that was given back comes again after its pause, one attempt older', async () => {
    await queue.produce('jobs', 'a');
    const [first] = await queue.consume('jobs', 'g');
    const took = await elapsed(async () => {
      await first!.nack({ delay: 2000 });
      expect(await queue.consume('jobs', 'g')).toEqual([]);
      const [second] = await queue.consume('jobs', 'g', { wait: 10_000 });
      expect(second).toMatchObject({ body: 'a', attempt: 2 });
    });
    expect(took).toBeGreaterThan(1990);
  });

  it('after its last attempt a message is a dead letter with its reason, and redrive() gives it all attempts again', async () => {
    const id = await queue.produce('jobs', { n: 1 });
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [message] = await queue.consume('jobs', 'g', { wait: 10_000 });
      expect(message!.attempt).toBe(attempt);
      await message!.nack({ reason: `failed ${attempt}`, delay: 0 });
    }
    expect(await queue.consume('jobs', 'g')).toEqual([]);
    const dead = await collect(queue.deadLetters('jobs', 'g'));
    expect(dead).toMatchObject([{ id, body: { n: 1 }, attempts: 3, reason: 'failed 3' }]);
    expect(await queue.info('jobs', 'g')).toMatchObject({ dead: 1, lag: 0, pending: 0 });
    expect(await queue.redrive('jobs', 'g', [id])).toBe(1);
    expect(await queue.redrive('jobs', 'g')).toBe(0);
    const [again] = await queue.consume('jobs', 'g');
    expect(again).toMatchObject({ id, attempt: 1 });
  });

  it('a message whose consumer died comes to others when its claim has ended, and at last to the dead letters', async () => {
    await queue.produce('jobs', 'a');
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [message] = await queue.consume('jobs', 'g', { visibilityTimeout: 800, wait: 10_000 });
      expect(message!.attempt).toBe(attempt);
    }
    await until('it is dead', async () => {
      await queue.consume('jobs', 'g');
      return (await queue.info('jobs', 'g')).dead === 1;
    });
    const [letter] = await collect(queue.deadLetters('jobs', 'g'));
    expect(letter?.reason).toMatch(/not acknowledged in time/);
  });

  it('a delayed message is not delivered before its time, by the server’s clock', async () => {
    await queue.produce('jobs', 'later', { delay: 3000 });
    await queue.produce('jobs', 'now');
    expect(bodies(await queue.consume('jobs', 'g', { batch: 10 }))).toEqual(['now']);
    const [message] = await queue.consume('jobs', 'g', { wait: 10_000 });
    expect(message!.body).toBe('later');
    expect(message!.age).toBeGreaterThanOrEqual(3000);
  });

  it('a dedupeKey keeps out a second message for its window, here, at the same moment and elsewhere', async () => {
    const own = queues.open(db, { dedupeWindow: 60_000 });
    const from = [own, queues.other({ dedupeWindow: 60_000 })];
    const ids = await Promise.all(
      Array.from({ length: 10 }, (_, at) => from[at % 2]!.produce('jobs', at, { dedupeKey: 'k' })),
    );
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toBeGreaterThan(0);
    const other = await own.produce('jobs', 'x', { dedupeKey: 'K' });
    expect(other).not.toBe(ids[0]);
    expect(await drain(queue, 'jobs', 'g')).toHaveLength(2);
    // Half of its time goes by, and then all of it.
    const pass = (seconds: number): Promise<unknown> =>
      bench.sql(
        `UPDATE ${queues.table('queue_dedupe')} SET expires_at = expires_at - INTERVAL ${seconds} SECOND`,
      );
    await pass(30);
    expect(await own.produce('jobs', 'early', { dedupeKey: 'k' })).toBe(ids[0]);
    await pass(30);
    expect(await own.produce('jobs', 'again', { dedupeKey: 'k' })).not.toBe(ids[0]);
    expect(bodies(await drain(queue, 'jobs', 'g'))).toEqual(['again']);
  });

  it('streams are served in the order of their priority', async () => {
    await queue.createGroup('urgent', 'g');
    await queue.produceMany('jobs', ['a', 'b', 'c']);
    await queue.produceMany('urgent', ['x', 'y']);
    const both = ['urgent', 'jobs'];
    expect(bodies(await queue.consume(both, 'g', { batch: 3 }))).toEqual(['x', 'y', 'a']);
    const waiting = queue.consume(['urgent', 'empty'], 'g', { wait: 5000 });
    expect(await failure(waiting)).toBeInstanceOf(InvalidArgumentError);
  });

  it('a consumer that waits is woken at once by what this process produces, and holds no connection', async () => {
    const waiting = queues.open(db, { pollInterval: 10_000 }).consume('jobs', 'g', {
      wait: 10_000,
    });
    await until('it waits', () => db.stats().active === 0 && db.stats().acquired > 3);
    const slow = queues.open(db, { pollInterval: 10_000 });
    const idle = slow.consume('jobs', 'g', { wait: 10_000 });
    // Long enough for the pause to have grown.
    await new Promise((resolve) => setTimeout(resolve, 400));
    await until('no connection is held', () => db.stats().active === 0);
    const took = await elapsed(async () => {
      await queue.produceMany('jobs', ['a', 'b']);
      expect(bodies([...(await waiting), ...(await idle)]).sort()).toEqual(['a', 'b']);
    });
    expect(took).toBeLessThan(5000);
  });

  it('a consumer is woken by what another process produces within its poll interval', async () => {
    const waiting = queue.consume('jobs', 'g', { wait: 10_000 });
    await queues.other().produce('jobs', 'a');
    expect(bodies(await waiting)).toEqual(['a']);
  });

  it('consume() gives the scope’s connection back, waits for a signal, and is refused in a transaction', async () => {
    await connectionScope(async () => {
      await db.query('DO 0');
      expect(db.stats().active).toBe(1);
      const over = new AbortController();
      const waiting = queue.consume('jobs', 'g', { wait: 60_000, signal: over.signal });
      await until('it waits', () => db.stats().active === 0);
      over.abort(new Error('enough'));
      expect((await failure(waiting)).message).toBe('enough');
      await queue.produce('jobs', 'left');
      const late = queue.consume('jobs', 'g', { signal: over.signal });
      expect((await failure(late)).message).toBe('enough');
    });
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 1, pending: 0 });
    const inside = db.atomic(() => queue.consume('jobs', 'g'));
    expect(await failure(inside)).toBeInstanceOf(TransactionOpenError);
  });

  it('an acknowledgement after the claim has ended is refused, taken over or not; a second one resolves', async () => {
    await queue.produceMany('jobs', [1, 2, 3]);
    const [a, b, c] = await queue.consume('jobs', 'g', { batch: 3 });
    await a!.ack();
    await a!.ack();
    await queues.expire();
    expect(await failure(b!.ack())).toBeInstanceOf(ClaimLostError);
    expect(b!.signal.aborted).toBe(true);
    const others = await queues.other().consume('jobs', 'g', { batch: 9 });
    expect(bodies(others)).toEqual([2, 3]);
    const acks = await Promise.allSettled([c!.ack(), others[0]!.ack(), others[1]!.ack()]);
    expect(acks.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await queue.info('jobs', 'g')).toMatchObject({ lag: 0, pending: 0 });
  });

  it('extend() keeps a message; its signal fires in time where nobody does', async () => {
    await queue.produceMany('jobs', [1, 2]);
    const [kept, left] = await queue.consume('jobs', 'g', { batch: 2, visibilityTimeout: 3000 });
    await kept!.extend(60_000);
    expect(left!.signal.aborted).toBe(false);
    await until('it is lost', () => left!.signal.aborted);
    expect(left!.signal.reason).toBeInstanceOf(ClaimLostError);
    expect(left!.expiresIn).toBe(0);
    expect(kept!.expiresIn).toBeGreaterThan(50_000);
    // The server has not let anybody else in yet, or only just.
    await kept!.ack();
    expect(await failure(left!.extend())).toBeInstanceOf(ClaimLostError);
  });

  it('a queue that was closed takes no more work, and rejects those who wait', async () => {
    const own = queues.open(db);
    const waiting = failure(own.consume('jobs', 'g', { wait: 60_000 }));
    await until('it waits', () => db.stats().active === 0);
    await own.close();
    expect(await waiting).toBeInstanceOf(PoolClosedError);
    expect(await failure(own.consume('jobs', 'g'))).toBeInstanceOf(PoolClosedError);
    expect(await failure(own.claimStale('jobs', 'g', 'ann'))).toBeInstanceOf(PoolClosedError);
    expect(() => own.worker('jobs', 'g', () => {})).toThrow(PoolClosedError);
    expect(() => own.schedule('a', '* * * * *', { stream: 'jobs' })).toThrow(PoolClosedError);
  });

  it('every public method that runs nobody’s function releases its connection', () => {
    expect(auditReleases(MessageQueue)).toEqual(['close']);
  });

  it('says what is wrong with arguments, and never what they are', async () => {
    const wrong: [() => Promise<unknown>, string][] = [
      [() => queue.produce('', 1), 'stream'],
      [() => queue.produce('jobs', undefined), 'payload'],
      [() => queue.produce('jobs', 1, { delay: -1 }), 'delay'],
      [() => queue.produce('jobs', 1, { key: 'k'.repeat(256) }), 'key'],
      [() => queue.produceMany('jobs', 'secret' as never), 'payloads'],
      [() => queue.consume('jobs', 'secret'), 'group'],
      [() => queue.consume([], 'g'), 'streams'],
      [() => queue.consume('jobs', 'g', { batch: 0 }), 'batch'],
      [() => queue.consume('jobs', 'g', { retries: 1 } as never), 'options'],
      [() => queue.createGroup('jobs', 'h', { from: 'secret' as never }), 'from'],
      [() => queue.requeue('jobs', 'g', 1.5), 'id'],
    ];
    for (const [call, argument] of wrong) {
      const error = await failure(call());
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).toContain(argument);
      expect(error.message).not.toContain('secret');
    }
  });

  it('without tables it names install(); with autoInstall it makes them', async () => {
    const missing = new MessageQueue(db, { prefix: 'none_' });
    expect(await failure(missing.produce('jobs', 1))).toBeInstanceOf(SchemaError);
    const auto = new MessageQueue(db, { prefix: 'auto_', autoInstall: true });
    await auto.createGroup('jobs', 'g');
    await auto.produce('jobs', 1);
    expect(await auto.consume('jobs', 'g')).toHaveLength(1);
  });
});
