import fc from 'fast-check';
import type { Lease } from '../../src/pool/lease';
import { codeError } from '../support/fake-driver';
import { endAll, FakeDatabase } from '../support/fixture';

/*
 * The pool against a model that knows only the rules: first come, first served; at most LIMIT
 * connections; a deadline for each caller; what is lost while it is out is dropped on return.
 */
const LIMIT = 3;
const PATIENCE = 100;
const IDLE = 500;

interface Caller {
  readonly since: number;
  readonly aborter: AbortController;
  state: 'waiting' | 'holding' | 'gone';
  lease: Lease | undefined;
  lost: boolean;
}

class Model {
  now = 0;
  ended = false;
  readonly callers: Caller[] = [];
  /** Since when each idle connection is idle; the last one is lent first. */
  idle: number[] = [];
  acquired = 0;
  released = 0;
  timeouts = 0;

  get waiting(): Caller[] {
    return this.callers.filter(({ state }) => state === 'waiting');
  }

  get holding(): Caller[] {
    return this.callers.filter(({ state }) => state === 'holding');
  }

  /** Connects take no time here, so whoever can be served is. */
  serve(): void {
    for (const caller of this.waiting) {
      if (this.holding.length >= LIMIT) return;
      this.idle.pop();
      this.acquired++;
      caller.state = 'holding';
    }
  }

  advance(ms: number): void {
    this.now += ms;
    for (const caller of this.waiting) {
      if (this.now < caller.since + PATIENCE) continue;
      caller.state = 'gone';
      this.timeouts++;
    }
    this.idle = this.idle.filter((since) => this.now < since + IDLE);
  }

  release(caller: Caller): void {
    if (caller.state !== 'holding') return;
    caller.state = 'gone';
    this.released++;
    if (!caller.lost && !this.ended) this.idle.push(this.now);
    this.serve();
  }

  end(): void {
    this.ended = true;
    for (const caller of this.waiting) caller.state = 'gone';
    this.idle = [];
  }
}

interface Run {
  readonly model: Model;
  readonly db: FakeDatabase;
}

type Step = (run: Run) => void | Promise<void>;

function pick<T>(list: readonly T[], at: number): T | undefined {
  return list[at % Math.max(list.length, 1)];
}

function acquire({ model, db }: Run): void {
  const aborter = new AbortController();
  const caller: Caller = {
    since: model.now,
    aborter,
    state: model.ended ? 'gone' : 'waiting',
    lease: undefined,
    lost: false,
  };
  model.callers.push(caller);
  db.pool.acquire({ signal: aborter.signal }).then(
    (lease) => (caller.lease = lease),
    () => {},
  );
  model.serve();
}

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>(acquire) },
  {
    weight: 2,
    arbitrary: fc.nat().map<Step>((at) => ({ model }) => {
      const caller = pick(model.waiting, at);
      if (caller === undefined) return;
      caller.state = 'gone';
      caller.aborter.abort();
    }),
  },
  {
    weight: 6,
    arbitrary: fc.nat().map<Step>((at) => async ({ model }) => {
      const caller = pick(model.holding, at);
      if (caller === undefined) return;
      model.release(caller);
      await caller.lease!.giveBack();
    }),
  },
  {
    // Anybody's stale lease, released once more.
    weight: 2,
    arbitrary: fc.nat().map<Step>((at) => async ({ model }) => {
      const stale = model.callers.filter(({ state, lease }) => state === 'gone' && lease);
      await pick(stale, at)?.lease?.giveBack();
    }),
  },
  {
    weight: 2,
    arbitrary: fc.nat().map<Step>((at) => ({ model }) => {
      const caller = pick(model.holding, at);
      if (caller === undefined) return;
      caller.lost = true;
      model.release(caller);
      caller.lease!.discard(new Error('broken'));
    }),
  },
  {
    weight: 2,
    arbitrary: fc.nat().map<Step>((at) => ({ model, db }) => {
      const caller = pick(model.holding, at);
      if (caller === undefined) return;
      caller.lost = true;
      const { threadId } = caller.lease!.connection;
      db.driver.connections[threadId - 1]!.lose(codeError('ECONNRESET'));
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>(({ model, db }) => {
      const inUse = new Set(model.holding.map(({ lease }) => lease!.connection.threadId));
      // The one that was returned last.
      const idle = [...db.driver.connections].filter(
        ({ gone, threadId }) => !gone && !inUse.has(threadId),
      );
      if (idle.length !== 1) return;
      model.idle.pop();
      idle[0]!.lose(codeError('ECONNRESET'));
    }),
  },
  {
    weight: 5,
    arbitrary: fc.integer({ min: 1, max: 60 }).map<Step>((ms) => async ({ model, db }) => {
      // One ms at a time: the order of what comes due within a step does not matter then.
      for (let i = 0; i < ms; i++) {
        model.advance(1);
        await db.clock.advance(1);
      }
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>(({ model, db }) => {
      if (model.callers.length < 12) return;
      model.end();
      void db.pool.end(0);
    }),
  },
);

function compare({ model, db }: Run): void {
  const { total, active, idle, waiting, acquired, released, timeouts, created, destroyed } =
    db.pool.stats();
  expect({ active, idle, waiting, acquired, released, timeouts }).toEqual({
    active: model.holding.length,
    idle: model.idle.length,
    waiting: model.waiting.length,
    acquired: model.acquired,
    released: model.released,
    timeouts: model.timeouts,
  });
  expect([total, total <= LIMIT]).toEqual([active + idle, true]);
  expect(created - destroyed).toBe(total);
  const holders = model.holding.map(({ lease }) => lease!.connection);
  expect(new Set(holders).size).toBe(holders.length);
}

afterEach(endAll);

it('keeps its numbers and its promises under any sequence of events', async () => {
  const sequences = fc.array(steps, { minLength: 5, maxLength: 60 });
  const property = fc.asyncProperty(sequences, async (sequence) => {
    const db = new FakeDatabase({
      connectionLimit: LIMIT,
      acquireTimeout: PATIENCE,
      idleTimeout: IDLE,
    });
    const run: Run = { model: new Model(), db };
    for (const step of sequence) {
      await step(run);
      await db.clock.advance(0);
      compare(run);
    }
    await endAll();
  });
  await fc.assert(property, { numRuns: 150 });
});
