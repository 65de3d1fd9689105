import { install } from '../../src/install';
import { MessageQueue } from '../../src/queue/message-queue';
import { call, urlOf, type CliRun } from '../support/cli';
import { onEachServer } from '../support/servers';

onEachServer((bench) => {
  const url = urlOf(bench.server, bench.schema);
  const run = (...args: string[]): Promise<CliRun> => call(args, { url });
  const json = async (...args: string[]): Promise<any> => (await run(...args, '--json')).json;
  const queues: MessageQueue[] = [];

  function queue(): MessageQueue {
    const made = new MessageQueue(bench.open(), { pollInterval: 20 });
    queues.push(made);
    return made;
  }

  /** Delivers all that is ready once, and gives it up: a group of one attempt has dead letters then. */
  async function kill(from: MessageQueue, stream: string, group: string): Promise<void> {
    for (const message of await from.consume(stream, group, { batch: 10 })) {
      await message.nack({ reason: 'card 4711-0815 was refused' });
    }
  }

  beforeAll(async () => {
    const db = bench.open();
    await install(db);
    await db.end();
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((each) => each.close()));
    for (const table of ['streams', 'groups', 'messages', 'deliveries', 'waiting', 'lanes']) {
      await bench.sql(`DELETE FROM ${bench.schema}.boomerang_queue_${table}`);
    }
  });

  it('queue ls shows every group of every stream, and how far behind it is', async () => {
    const some = queue();
    await some.createGroup('orders', 'mailer');
    await some.createGroup('orders', 'billing\x07');
    await some.produceMany('orders', [1, 2, 3]);
    await some.produce('orders', 4, { delay: 60_000 });
    await some.produce('nobody reads it', 1);
    const [claimed] = await some.consume('orders', 'mailer');
    const { groups } = await json('queue', 'ls');
    expect(groups).toMatchObject([
      { stream: 'nobody reads it', group: null },
      {
        stream: 'orders',
        group: 'billing\x07',
        length: 4,
        lag: 4,
        delayed: 1,
        pending: 0,
        dead: 0,
      },
      { stream: 'orders', group: 'mailer', length: 4, lag: 3, delayed: 1, pending: 1, dead: 0 },
    ]);
    const { stdout } = await run('queue', 'ls', 'orders');
    expect(stdout).toMatch(/^orders +billing\\u\{7\} +4 +4 +1 +0 +0 +\S+ m?s$/m);
    expect(stdout).not.toContain('nobody');
    expect((await json('status')).queues).toHaveLength(3);
    await claimed!.ack();
  });

  it('queue peek shows messages and takes none; payloads only when asked', async () => {
    const some = queue();
    await some.createGroup('orders', 'mailer', { maxAttempts: 1 });
    await some.produceMany('orders', [{ card: '4711-0815' }, 'text', Buffer.from('bytes')]);
    for (let n = 0; n < 2; n++) {
      const closed = await run('queue', 'peek', 'orders', 'mailer', '--json');
      expect(closed.json.messages).toHaveLength(3);
      expect(closed.stdout).not.toContain('4711-0815');
    }
    expect((await json('queue', 'peek', 'orders', 'mailer', '--limit', '1')).messages).toHaveLength(
      1,
    );
    const open = await json('queue', 'peek', 'orders', 'mailer', '--payload');
    expect(open.messages.map(({ payload }: { payload: unknown }) => payload)).toEqual([
      { card: '4711-0815' },
      'text',
      { base64: Buffer.from('bytes').toString('base64') },
    ]);
    await kill(some, 'orders', 'mailer');
    const dead = await run('queue', 'peek', 'orders', 'mailer', '--state', 'dead');
    expect(dead.stdout).toMatch(/^ *\d+ +1 .* ago$/m);
    expect(dead.stdout).not.toContain('4711-0815');
    const why = await run('queue', 'peek', 'orders', 'mailer', '--state', 'dead', '--payload');
    expect(why.stdout).toContain('{"card":"4711-0815"}  (card 4711-0815 was refused)');
    expect((await run('queue', 'peek', 'orders', 'mailer', '--state', 'daed')).stderr).toMatch(
      /did you mean dead\?/,
    );
    expect((await run('queue', 'peek', 'orders', 'nobody')).code).toBe(2);
  });

  it('queue redrive makes dead letters ready, all or those named, and a dry run none', async () => {
    const some = queue();
    await some.createGroup('orders', 'mailer', { maxAttempts: 1 });
    const [first = 0] = await some.produceMany('orders', [1, 2, 3]);
    await kill(some, 'orders', 'mailer');
    const redrive = (...more: string[]): Promise<any> =>
      json('queue', 'redrive', 'orders', 'mailer', ...more);
    expect(await redrive('--dry-run')).toMatchObject({ found: 3, redriven: 0 });
    expect((await some.info('orders', 'mailer')).dead).toBe(3);
    expect(await redrive('--id', String(first))).toMatchObject({ redriven: 1 });
    const again = await run('queue', 'redrive', 'orders', 'mailer', '--id', String(first));
    expect([again.code, again.stdout]).toEqual([1, '0 dead letters ready again\n']);
    expect(await redrive()).toMatchObject({ redriven: 2 });
    expect(await some.info('orders', 'mailer')).toMatchObject({ dead: 0, lag: 3 });
  });

  it('queue trim removes what every group has acknowledged, and a dry run nothing', async () => {
    const some = new MessageQueue(bench.open(), { retention: 3_600_000 });
    queues.push(some);
    await some.createGroup('orders', 'mailer');
    await some.produceMany('orders', [1, 2, 3, 4, 5]);
    for (const message of await some.consume('orders', 'mailer', { batch: 3 })) await message.ack();
    const length = async (): Promise<number> => (await some.info('orders', 'mailer')).length;
    const trim = (...more: string[]): Promise<any> => json('queue', 'trim', 'orders', ...more);
    expect(await trim('--dry-run')).toMatchObject({ found: 3, removed: 0 });
    expect(await length()).toBe(5);
    expect(await trim('--older-than', '1h')).toMatchObject({ removed: 0 });
    expect(await trim('--keep', '3')).toMatchObject({ removed: 2 });
    expect(await trim()).toMatchObject({ removed: 1 });
    expect(await length()).toBe(2);
  });
});
