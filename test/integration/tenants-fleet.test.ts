import { setTimeout as delay } from 'node:timers/promises';
import { longForm } from '../support/long-form';
import { testServers } from '../support/servers';
import { TenantFleet, descriptors } from '../support/tenant-fleet';
import { until } from '../support/until';

/** `npm run test:long tenants` is for minutes, and on every server. */
const FLEET = longForm('BOOMERANG_TENANTS', { seconds: 3, servers: 1 });

const TENANTS = 200;
const BOUND = { maxOpen: 20, maxConnections: 30 };
const PROTECTED = ['t0', 't77', 't199'];

jest.setTimeout(3_600_000);

describe.each(
  testServers()
    .slice(0, FLEET.servers)
    .map((server) => [server.name, server] as const),
)('on %s', (_, server) => {
  it('200 tenants under random use: no closed pool, never more than the bound, idle ones go, protected ones stay', async () => {
    const fleet = new TenantFleet(server, TENANTS);
    await fleet.setUp();
    const failing = { hooks: 0 };
    const registry = fleet.registry(
      {
        ...BOUND,
        idleAfter: 60,
        interval: 30,
        recycleInterval: 500,
        protect: PROTECTED,
        onClose: () => {
          failing.hooks++;
          throw new Error('a hook of the user’s');
        },
      },
      { idleTimeout: 0, connectionLimit: 5 },
    );
    try {
      for (const tenant of PROTECTED) await (await registry.get(tenant)).query('DO 0');
      const before = descriptors();
      const end = performance.now() + FLEET.seconds * 1000;
      const callers = Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          fleet.call(registry, end, i < 4 ? 'never' : 'sometimes'),
        ),
      );
      await Promise.all([callers, fleet.observe(callers)]);

      const { most } = fleet;
      const stats = registry.stats();
      console.log(
        `${fleet.statements} statements, ${fleet.increments} transactions; opened ${stats.opened}, ` +
          `closed ${stats.closed} (${stats.displaced} for others); at most ${most.sessions} sessions ` +
          `of ${most.databases} databases; descriptors ${before}, at most ${most.descriptors}`,
      );
      expect(most.sessions).toBeLessThanOrEqual(BOUND.maxConnections);
      expect(most.databases).toBeLessThanOrEqual(BOUND.maxOpen);
      // The bound was felt.
      expect(stats.displaced).toBeGreaterThan(FLEET.seconds);
      expect(most.descriptors).toBeLessThanOrEqual(before + BOUND.maxConnections + 10);
      expect(await fleet.total()).toBe(fleet.increments);

      await until('the unused are closed', () => registry.stats().open === PROTECTED.length);
      const { closed, displaced } = registry.stats();
      expect(closed - displaced).toBeGreaterThan(0);
      // Looked at later once more: what is protected stays.
      await delay(200);
      const names = PROTECTED.map((tenant) => fleet.schema(tenant));
      await until('the server knows', async () =>
        [...(await fleet.sessions()).values()].every((name) => names.includes(name)),
      );
      expect(
        registry
          .list()
          .map(({ tenant }) => tenant)
          .sort(),
      ).toEqual([...PROTECTED].sort());
      await until('all hooks have run', () => failing.hooks === registry.stats().closed);
      await until('no descriptor is left', () => descriptors() <= before + 10);
    } finally {
      await registry.end();
      await until('nothing is left', async () => (await fleet.sessions()).size === 0);
      await fleet.tearDown();
    }
  });
});
