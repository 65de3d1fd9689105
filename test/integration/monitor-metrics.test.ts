import { DatabaseRegistry, DistributedLocks, type RetryingPooledDatabase } from '../../src/index';
import { LockBench } from '../support/lock-bench';
import { MonitorBench, ask, stateOf } from '../support/monitor-bench';
import { OWN_NAME, familiesOf, lint, samplesOf, valueOf } from '../support/prometheus-lint';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';
import { warm } from '../support/warm';

const USE = 'db_client_connection_use_time_seconds';
const WAIT = 'db_client_connection_wait_time_seconds';
const DURATION = 'db_client_operation_duration_seconds';

onEachServer((bench) => {
  const lockBench = new LockBench(bench);
  const monitors = new MonitorBench();
  let db: RetryingPooledDatabase;

  beforeEach(() => {
    db = bench.open({ connectionLimit: 3 });
  });

  const scrape = async (url: string): Promise<string> => (await ask(`${url}/metrics`)).body;

  it('counts what happens: statements, transactions, connections, callers that wait', async () => {
    const { url } = await monitors.open(db);
    await db.query('INSERT INTO notes VALUES (1, ?)', ['secret']);
    await db.atomic(() => db.execute('UPDATE notes SET text = ?', ['other']));
    await failure(db.atomic(() => Promise.reject(new Error('no'))));
    await failure(db.query('INSERT INTO notes VALUES (1, ?)', ['secret']));
    const held = await db.getConnection();
    const text = await scrape(url);
    expect(valueOf(text, 'db_client_connection_count', { state: 'used' })).toBe(1);
    expect(valueOf(text, 'db_client_connection_max')).toBe(3);
    expect(valueOf(text, 'db_client_connection_pending_requests')).toBe(0);
    const { acquired, released, created } = db.stats();
    expect(valueOf(text, WAIT)).toBe(acquired);
    expect(valueOf(text, USE)).toBe(released);
    expect(valueOf(text, 'db_client_connection_create_time_seconds')).toBe(created);
    expect(valueOf(text, DURATION, { db_operation_name: 'UPDATE' })).toBe(1);
    expect(valueOf(text, DURATION, { db_operation_name: 'COMMIT' })).toBe(1);
    expect(
      valueOf(text, DURATION, {
        db_operation_name: 'INSERT',
        error_type: 'rejected by the server',
      }),
    ).toBe(1);
    expect(valueOf(text, 'mysql_boomerang_transactions_total', { outcome: 'committed' })).toBe(1);
    expect(valueOf(text, 'mysql_boomerang_transactions_total', { outcome: 'rolledBack' })).toBe(1);
    await held.release();
  });

  it('a deadlock that is repeated is counted by its class', async () => {
    const { url } = await monitors.open(db);
    await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (1, 'a'), (2, 'b')`);
    let first = 0;
    let ready: () => void = () => {};
    const both = new Promise<void>((resolve) => (ready = resolve));
    const crossing = (one: number, other: number) =>
      db.atomic(
        async (tx) => {
          await db.execute('UPDATE notes SET text = ? WHERE id = ?', ['x', one]);
          if (tx.attempt === 1 && ++first === 2) ready();
          await both;
          await db.execute('UPDATE notes SET text = ? WHERE id = ?', ['y', other]);
        },
        { retries: 5 },
      );
    await Promise.all([crossing(1, 2), crossing(2, 1)]);
    const text = await scrape(url);
    const retries = db.stats().retries;
    expect(retries).toBeGreaterThan(0);
    expect(valueOf(text, 'mysql_boomerang_retries_total', { error_type: 'deadlock' })).toBe(
      retries,
    );
  });

  it('is clean text by an independent parser and by promtool’s rules, with every family in use', async () => {
    const { url } = await monitors.open(db, { databaseLabel: true });
    const locks = lockBench.keep(new DistributedLocks(db));
    const lease = await locks.acquire('a secret name');
    await db.query('SELECT 1');
    await failure(db.query('SELECT nothing'));
    const { headers, body } = await ask(`${url}/metrics`);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const families = familiesOf(body);
    expect(families.length).toBeGreaterThan(15);
    expect(lint(body)).toHaveLength(1);
    expect(lint(body).filter((problem) => !OWN_NAME.test(problem))).toEqual([]);
    for (const { name, samples } of families.filter(({ type }) => type === 'HISTOGRAM')) {
      const counts = samples.filter((sample) => sample.name === `${name}_count`);
      for (const { labels, value } of counts) {
        const buckets = samples.filter(
          (sample) =>
            sample.name === `${name}_bucket` &&
            sample.labels['error_type'] === labels['error_type'] &&
            sample.labels['db_operation_name'] === labels['db_operation_name'],
        );
        const below = buckets.map((bucket) => bucket.value);
        expect([name, below]).toEqual([name, [...below].sort((a, b) => a - b)]);
        expect(below.at(-1)).toBe(value);
        expect(buckets.at(-1)?.labels['le']).toBe('+Inf');
      }
    }
    expect(body).not.toContain('secret');
    await lease.release();
  });

  it('bears no text, value, name of a lock or of a database as a label unless that was asked for', async () => {
    const tenants = new Map([['tenant-7', db]]);
    const [plain, labelled] = await Promise.all([
      monitors.open(tenants),
      monitors.open(tenants, { databaseLabel: true }),
    ]);
    const locks = lockBench.keep(new DistributedLocks(db));
    const lease = await locks.acquire('lock-name');
    await db.query("SELECT 'card-of-hers' AS column_name");
    const [without, withThem] = await Promise.all([scrape(plain.url), scrape(labelled.url)]);
    expect(without).not.toMatch(/tenant-7|lock-name|card-of-hers|column_name/);
    expect(valueOf(without, 'mysql_boomerang_lock_held')).toBe(1);
    expect(withThem).not.toMatch(/lock-name|card-of-hers|column_name/);
    const of = { database: 'tenant-7' };
    expect(valueOf(withThem, 'mysql_boomerang_lock_held', of)).toBe(1);
    expect(valueOf(withThem, 'db_client_connection_max', of)).toBe(3);
    await lease.release();
  });

  it('bears a name with quotes, backslashes and line breaks in it so that it is read back as it was', async () => {
    const name = 'a"b\\n\nc}d{,e="1 \u00fc';
    const { url } = await monitors.open(new Map([[name, db]]), { databaseLabel: true });
    await db.query('DO 1');
    const samples = samplesOf(await scrape(url));
    const back = (text: string): string =>
      text.replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one));
    for (const { labels } of samples) expect(back(labels['database']!)).toBe(name);
    for (const of of ['db_client_connection_max', `${DURATION}_bucket`]) {
      expect(samples.map((sample) => sample.name)).toContain(of);
    }
  });

  it('of several databases is the sum, and never shrinks when one of them goes', async () => {
    const other = bench.open({ connectionLimit: 5 });
    const tenants = new Map([
      ['one', db],
      ['other', other],
    ]);
    const { url } = await monitors.open(tenants);
    await Promise.all([db.query('DO 1'), other.query('DO 1'), other.query('DO 1')]);
    const before = await scrape(url);
    expect(valueOf(before, 'db_client_connection_max')).toBe(8);
    expect(valueOf(before, DURATION, { db_operation_name: 'DO' })).toBe(3);
    tenants.delete('other');
    const after = await scrape(url);
    expect(valueOf(after, 'db_client_connection_max')).toBe(3);
    expect(valueOf(after, 'mysql_boomerang_databases')).toBe(1);
    expect(valueOf(after, DURATION, { db_operation_name: 'DO' })).toBe(3);
    await other.query('DO 1');
    expect(valueOf(await scrape(url), DURATION, { db_operation_name: 'DO' })).toBe(3);
  });

  it('a database that appears is watched without being asked', async () => {
    const tenants = new Map<string, RetryingPooledDatabase>();
    const { url } = await monitors.open(tenants, { interval: 20 });
    expect(valueOf(await scrape(url), 'mysql_boomerang_databases')).toBe(0);
    tenants.set('new', db);
    await until('it is watched', async () => {
      await db.query('DO 1');
      return /operation_duration_seconds_count\{db_operation_name="DO"\}/.test(await scrape(url));
    });
  });

  it('of a registry counts every statement, the first of a tenant too', async () => {
    const registry = new DatabaseRegistry(() => bench.address, { maxOpen: 1 });
    // It looks by itself at nothing but the scrape.
    const opened = await monitors.open(registry, { interval: 60_000 });
    for (const tenant of ['a', 'b', 'a']) await (await registry.get(tenant)).query('DO 1');
    const text = await scrape(opened.url);
    expect(valueOf(text, DURATION, { db_operation_name: 'DO' })).toBe(3);
    expect(registry.stats()).toMatchObject({ opened: 3, open: 1 });
    await opened.close();
    expect(registry.listenerCount('open')).toBe(0);
    await registry.end();
  });

  it('/health is ready while all is well', async () => {
    const { url } = await monitors.open(await warm(db));
    let answer = await ask(`${url}/health`);
    // A server that takes longer than its second is not ready, and is asked again.
    await until('it is ready', async () => (answer = await ask(`${url}/health`)).status === 200);
    const report = { live: true, ready: true, degraded: false, reasons: [] };
    expect(JSON.parse(answer.body)).toEqual(report);
  });

  it('/health is degraded where callers wait, and not ready where it gets no connection itself', async () => {
    const one = bench.open({ connectionLimit: 1, acquireTimeout: 30_000 });
    const { url } = await monitors.open(one);
    const held = await one.getConnection();
    const second = one.getConnection();
    const asked = ask(`${url}/health/ready`);
    await until('the question waits as well', () => one.stats().waiting === 2);
    const [third, fourth] = [one.getConnection(), one.getConnection()];
    await held.release();
    await (await second).release();
    const { status, body } = await asked;
    expect(status).toBe(200);
    const report = { ready: true, degraded: true, reasons: ['1 callers wait for a connection'] };
    expect(JSON.parse(body)).toMatchObject(report);
    await until('the answer is no longer good', async () => {
      const later = await ask(`${url}/health`);
      return later.status === 503 && later.body.includes('ERR_POOL_EXHAUSTED');
    });
    await (await third).release();
    await (await fourth).release();
  });

  it('the state tells slow statements by their text without values, and who holds a lock', async () => {
    const opened = await monitors.open(db, { slowStatement: 20 });
    const locks = lockBench.keep(new DistributedLocks(db));
    const lease = await locks.acquire('jobs');
    await db.query('SELECT SLEEP(0.03), ? AS a', ['secret']);
    let state = await stateOf(opened);
    // What the server is slow to tell is not waited for; it comes with a later state.
    await until('the server has told', async () => {
      state = await stateOf(opened);
      return state.instruments[0]?.rows?.length === 1 && state.totals.active === 0;
    });
    const { slow, instruments, totals, pace } = state;
    expect(slow.threshold).toBe(20);
    // On a busy machine others are slow as well.
    const ours = slow.statements.filter(({ text }) => text === 'SELECT SLEEP(?), ? AS a');
    expect(ours).toMatchObject([{ count: 1, failed: 0 }]);
    expect(ours[0]!.worst).toBeGreaterThanOrEqual(20);
    expect(JSON.stringify(slow)).not.toContain('secret');
    expect(totals).toMatchObject({ databases: 1, active: 0, limit: 3 });
    expect(pace).toHaveProperty('rate');
    expect(instruments).toMatchObject([
      { kind: 'lock', name: 'boomerang_', values: { held: 1, waiting: 0 } },
    ]);
    expect(instruments[0]!.rows).toMatchObject([{ name: 'jobs', pid: process.pid }]);
    await lease.release();
  });

  it('looking never takes a connection from a pool that has none to spare', async () => {
    const small = bench.open({ connectionLimit: 1 });
    lockBench.keep(new DistributedLocks(small));
    const opened = await monitors.open(small, { interval: 10 });
    const held = await small.getConnection();
    let queued = 0;
    small.on('enqueue', () => queued++);
    const full = { degraded: true, reasons: ['every connection is in use'] };
    await until('it is seen to be full', async () => {
      return JSON.stringify((await stateOf(opened)).health).includes(full.reasons[0]!);
    });
    const { holders, health } = await stateOf(opened);
    expect(queued).toBe(0);
    expect(health).toMatchObject(full);
    expect(holders).toMatchObject([{ threadId: held.threadId }]);
    await held.release();
  });
});
