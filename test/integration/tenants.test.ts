import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DatabaseRegistry,
  FactoryTimeoutError,
  PoolClosedError,
  RetryingPooledDatabase,
  connectionScope,
  type CloseHook,
  type RegistryOptions,
  type SweepSummary,
} from '../../src/index';
import { RecordingLogger } from '../support/recording-logger';
import { onEachServer, session } from '../support/servers';
import { deferred, failure, until } from '../support/until';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

onEachServer((bench) => {
  const registries: DatabaseRegistry[] = [];
  const made: string[] = [];

  /** Tenants that all are in the workbench's one database: what a registry does is the same. */
  function registry(options: RegistryOptions = {}): DatabaseRegistry {
    const one = new DatabaseRegistry(
      (tenant) => {
        made.push(tenant);
        return bench.address;
      },
      { interval: 0, idleAfter: 0, ...options },
    );
    registries.push(one);
    return one;
  }

  afterEach(async () => {
    await Promise.all(registries.splice(0).map((one) => one.end({ deadline: 0 })));
    made.length = 0;
    await until('no session is left', async () => (await bench.sessions()).length === 0);
  });

  describe('get()', () => {
    it('makes a tenant’s database once for all who ask at the same time, and again after a failure', async () => {
      let calls = 0;
      const one = new DatabaseRegistry(async () => {
        await delay(5);
        if (++calls === 1) throw new Error('not yet');
        return bench.address;
      });
      registries.push(one);
      const first = await Promise.allSettled([one.get('a'), one.get('a')]);
      expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      const [x, y] = await Promise.all([one.get('a'), one.get('a')]);
      expect([x === y, await one.get('a'), calls]).toEqual([true, x, 2]);
      expect(one.stats()).toMatchObject({ made: 1, factoryFailures: 1, open: 0, connections: 0 });
    });

    it('takes a URL, options or a database, and refuses a database that is in use elsewhere', async () => {
      const { host, port, user, password, database } = bench.address;
      const shared = new RetryingPooledDatabase(bench.address);
      const one = new DatabaseRegistry((tenant) =>
        tenant === 'url'
          ? `mysql://${user}:${String(password)}@${host}:${port}/${database}`
          : shared,
      );
      registries.push(one);
      expect(await (await one.get('url')).queryValue('SELECT 1')).toBe(1);
      expect(await one.get('db')).toBe(shared);
      await expect(one.get('other')).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    });

    it('gives up a factory that does not settle', async () => {
      const one = new DatabaseRegistry(() => new Promise<string>(() => {}), { factoryTimeout: 20 });
      registries.push(one);
      expect(await failure(one.get('a'))).toBeInstanceOf(FactoryTimeoutError);
    });

    it('asks the factory again where somebody has ended the handle', async () => {
      const one = registry();
      const old = await one.get('a');
      await old.query('DO 0');
      await old.end();
      const db = await one.get('a');
      expect(db).not.toBe(old);
      expect(await db.queryValue('SELECT 1')).toBe(1);
    });

    it.each([undefined, '', 5, {}])('refuses %p as a tenant', async (name) => {
      await expect(registry().get(name as string)).rejects.toMatchObject({ argument: 'tenant' });
    });
  });

  describe('a handle', () => {
    it('whose connections were closed opens them again at its next statement, in every form', async () => {
      const one = registry();
      const db = await one.get('a');
      const forms: (() => Promise<unknown>)[] = [
        () => db.query('SELECT 1'),
        () => db.execute('SELECT 1'),
        () => db.atomic(() => db.query('SELECT 1')),
        () => connectionScope(() => db.query('SELECT 1')),
        async () => {
          for await (const row of db.stream('SELECT 1')) expect(row).toBeDefined();
        },
        async () => (await db.getConnection()).release(),
        () => db.ping(),
      ];
      for (const form of forms) {
        await form();
        expect(await one.sweep()).toMatchObject({ evaluated: 1, closed: 1 });
        await until('its session is over', async () => (await bench.sessions()).length === 0);
      }
      expect(one.stats()).toMatchObject({ opened: forms.length, closed: forms.length, made: 1 });
    });

    it('in a scope or transaction keeps its connection, whatever is swept', async () => {
      const one = registry();
      const db = await one.get('a');
      await connectionScope(async () => {
        const id = await session(db);
        expect(await one.sweep()).toMatchObject({ active: 1, closed: 0 });
        await db.atomic(async () => {
          await db.query('INSERT INTO notes VALUES (1, ?)', ['x']);
          await one.sweep();
          expect(one.recycle()).toBe(0);
          expect(await session(db)).toBe(id);
        });
        expect(await session(db)).toBe(id);
      });
      expect(await db.queryValue('SELECT COUNT(*) FROM notes')).toBe(1);
    });

    it('that nobody holds is forgotten, and made anew', async () => {
      let calls = 0;
      const one = new DatabaseRegistry(
        () => {
          calls++;
          // The queue's timer, which is set once in so long, holds the pool.
          return { ...bench.address, acquireTimeout: 1000 };
        },
        { idleAfter: 0 },
      );
      registries.push(one);
      await until('it is connected', async () => {
        const db = await one.get('a');
        return db.query('DO 0').then(
          () => true,
          () => false,
        );
      });
      const before = calls;
      await one.sweep();
      await until('it is collected', async () => {
        collect();
        await delay(20);
        await one.get('a');
        return calls > before;
      });
    });
  });

  describe('a sweep', () => {
    it('closes what is unused for idleAfter, and tells how many it looked at, closed and left', async () => {
      const logger = new RecordingLogger();
      const one = registry({ logger, idleAfter: 1500, protect: ['kept'] });
      const [idle, , busy] = await Promise.all(
        ['idle', 'kept', 'busy'].map(async (name) => {
          const db = await one.get(name);
          await db.query('DO 0');
          return db;
        }),
      );
      expect(await one.sweep()).toMatchObject({ evaluated: 3, closed: 0 });
      await delay(1600);
      const lease = await busy!.getConnection();
      await (await one.get('recent')).query('DO 0');
      const swept: SweepSummary = await one.sweep();
      const counts = { evaluated: 4, active: 1, protected: 1, closed: 1, spared: 0, failed: 0 };
      expect(swept).toEqual(counts);
      expect(idle!.stats().total).toBe(0);
      expect(logger.of(/^tenants swept$/).at(-1)?.fields).toMatchObject(counts);
      expect(JSON.stringify(logger.lines)).not.toMatch(/kept|busy|recent/);
      await lease.release();
    });

    it('does not close a tenant that came into use after it was chosen', async () => {
      const events: string[] = [];
      const one = registry({
        // Runs between the first look at all and the last one at the others.
        protect: (tenant) => {
          if (tenant === 'z' && lease === undefined) lease = late.getConnection();
          return false;
        },
      });
      let lease: ReturnType<RetryingPooledDatabase['getConnection']> | undefined;
      one.on('close', (tenant) => events.push(tenant));
      const late = await one.get('late');
      for (const name of ['late', 'y', 'z']) await (await one.get(name)).query('DO 0');
      const id = await session(late);
      expect(await one.sweep()).toMatchObject({ closed: 2, spared: 1 });
      expect(events.sort()).toEqual(['y', 'z']);
      expect((await lease)?.threadId).toBe(id);
      await (await lease)?.release();
    });

    it('runs each hook for itself: one that throws is reported, and the rest goes on', async () => {
      const logger = new RecordingLogger();
      const ran: string[] = [];
      const one = registry({
        logger,
        onClose: [
          () => {
            throw new TypeError('secret');
          },
          () => Promise.reject(new RangeError('secret')),
          (tenant, reason) => ran.push(`${tenant} ${reason}`),
        ],
      });
      const seen: [string, string | undefined][] = [];
      one.on('error', (error, tenant) => seen.push([(error as Error).name, tenant]));
      for (const name of ['a', 'b']) await (await one.get(name)).query('DO 0');
      expect(await one.sweep()).toMatchObject({ closed: 2, failed: 0 });
      expect(ran.sort()).toEqual(['a idle', 'b idle']);
      expect(seen.sort()).toEqual([
        ['RangeError', 'a'],
        ['RangeError', 'b'],
        ['TypeError', 'a'],
        ['TypeError', 'b'],
      ]);
      expect(one.stats().hookFailures).toBe(4);
      expect(JSON.stringify(logger.lines)).toContain('TypeError');
      expect(JSON.stringify(logger.lines)).not.toContain('secret');
    });

    it('comes by itself, again and again', async () => {
      const one = registry({ interval: 20 });
      const db = await one.get('a');
      for (let round = 0; round < 3; round++) {
        await db.query('DO 0');
        await until('it is closed', () => one.stats().open === 0);
      }
    });
  });

  it('use() keeps a tenant open while its function runs, and not after', async () => {
    const closed: string[] = [];
    const onClose: CloseHook = (tenant, reason) => closed.push(`${tenant} ${reason}`);
    const one = registry({ maxOpen: 1, onClose });
    const gate = deferred();
    const using = one.use('a', async (db) => {
      const id = await session(db);
      await gate.promise;
      return [id, await session(db)];
    });
    await until('it is open', () => one.stats().idle === 1);
    expect(await one.sweep()).toMatchObject({ active: 1, closed: 0 });
    const other = (await one.get('b')).query('DO 0');
    await until('it waits', () => one.stats().tenantsWaiting === 1);
    expect(one.list()).toMatchObject([
      { tenant: 'a', state: 'open', users: 1, connections: 1 },
      { tenant: 'b', state: 'closed', waiting: 1 },
    ]);
    gate.resolve();
    const [before, after] = await using;
    expect(after).toBe(before);
    await other;
    expect(one.list()).toMatchObject([{ tenant: 'b' }]);
    expect(closed).toEqual(['a displaced']);
  });

  it('protect() lasts until it is lifted', async () => {
    const one = registry();
    await (await one.get('a')).query('DO 0');
    const lifts = [one.protect('a'), one.protect((tenant) => tenant === 'a')];
    for (const lift of lifts) {
      expect(await one.sweep()).toMatchObject({ protected: 1, closed: 0 });
      lift();
    }
    expect(await one.sweep()).toMatchObject({ protected: 0, closed: 1 });
  });

  it('recycle() replaces idle connections and never touches one in use', async () => {
    const one = registry({ recycleInterval: 15, idleAfter: 1000 });
    const db = await one.get('a');
    const lease = await db.getConnection();
    const { threadId } = lease;
    const id = await session(db);
    await until('the idle one is closed', async () => !(await bench.sessions()).includes(id));
    expect(await lease.queryValue('SELECT CONNECTION_ID()')).toBe(threadId);
    expect(await session(db)).not.toBe(id);
    await lease.release();
  });

  it('close() ends one tenant for good, and the next get() makes it anew', async () => {
    const one = registry();
    const old = await one.get('a');
    await old.query('DO 0');
    expect([await one.close('a'), await one.close('b')]).toEqual([true, false]);
    await expect(old.query('DO 0')).rejects.toBeInstanceOf(PoolClosedError);
    expect(await (await one.get('a')).queryValue('SELECT 1')).toBe(1);
    expect(made).toEqual(['a', 'a']);
  });

  it('end() does not wait for a factory beyond its deadline, and ends what that still makes', async () => {
    const late = deferred<RetryingPooledDatabase>();
    const one = new DatabaseRegistry(() => late.promise, { factoryTimeout: 0 });
    const asked = failure(one.get('a'));
    await one.end({ deadline: 20 });
    const db = new RetryingPooledDatabase(bench.address);
    late.resolve(db);
    expect(await asked).toBeInstanceOf(PoolClosedError);
    expect(await failure(db.query('DO 1'))).toBeInstanceOf(PoolClosedError);
  });

  it('an event’s listener stands in nobody’s transaction, even if a statement has opened the tenant', async () => {
    const one = registry();
    const own = bench.open();
    const seen: unknown[] = [];
    one.on('open', () => seen.push(own.query('INSERT INTO notes VALUES (1, NULL)')));
    const tenant = await one.get('a');
    const undone = own.atomic(async () => {
      await tenant.query('DO 1');
      await Promise.all(seen);
      throw new Error('undo');
    });
    expect((await failure(undone)).message).toBe('undo');
    expect(await own.queryValue('SELECT COUNT(*) FROM notes')).toBe(1);
    await own.end();
  });

  it('end() ends all, closes what is out at its deadline, and takes no more tenants', async () => {
    const closed: string[] = [];
    const one = registry({ onClose: (tenant, reason) => closed.push(`${tenant} ${reason}`) });
    const [a, b] = [await one.get('a'), await one.get('b')];
    await a.query('DO 0');
    const lease = await b.getConnection();
    const begun = performance.now();
    await Promise.all([one.end({ deadline: 50 }), one.end()]);
    expect(performance.now() - begun).toBeLessThan(8000);
    await expect(lease.query('DO 0')).rejects.toThrow();
    for (const work of [a.query('DO 0'), b.query('DO 0'), one.get('a'), one.use('a', () => 1)]) {
      expect(await failure(work)).toBeInstanceOf(PoolClosedError);
    }
    expect(closed.sort()).toEqual(['a ended', 'b ended']);
    await lease.release();
  });
});
