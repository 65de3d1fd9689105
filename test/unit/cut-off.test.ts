import type { Canceller } from '../../src/pool/canceller';
import { cutOff, runWithin } from '../../src/pool/cut-off';
import type { PoolEntry } from '../../src/pool/entry';
import type { Lease } from '../../src/pool/lease';
import { Limit } from '../../src/limit';
import { deferred, type Deferred } from '../support/deferred';
import type { FakeConnection, Reply } from '../support/fake-connection';
import { FakeDriver, codeError, never, serverError } from '../support/fake-driver';
import { rejection, watched } from '../support/fixture';
import { ManualClock, settled } from '../support/manual-clock';

let clock: ManualClock;
let driver: FakeDriver;
let connection: FakeConnection;
/** What the canceller says of the order. */
let order: Deferred<boolean>;
/** When the statement's own answer comes. */
let answer: Deferred<void>;

const canceller = { kill: () => order.promise } as unknown as Canceller;

beforeEach(async () => {
  clock = new ManualClock();
  driver = new FakeDriver(clock);
  connection = await driver.connect(0, new AbortController().signal);
  order = deferred<boolean>();
  answer = deferred();
});

/** Stops what runs on the connection. */
const stop = (): Promise<void> => cutOff({ connection } as unknown as PoolEntry, canceller, clock);

/** Starts a statement that answers when it is let. */
function run(reply: Reply = { until: answer.promise }): Promise<unknown> {
  driver.once(/^SLOW/, reply);
  const running = connection.run('query', { sql: 'SLOW' });
  running.catch(() => {});
  return running;
}

describe('cutting off', () => {
  it.each(['the order', 'the statement'])(
    'is done when both are answered, %s first',
    async (first) => {
      void run();
      const stopped = watched(stop());
      const answers = [() => order.resolve(true), () => answer.resolve()];
      if (first === 'the statement') answers.reverse();
      answers[0]!();
      await settled();
      expect(stopped.state).toBe('pending');
      answers[1]!();
      await stopped.promise;
      expect([connection.gone, clock.openTimers]).toEqual([false, 0]);
    },
  );

  it('closes the connection at once where the order was not given', async () => {
    const running = run();
    const stopped = stop();
    order.resolve(false);
    await stopped;
    expect([connection.gone, clock.openTimers]).toEqual([true, 0]);
    expect(await rejection(running)).toMatchObject({ message: expect.stringContaining('closed') });
  });

  it.each(['order', 'statement'])(
    'closes it after half a second without an answer to the %s',
    async (silent) => {
      void run();
      const stopped = watched(stop());
      if (silent === 'order') answer.resolve();
      else order.resolve(true);
      await clock.advance(499);
      expect([stopped.state, connection.gone]).toEqual(['pending', false]);
      await clock.advance(1);
      expect([stopped.state, connection.gone, clock.openTimers]).toEqual(['fulfilled', true, 0]);
      // What comes later changes nothing.
      order.resolve(true);
      answer.resolve();
      await settled();
      expect(stopped.state).toBe('fulfilled');
    },
  );
});

describe('a statement under a limit', () => {
  const lease = {
    get connection() {
      return connection;
    },
    cutOff: () => stop(),
  } as unknown as Lease;
  let limit: Limit;
  beforeEach(() => {
    limit = new Limit(clock, { kind: 'statement' }, { timeout: 100 });
  });
  afterEach(() => limit.end());

  const within = (reply?: Reply): ReturnType<typeof watched<unknown>> =>
    watched(runWithin(limit, lease, () => run(reply)));

  it('gives its own value or error where the limit is not hit, and nothing is stopped', async () => {
    const kill = jest.spyOn(canceller, 'kill');
    expect(await within({ rows: 'mine' }).promise).toEqual(['mine', []]);
    const error = serverError(1062);
    expect(await rejection(within({ error }).promise)).toBe(error);
    await clock.advance(100);
    expect(kill).not.toHaveBeenCalled();
    kill.mockRestore();
  });

  it('is not begun where the limit is hit', async () => {
    await clock.advance(100);
    const start = jest.fn();
    expect(await rejection(runWithin(limit, lease, start))).toMatchObject({
      outcome: 'notExecuted',
    });
    expect(start).not.toHaveBeenCalled();
  });

  it('runs as it is where there is none', async () => {
    expect(await runWithin(undefined, lease, () => Promise.resolve(1))).toBe(1);
  });

  it.each<[string, () => Reply, string]>([
    ['succeeded all the same', () => ({ until: answer.promise }), 'executed'],
    [
      'was cut off by the server',
      () => ({ until: answer.promise, error: serverError(1317) }),
      'notExecuted',
    ],
    [
      'lost its connection',
      () => ({ until: answer.promise, error: codeError('ECONNRESET') }),
      'unknown',
    ],
    [
      'was never sent',
      () => ({ until: answer.promise, error: codeError('EPIPE'), unsent: true }),
      'notExecuted',
    ],
  ])('that %s', async (_, reply, outcome) => {
    const running = within(reply());
    await clock.advance(100);
    answer.resolve();
    await settled();
    // The order may still be on its way: nobody is to use the connection.
    expect(running.state).toBe('pending');
    order.resolve(true);
    expect(await rejection(running.promise)).toMatchObject({
      code: 'ERR_STATEMENT_TIMEOUT',
      outcome,
    });
    expect([connection.gone, clock.openTimers]).toEqual([false, 0]);
  });

  it('that meets silence everywhere settles half a second later: unknown', async () => {
    const running = within({ until: never });
    await clock.advance(599);
    expect(running.state).toBe('pending');
    await clock.advance(1);
    expect(running.reason).toMatchObject({ outcome: 'unknown' });
    expect([connection.gone, clock.openTimers]).toEqual([true, 0]);
  });
});
