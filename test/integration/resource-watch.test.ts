import { open, type FileHandle } from 'node:fs/promises';
import { DatabaseRegistry, ResourceWatch } from '../../src/index';
import { onEachServer } from '../support/servers';
import { until } from '../support/until';

onEachServer((bench) => {
  it('tells the descriptors, sockets, leases and waiters that there are', async () => {
    const db = bench.open({ connectionLimit: 2 });
    const watch = new ResourceWatch(db, { warnAt: { waiters: 1 } });
    const idle = await watch.look();
    expect(idle.pools).toEqual({ pools: 1, connections: 0, leases: 0, waiters: 0, limit: 2 });
    expect(idle.descriptors.limit).toBeGreaterThan(100);
    const files: FileHandle[] = [];
    for (let i = 0; i < 60; i++) files.push(await open(__filename));
    const leases = await Promise.all([db.getConnection(), db.getConnection()]);
    const waiting = db.query('DO 0');
    // Of the server as a whole it may warn as well.
    const warned = new Promise((resolve) =>
      watch.on('warning', (warning) => {
        if (warning.resource === 'waiters') resolve(warning);
      }),
    );
    const busy = await watch.look();
    expect(busy.pools).toMatchObject({ connections: 2, leases: 2, waiters: 1 });
    // Of the process as a whole, in which others may just have ended.
    expect((busy.descriptors.open ?? 0) - (idle.descriptors.open ?? 0)).toBeGreaterThanOrEqual(40);
    expect(busy.descriptors.sockets).toBeGreaterThanOrEqual(2);
    expect(await warned).toMatchObject({ resource: 'waiters', value: 1 });
    for (const lease of leases) await lease.release();
    await waiting;
    for (const file of files) await file.close();
  });

  it('asks the server on a connection of its own, which the pool does not see', async () => {
    const db = bench.open({ connectionLimit: 1 });
    const lease = await db.getConnection();
    const { created } = db.stats();
    const [limit] = await bench.sql('SELECT @@max_connections AS most');
    const { server, failures } = await new ResourceWatch(db).look();
    expect([server?.limit, failures]).toEqual([Number(limit?.most), 0]);
    expect(server?.connected).toBeGreaterThanOrEqual(2);
    expect(db.stats()).toMatchObject({ created, waiting: 0, timeouts: 0 });
    await lease.release();
    await until('its connection is gone', async () => (await bench.sessions()).length === 1);
  });

  it('takes a server that refuses because the account has all it may have for full', async () => {
    const user = `w_${bench.schema}`;
    const grants = `GRANT SELECT ON ${bench.schema}.* TO '${user}'@'%'`;
    await bench.sql(`CREATE USER '${user}'@'%' IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 2`);
    try {
      await bench.sql(grants);
      const db = bench.open({ user, password: 'x', connectionLimit: 2 });
      const watch = new ResourceWatch(db);
      const warnings: string[] = [];
      watch.on('warning', ({ resource }) => warnings.push(resource));
      const leases = [await db.getConnection()];
      const half = await watch.look();
      expect(half.server).toMatchObject({ full: false, accountLimit: 2 });
      expect(half.server?.limit).toBeGreaterThan(2);
      expect(half.fleet).toBe(2);
      leases.push(await db.getConnection());
      expect((await watch.look()).server).toMatchObject({ full: true, connected: undefined });
      expect(warnings).toEqual(expect.arrayContaining(['server', 'fleet']));
      for (const lease of leases) await lease.release();
      await db.end();
    } finally {
      await bench.sql(`DROP USER '${user}'@'%'`);
    }
  });

  it('counts the tenants of a registry together, and keeps none of them from being closed', async () => {
    const registry = new DatabaseRegistry(() => bench.address, {
      interval: 0,
      idleAfter: 0,
      maxConnections: 7,
    });
    const watch = new ResourceWatch(registry, { processes: 3 });
    expect(await watch.look()).toMatchObject({ server: undefined, failures: 0, fleet: 21 });
    for (const tenant of ['a', 'b', 'c']) await (await registry.get(tenant)).query('DO 0');
    const { pools, server } = await watch.look();
    expect(pools).toEqual({ pools: 3, connections: 3, leases: 0, waiters: 0, limit: 7 });
    expect(server?.limit).toBeGreaterThan(7);
    expect(await registry.sweep()).toMatchObject({ closed: 3 });
    await registry.end();
  });

  it('counts a server that cannot be reached as a failure, and tells the rest', async () => {
    const db = bench.open({ port: 1 });
    const snapshot = await new ResourceWatch(db).look();
    expect(snapshot).toMatchObject({ server: undefined, failures: 1, pools: { pools: 1 } });
    expect(snapshot.descriptors.open).toBeGreaterThan(0);
  });
});

it('measures how late timers come', async () => {
  const registry = new DatabaseRegistry(() => '');
  const watch = new ResourceWatch(registry);
  const seen: string[] = [];
  watch.on('warning', ({ resource }) => seen.push(resource));
  watch.start();
  const samples = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
  await samples(60);
  const busyUntil = performance.now() + 400;
  while (performance.now() < busyUntil);
  await samples(60);
  const { eventLoopDelay } = await watch.look();
  expect(eventLoopDelay.max).toBeGreaterThan(300);
  // In ms, that is.
  expect(eventLoopDelay.max).toBeLessThan(60_000);
  expect(seen).toEqual(['eventLoopDelay']);
  watch.stop();
  await registry.end();
});
