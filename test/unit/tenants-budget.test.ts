import { TURN } from '../../src/tenants/budget';
import { PoolExhaustedError } from '../../src/index';
import { FakeTenants } from '../support/fake-tenants';
import { rejection, watched } from '../support/fixture';
import { settled } from '../support/manual-clock';

let fleet: FakeTenants;
const given = (limits: ConstructorParameters<typeof FakeTenants>[0]): FakeTenants =>
  (fleet = new FakeTenants(limits));

afterEach(() => fleet.end());

describe('a bound on open tenants', () => {
  it('closes the one that is unused for longest, with all its connections', async () => {
    const all = given({ maxOpen: 2 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => all.make(name));
    const leases = await Promise.all([a!.pool.acquire(), a!.pool.acquire()]);
    for (const lease of leases) await lease.giveBack();
    await all.clock.advance(1);
    await all.use(b!);
    await all.clock.advance(1);
    await all.use(c!);
    expect([all.standing, all.story]).toEqual(['b1 c1', ['+a', '+b', '-a displaced', '+c']]);
  });

  it('leaves tenants alone that have a lease out, are in use or protected', async () => {
    const all = given({ maxOpen: 4 });
    const [out, used, kept, idle, late] = ['out', 'used', 'kept', 'idle', 'late'].map((name) =>
      all.make(name),
    );
    const lease = await out!.pool.acquire();
    all.kept.add('kept');
    used!.users++;
    for (const one of [used!, kept!, idle!]) {
      await all.clock.advance(1);
      await all.use(one);
    }
    await all.use(late!);
    expect(all.standing).toBe('out1 used1 kept1 late1');
    await lease.giveBack();
  });

  it('has callers wait while all are busy, and serves them when one is through', async () => {
    const all = given({ maxOpen: 1 });
    const [a, b] = [all.make('a'), all.make('b')];
    const lease = await a.pool.acquire();
    const waiting = watched(b.pool.acquire());
    await settled();
    expect([waiting.state, all.budget.waiting]).toEqual(['pending', 1]);
    await lease.giveBack();
    await (await waiting.promise).giveBack();
    expect([all.standing, all.most, all.budget.waiting]).toEqual(['b1', 1, 0]);
  });

  it('ends a wait at the caller’s own deadline, with an error that names the bound', async () => {
    const all = given({ maxOpen: 1 });
    const [a, b] = [all.make('a'), all.make('b', { acquireTimeout: 500 })];
    const lease = await a.pool.acquire();
    const error = rejection(b.pool.acquire());
    await all.clock.advance(500);
    expect(await error).toBeInstanceOf(PoolExhaustedError);
    expect((await error).message).toContain('maxOpen 1');
    await lease.giveBack();
  });

  it('makes room as soon as nobody uses or protects a tenant any more', async () => {
    const all = given({ maxOpen: 1 });
    const [a, b] = [all.make('a'), all.make('b')];
    await all.use(a);
    a.users++;
    const waiting = watched(b.pool.acquire());
    await settled();
    expect(waiting.state).toBe('pending');
    a.users--;
    all.budget.review();
    await (await waiting.promise).giveBack();
    expect(all.standing).toBe('b1');
  });

  it('lets a tenant in whose neighbours are never unused: they take turns', async () => {
    const all = given({ maxOpen: 2 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => all.make(name, { acquireTimeout: 60_000 }));
    // Two callers each, whose leases overlap: no moment without one.
    const served: string[] = [];
    const callers = [a!, b!, c!].flatMap((tenant, i) =>
      [0, 5].map(async (offset) => {
        await all.clock.advance(0);
        await new Promise<void>((resolve) => all.clock.setTimer(resolve, offset + i));
        while (all.clock.now() < 5000) {
          await all.use(tenant, 10);
          served.push(tenant.name);
        }
      }),
    );
    await all.clock.advance(6000);
    await Promise.all(callers);
    const share = (name: string): number =>
      served.filter((one) => one === name).length / served.length;
    for (const name of ['a', 'b', 'c']) expect(share(name)).toBeGreaterThan(0.2);
  });

  it('serves somebody in each turn, also where opening a connection takes longer than one', async () => {
    const all = given({ maxOpen: 1 });
    const tenants = ['a', 'b', 'c'].map((name) => all.make(name, { acquireTimeout: 60_000 }));
    for (const driver of all.drivers.values()) {
      driver.everyConnect = () =>
        new Promise<void>((resolve) => all.clock.setTimer(resolve, 2 * TURN));
    }
    const served = new Map<string, number>();
    const callers = tenants.flatMap((tenant) =>
      [1, 2].map(async () => {
        while (all.clock.now() < 20_000) {
          await all.use(tenant, 10);
          served.set(tenant.name, (served.get(tenant.name) ?? 0) + 1);
        }
      }),
    );
    await all.clock.advance(30_000);
    await Promise.all(callers);
    const opened = all.story.filter((line) => line.startsWith('+')).length;
    expect([...served.keys()].sort()).toEqual(['a', 'b', 'c']);
    for (const count of served.values()) expect(count).toBeGreaterThan(opened);
  });

  it('does not shut a tenant’s callers out because one of its leases lasts', async () => {
    const all = given({ maxOpen: 1 });
    const [a, b] = [all.make('a'), all.make('b', { acquireTimeout: 2000 })];
    const long = await a.pool.acquire();
    await all.clock.advance(TURN);
    const shut = rejection(b.pool.acquire());
    const served: number[] = [];
    const caller = (async () => {
      while (all.clock.now() < 2000) {
        await all.use(a, 10);
        served.push(all.clock.now());
      }
    })();
    await all.clock.advance(2500);
    await Promise.all([caller, shut]);
    // The longest it had to wait is a turn that was to be handed over in vain.
    const gaps = served.map((at, i) => at - (served[i - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * TURN + 20);
    await long.giveBack();
  });
});

describe('a bound on the connections of all', () => {
  it('is never exceeded, goodbyes included', async () => {
    const all = given({ maxConnections: 3 });
    const tenants = ['a', 'b', 'c', 'd', 'e'].map((name) => all.make(name));
    const callers = tenants.flatMap((tenant) =>
      [3, 5, 7].map(async (ms) => {
        for (let i = 0; i < 20; i++) await all.use(tenant, ms);
      }),
    );
    await all.clock.advance(10_000);
    await Promise.all(callers);
    expect(all.most).toBe(3);
    expect(all.budget.connections).toBeLessThanOrEqual(3);
  });

  it('closes the idle connection of the tenant that is unused for longest', async () => {
    const all = given({ maxConnections: 3 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => all.make(name));
    const leases = await Promise.all([a!.pool.acquire(), a!.pool.acquire()]);
    for (const lease of leases) await lease.giveBack();
    await all.clock.advance(1);
    await all.use(b!);
    await all.use(c!);
    expect(all.standing).toBe('a1 b1 c1');
  });

  it('goes first to those who have none', async () => {
    const all = given({ maxConnections: 2 });
    const [a, b] = [all.make('a'), all.make('b')];
    const held = await Promise.all([a.pool.acquire(), a.pool.acquire()]);
    const third = watched(a.pool.acquire());
    await all.clock.advance(TURN);
    const other = watched(b.pool.acquire());
    await settled();
    await held[0].giveBack();
    await settled();
    expect([other.state, third.state]).toEqual(['fulfilled', 'pending']);
    await (await other.promise).giveBack();
    await held[1].giveBack();
    await (await third.promise).giveBack();
  });

  it('leaves a connection to its tenant’s own callers until its turn is over', async () => {
    const all = given({ maxConnections: 1 });
    const [a, b] = [all.make('a'), all.make('b')];
    const first = await a.pool.acquire();
    const [own, other] = [watched(a.pool.acquire()), watched(b.pool.acquire())];
    await all.clock.advance(TURN - 1);
    await first.giveBack();
    await settled();
    expect([own.state, other.state]).toEqual(['fulfilled', 'pending']);
    const next = watched(a.pool.acquire());
    await all.clock.advance(1);
    await (await own.promise).giveBack();
    await settled();
    expect([next.state, other.state]).toEqual(['pending', 'fulfilled']);
    await (await other.promise).giveBack();
    await (await next.promise).giveBack();
  });

  it('is not spent on connections that are only kept ready', async () => {
    const all = given({ maxConnections: 2 });
    const [a, b] = [all.make('a', { minIdle: 2 }), all.make('b')];
    await all.use(a);
    await settled();
    expect(all.standing).toBe('a2');
    const lease = await b.pool.acquire();
    await settled();
    expect(all.standing).toBe('a1 b1');
    await lease.giveBack();
  });

  it('gives a place back whose connect failed', async () => {
    const all = given({ maxConnections: 1 });
    const [a, b] = [all.make('a', { acquireTimeout: 100 }), all.make('b')];
    all.drivers.get('a')!.everyConnect = () => Promise.reject(new Error('no way'));
    const failed = rejection(a.pool.acquire());
    await all.clock.advance(100);
    await failed;
    await all.use(b);
    expect(all.standing).toBe('b1');
  });

  it('gives a place back whose connection was lost or thrown away', async () => {
    const all = given({ maxConnections: 1 });
    const [a, b] = [all.make('a'), all.make('b')];
    const lease = await a.pool.acquire();
    lease.discard(new Error('done'));
    expect(all.budget.connections).toBe(0);
    await all.use(b);
    all.drivers.get('b')!.latest.lose(new Error('gone'));
    expect(all.budget.connections).toBe(0);
  });

  it('never stands still for good, where callers hold what others of them wait for', async () => {
    const all = given({ maxConnections: 2 });
    const a = all.make('a', { acquireTimeout: 1000 });
    const b = all.make('b', { acquireTimeout: 5000 });
    const crossed = async (one: typeof a, two: typeof a): Promise<void> => {
      const lease = await one.pool.acquire();
      try {
        await (await two.pool.acquire()).giveBack();
      } finally {
        await lease.giveBack();
      }
    };
    const first = rejection(crossed(b, a));
    const second = watched(crossed(a, b));
    await all.clock.advance(999);
    expect(second.state).toBe('pending');
    await all.clock.advance(1);
    const error = await first;
    expect(error).toBeInstanceOf(PoolExhaustedError);
    expect(error.message).toContain('maxConnections 2');
    await second.promise;
  });
});
