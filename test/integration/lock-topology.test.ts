import { DistributedLocks, UnsafeTopologyError, install } from '../../src/index';
import { onEachPrivateServer } from '../support/private-servers';
import { failure } from '../support/until';

onEachPrivateServer([], (there) => {
  afterEach(() => there().sql('SET GLOBAL read_only = 0'));

  it('a lock on a read-only server is refused in words, also to whoever may write there', async () => {
    const bench = there();
    const db = bench.open();
    await install(db);
    await bench.sql('SET GLOBAL read_only = 1');
    // This user may: nobody who looks at the primary would know.
    await db.query('INSERT INTO notes VALUES (1, NULL)');
    const locks = new DistributedLocks(db);
    const attempts = [locks.tryAcquire('a'), locks.acquire('a')].map(failure);
    for (const error of await Promise.all(attempts)) {
      expect(error).toBeInstanceOf(UnsafeTopologyError);
      expect(error.message).toMatch(/read-only.*Connect to the primary/);
    }
    expect(await locks.isLocked('a')).toBe(false);

    await bench.sql('SET GLOBAL read_only = 0');
    const lease = await locks.acquire('a');
    expect(await locks.isLocked('a')).toBe(true);
    await lease.release();
    await locks.close();
  });

  it('what kind of server it is, is asked once for each generation of connections', async () => {
    const bench = there();
    const db = bench.open();
    await install(db);
    const locks = new DistributedLocks(db);
    const asked = async (): Promise<number> => {
      const [row] = await bench.sql("SHOW GLOBAL STATUS LIKE 'Com_show_variables'");
      return Number(row?.['Value']);
    };
    const before = await asked();
    for (let n = 0; n < 5; n++) await (await locks.acquire('a')).release();
    expect((await asked()) - before).toBe(1);
    db.evictAll();
    for (let n = 0; n < 5; n++) await (await locks.acquire('a')).release();
    expect((await asked()) - before).toBe(2);
    await locks.close();
  });
});
