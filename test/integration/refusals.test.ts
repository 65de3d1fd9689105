import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import {
  ConfigurationError,
  InvalidArgumentError,
  PoolExhaustedError,
  RetryingPooledDatabase,
  connectionScope,
} from '../../src/index';
import { onEachServer } from '../support/servers';
import { failure, until } from '../support/until';

onEachServer((bench) => {
  it('a wrong password: the driver’s own error at once, for all who wait', async () => {
    const db = bench.open({ password: 'wrong-secret' });
    const begun = performance.now();
    const errors = await Promise.all([failure(db.query('DO 0')), failure(db.getConnection())]);
    expect(performance.now() - begun).toBeLessThan(8000);
    for (const error of errors) {
      expect(error).toMatchObject({ errno: 1045, code: 'ER_ACCESS_DENIED_ERROR' });
      expect(error.message).not.toContain('wrong-secret');
    }
    expect(db.stats()).toMatchObject({ total: 0, waiting: 0 });
  });

  it('an unknown database: the driver’s own error at once', async () => {
    const db = bench.open({ database: 'nowhere' });
    expect(await failure(db.query('DO 0'))).toMatchObject({ errno: 1049 });
  });

  it('an unknown host: PoolExhaustedError within the deadline, the look-up’s failure as cause', async () => {
    const db = bench.open({ host: 'no-such-host.invalid', acquireTimeout: 3000 });
    const begun = performance.now();
    const error = await failure(db.query('DO 0'));
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(error).toBeInstanceOf(PoolExhaustedError);
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain((error.cause as { code?: string }).code);
  });

  it('a server that is down: PoolExhaustedError within the deadline, ECONNREFUSED as cause', async () => {
    // Nobody listens there; a port that was free a moment ago may be another test's by now.
    const db = bench.open({ host: '127.0.0.1', port: 1, acquireTimeout: 1200 });
    const begun = performance.now();
    const error = await failure(connectionScope(() => db.execute('SELECT 1')));
    expect(performance.now() - begun).toBeLessThan(9000);
    expect(error).toBeInstanceOf(PoolExhaustedError);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('a server that is no MySQL: a typed error within the deadline, and no crash', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const db = bench.open({ port, acquireTimeout: 200 });
    expect(await failure(db.query('DO 0'))).toBeInstanceOf(PoolExhaustedError);
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([[1], ['a'], [null], [{ a: 1 }], [new Date()]])(
    'the bare value %p where parameters belong: a typed error, nothing sent',
    async (value) => {
      const db = bench.open();
      for (const run of [
        () => db.query('SELECT ?', value as never),
        () => db.execute('SELECT ?', value as never),
        () => db.query({ sql: 'SELECT ?', values: value as never }),
        () => db.atomic((tx) => tx.execute('SELECT ?', value as never)),
      ]) {
        const error = await failure(run());
        expect(error).toBeInstanceOf(InvalidArgumentError);
        expect(error.message).toContain("'values'");
      }
      expect(db.stats().created).toBe(0);
    },
  );

  it.each([
    ['undefined among the values', ['SELECT ?', [undefined]]],
    ['a function among the values', ['SELECT ?', [() => 1]]],
  ] as const)(
    'execute with %s: a typed error, and the connection is fit for the next',
    async (_, [sql, values]) => {
      const db = bench.open({ connectionLimit: 1 });
      expect(await failure(db.execute(sql, values))).toBeInstanceOf(InvalidArgumentError);
      expect((await db.execute('SELECT ? AS v', [1]))[0]).toEqual([{ v: 1 }]);
      expect(db.stats()).toMatchObject({ created: 1, active: 0 });
    },
  );

  it.each([
    ['a text that is no string', [3]],
    ['an option that is not carried out', ['SELECT 1', [], { infileStreamFactory: 5 }]],
    ['a timeout that is none', ['SELECT 1', [], { timeout: '5' }]],
    ['values by name where nobody switched that on', ['SELECT :id', { id: 1 }]],
    ['an unknown property', [{ sql: 'SELECT 1', value: [] }]],
    ['idempotent that is no boolean', ['SELECT 1', [], { idempotent: 'yes' }]],
  ])('%s: InvalidArgumentError', async (_, args) => {
    const db = bench.open();
    const error = await failure(db.query(...(args as [string])));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(db.stats().created).toBe(0);
  });

  it('no function where one belongs: InvalidArgumentError, from every call that takes one', async () => {
    const db = bench.open();
    const none = 3 as never;
    for (const call of [
      () => db.atomic(none),
      () => db.afterCommit(none),
      () => db.afterRollback(none),
      async () => db.withoutScope(none),
      () => connectionScope(none),
      () => db.end({ deadline: -1 }),
      () => db.atomic(async () => 1, { retries: -3 }),
      () => db.atomic(async () => 1, { isolationLevel: 'SNAPSHOT' } as never),
      () => db.atomic(async () => 1, { attempts: 3 } as never),
      () => db.atomic(async () => 1, { verify: true } as never),
    ]) {
      expect(await failure(call())).toBeInstanceOf(InvalidArgumentError);
    }
  });

  it('server full: those who wait are served once there is room', async () => {
    const user = `u_${bench.schema}`;
    await bench.sql(
      `CREATE USER ${user}@'%' IDENTIFIED BY 'one-at-a-time' WITH MAX_USER_CONNECTIONS 1`,
    );
    await bench.sql(`GRANT ALL ON ${bench.schema}.* TO ${user}@'%'`);
    const first = bench.open({ user, password: 'one-at-a-time' });
    await first.query('DO 0');
    const second = bench.open({ user, password: 'one-at-a-time', acquireTimeout: 25_000 });
    const waiting = second.query('DO 0');
    await until('the refusal is met', () => second.stats().connecting === 0);
    await first.end();
    await waiting;
    expect(second.stats()).toMatchObject({ created: 1, timeouts: 0 });
    await second.end();
    await bench.sql(`DROP USER ${user}@'%'`);
  });
});

describe('constructing', () => {
  it('fails fast and connects to nothing', () => {
    expect(() => new RetryingPooledDatabase({ connectionLimit: 0 })).toThrow(ConfigurationError);
    expect(() => new RetryingPooledDatabase({ charset: 'klingon' })).toThrow(/charset/);
    expect(() => new RetryingPooledDatabase({ ssl: 'Some Profile' })).toThrow(/ssl/);
    expect(() => new RetryingPooledDatabase(undefined as never)).toThrow(ConfigurationError);
    expect(new RetryingPooledDatabase('mysql://a:b@127.0.0.1:1/c').stats().created).toBe(0);
  });
});
