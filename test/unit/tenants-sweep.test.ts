import { CloseHooks } from '../../src/tenants/close-hooks';
import { Protection } from '../../src/tenants/protection';
import type { CloseHook } from '../../src/tenants/registry-options';
import { TenantSweep } from '../../src/tenants/tenant-sweep';
import { never } from '../support/fake-driver';
import { FakeTenants } from '../support/fake-tenants';
import { watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

let fleet: FakeTenants;
let failures: unknown[];

/** A sweep of tenants that may be unused for 1000 ms. */
function sweepWith(
  hooks: CloseHook[] = [],
  isProtected = (_: string): boolean => false,
): TenantSweep {
  fleet = new FakeTenants({});
  failures = [];
  const { clock, logger, budget } = fleet;
  const close = new CloseHooks(hooks, clock, (error) => failures.push(error));
  fleet.onClosed = ({ name }, closing) => close.begin(name, closing);
  return new TenantSweep({ clock, logger, budget, hooks: close, idleAfter: 1000, isProtected });
}

afterEach(() => fleet.end());

it('closes after idleAfter, not before; the time counts from the last return', async () => {
  const sweep = sweepWith();
  const [a, b] = [fleet.make('a'), fleet.make('b')];
  await Promise.all([fleet.use(a), fleet.use(b)]);
  await fleet.clock.advance(500);
  await fleet.use(b);
  await fleet.clock.advance(499);
  expect(await sweep.run()).toMatchObject({ evaluated: 2, closed: 0 });
  await fleet.clock.advance(1);
  expect(await sweep.run()).toMatchObject({ evaluated: 2, closed: 1 });
  expect(fleet.standing).toBe('b1');
});

it('does not take a sign of life that an idle connection gave for use', async () => {
  const sweep = sweepWith();
  const a = fleet.make('a', { keepaliveInterval: 300 });
  await fleet.use(a);
  await fleet.clock.advance(1000);
  expect(fleet.drivers.get('a')?.sent.filter((line) => line.includes('<ping>'))).not.toEqual([]);
  expect(await sweep.run()).toMatchObject({ closed: 1 });
});

it('closes a tenant whose connections went by themselves', async () => {
  const ran: string[] = [];
  const sweep = sweepWith([(tenant) => ran.push(tenant)]);
  await fleet.use(fleet.make('a', { idleTimeout: 100 }));
  await fleet.clock.advance(1000);
  expect([fleet.standing, fleet.budget.open.size, ran]).toEqual(['', 1, []]);
  expect(await sweep.run()).toMatchObject({ closed: 1 });
  expect([fleet.budget.open.size, ran]).toEqual([0, ['a']]);
});

it('goes on where one tenant cannot be closed, and runs its hooks all the same, once', async () => {
  const ran: string[] = [];
  const sweep = sweepWith([(tenant) => ran.push(tenant)]);
  const stuck = fleet.make('stuck', { minIdle: 2, connectTimeout: 60_000 });
  fleet.drivers.get('stuck')?.nextConnects(
    () => Promise.resolve(),
    () => never,
  );
  await fleet.use(stuck);
  await fleet.use(fleet.make('b'));
  await fleet.clock.advance(1000);
  const run = watched(sweep.run());
  await settled();
  expect([run.state, fleet.story.at(-1)]).toEqual(['pending', '-b idle']);
  await fleet.clock.advance(5000);
  expect(await run.promise).toMatchObject({ evaluated: 2, closed: 1, failed: 1 });
  expect(ran.sort()).toEqual(['b', 'stuck']);
  await fleet.clock.advance(60_000);
  expect([fleet.story.at(-1), ran.length]).toEqual(['-stuck idle', 2]);
});

it('does not wait for ever for a hook', async () => {
  const sweep = sweepWith([() => never]);
  await fleet.use(fleet.make('a'));
  await fleet.clock.advance(1000);
  const run = watched(sweep.run());
  await fleet.clock.advance(9999);
  expect(run.state).toBe('pending');
  await fleet.clock.advance(1);
  expect(await run.promise).toMatchObject({ closed: 1 });
  expect(failures).toHaveLength(1);
});

it('is one for all who ask at the same time', async () => {
  const sweep = sweepWith();
  await fleet.use(fleet.make('a'));
  await fleet.clock.advance(1000);
  const [one, other] = await Promise.all([sweep.run(), sweep.run()]);
  expect([one === other, one.closed]).toEqual([true, 1]);
});

it('finishes a closing in the middle of which somebody was served, and then opens anew', async () => {
  const sweep = sweepWith();
  const a = fleet.make('a', { validateAfter: 100, keepaliveInterval: 1000 });
  await fleet.use(a);
  const driver = fleet.drivers.get('a')!;
  // The sweep comes while the idle connection is being asked for a sign of life.
  let alive = (): void => {};
  driver.once(/<ping>/, { until: new Promise<void>((resolve) => (alive = resolve)) });
  await fleet.clock.advance(1000);
  const run = watched(sweep.run());
  await settled();
  expect([run.state, fleet.standing]).toEqual(['pending', 'a1']);
  const lease = watched(a.pool.acquire());
  alive();
  await settled();
  await (await lease.promise).giveBack();
  expect(await run.promise).toMatchObject({ closed: 1 });
  await fleet.use(a);
  expect(fleet.story).toEqual(['+a', '-a idle', '+a']);
});

describe('protection', () => {
  it('of one tenant by several callers lasts until the last of them lifts it', () => {
    sweepWith();
    const protection = new Protection(() => {});
    const lifts = [
      protection.add('a'),
      protection.add(['a', 'b']),
      protection.add((t) => t === 'a'),
    ];
    for (const lift of lifts) {
      expect(protection.covers('a')).toBe(true);
      lift();
      lift();
    }
    expect(['a', 'b'].map((name) => protection.covers(name))).toEqual([false, false]);
  });

  it('holds where the predicate throws, and tells', () => {
    sweepWith();
    const protection = new Protection((error) => failures.push(error));
    protection.add(() => {
      throw new Error('of the user’s');
    });
    expect([protection.covers('a'), failures.length]).toEqual([true, 1]);
  });
});
