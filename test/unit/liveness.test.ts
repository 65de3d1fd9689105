import { AsyncLocalStorage } from 'node:async_hooks';
import { Liveness, systemClock } from '../../src/clock';
import { deferred } from '../support/deferred';
import { never } from '../support/fake-driver';
import { endAll, FakeDatabase, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

afterEach(endAll);

/** Timers that keep the process alive; Jest has some of its own. */
function holders(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

describe('the process is kept alive', () => {
  it('while a caller waits, a lease is out or end() has not settled, and not otherwise', async () => {
    const db = new FakeDatabase({ connectionLimit: 1 });
    const idle = holders();
    const gate = deferred();
    db.driver.nextConnects(() => gate.promise);
    const acquire = db.pool.acquire();
    expect(holders()).toBe(idle + 1);
    gate.resolve();
    const lease = await acquire;
    expect(holders()).toBe(idle + 1);
    await lease.giveBack();
    expect(holders()).toBe(idle);
    const bye = deferred();
    db.driver.on(/^<quit>/, { until: bye.promise });
    const end = db.pool.end(0);
    await settled();
    expect(holders()).toBe(idle + 1);
    bye.resolve();
    await end;
    expect(holders()).toBe(idle);
  });

  it('no longer than to the deadline of a wait, or to its abort', async () => {
    const db = new FakeDatabase({ acquireTimeout: 100 });
    const idle = holders();
    db.driver.everyConnect = () => never;
    const aborter = new AbortController();
    const waits = [
      watched(db.pool.acquire()),
      watched(db.pool.acquire({ signal: aborter.signal })),
    ];
    aborter.abort();
    expect(holders()).toBe(idle + 1);
    await db.clock.advance(100);
    expect(waits.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
    expect(holders()).toBe(idle);
  });

  it('as long as anybody holds it, and never again after the end', () => {
    const idle = holders();
    const liveness = new Liveness();
    liveness.hold();
    liveness.hold();
    liveness.drop();
    expect(holders()).toBe(idle + 1);
    liveness.drop();
    expect(holders()).toBe(idle);
    liveness.hold();
    expect(holders()).toBe(idle + 1);
    liveness.end();
    expect(holders()).toBe(idle);
    liveness.hold();
    liveness.drop();
    expect(holders()).toBe(idle);
  });

  it('by deadlines, and not by timers of background work', () => {
    const idle = holders();
    const timers = [
      systemClock.setTimer(() => {}, 60_000),
      systemClock.setTimer(() => {}, 2 ** 40),
    ];
    expect(holders()).toBe(idle);
    const deadline = systemClock.setDeadline(() => {}, 60_000);
    expect(holders()).toBe(idle + 1);
    for (const timer of [...timers, deadline, deadline]) timer.cancel();
    expect(holders()).toBe(idle);
  });
});

it('the real clock never fires a long timer at once', async () => {
  let fired = false;
  const timer = systemClock.setDeadline(() => (fired = true), 2 ** 40);
  await new Promise((resolve) => setTimeout(resolve, 5));
  timer.cancel();
  expect(fired).toBe(false);
});

it('holds the process in nobody’s async context', () => {
  // A timer keeps the context it was set in: the first caller's request, until end().
  const callers = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const real = setInterval;
  const spy = jest.spyOn(globalThis, 'setInterval').mockImplementation((...args) => {
    seen.push(callers.getStore());
    return real(...args);
  });
  const liveness = new Liveness();
  callers.run('request', () => liveness.hold());
  liveness.drop();
  liveness.end();
  spy.mockRestore();
  expect(seen).toStrictEqual([undefined]);
});
