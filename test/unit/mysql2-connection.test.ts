import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { InvalidArgumentError } from '../../src/errors';
import { Mysql2Connection } from '../../src/driver/mysql2-connection';
import { rejection } from '../support/fixture';
import { serverError } from '../support/fake-driver';

type Callback = (error: Error | null, rows?: unknown, fields?: unknown) => void;
interface Call {
  readonly kind: string;
  readonly sql: string;
  readonly done: Callback;
}

/** mysql2's callback interface, answered by hand. */
class Core extends EventEmitter {
  readonly threadId = 7;
  readonly calls: Call[] = [];
  readonly forgotten: unknown[] = [];
  throws: Error | undefined;

  query(sql: string | { sql: string }, ...rest: unknown[]): void {
    this.#take('query', sql, rest);
  }
  execute(sql: string | { sql: string }, ...rest: unknown[]): void {
    this.#take('execute', sql, rest);
  }
  unprepare(key: unknown): void {
    this.forgotten.push(key);
  }
  answer(error: Error | null, rows?: unknown, fields?: unknown): void {
    this.calls.shift()?.done(error, rows, fields);
  }
  #take(kind: string, sql: string | { sql: string }, rest: unknown[]): void {
    if (this.throws !== undefined) throw this.throws;
    this.calls.push({
      kind,
      sql: typeof sql === 'string' ? sql : sql.sql,
      done: rest.at(-1) as Callback,
    });
  }
}

class FakeSocket extends PassThrough {
  bytesWritten = 0;
}

function connected(version = '10.11.19-MariaDB'): { core: Core; connection: Mysql2Connection } {
  const core = new Core();
  const connection = new Mysql2Connection(core as never, new FakeSocket() as never, version);
  return { core, connection };
}

/** An OK packet as mysql2 makes it. */
const ok = (serverStatus: number, stateChanges?: object): object => ({
  affectedRows: 0,
  serverStatus,
  stateChanges,
});
const changes = (trackStateChange: unknown, schema: unknown = null): object => ({
  trackStateChange,
  schema,
});

describe('a mysql2 connection', () => {
  it('tells the flavour by the server’s own words', () => {
    expect(connected().connection.flavour).toBe('mariadb');
    expect(connected('9.7.4').connection.flavour).toBe('mysql');
  });

  it.each([1243, 1615])(
    'forgets a handle after %d, so that the next attempt prepares again',
    async (errno) => {
      const { core, connection } = connected();
      const failed = rejection(connection.run('execute', { sql: 'SELECT ?', values: [1] }));
      core.answer(serverError(errno));
      expect(await failed).toMatchObject({ errno });
      expect(core.forgotten).toEqual([{ sql: 'SELECT ?' }]);
    },
  );

  it('keeps the handle after any other error', async () => {
    const { core, connection } = connected();
    const failed = rejection(connection.run('execute', { sql: 'INSERT', values: [] }));
    core.answer(serverError(1062));
    await failed;
    expect(core.forgotten).toEqual([]);
  });

  it('runs a statement as text where the server prepares no more (1461), once', async () => {
    const { core, connection } = connected();
    const result = connection.run('execute', { sql: 'SELECT ?', values: [1] });
    core.answer(serverError(1461));
    expect(core.calls.map(({ kind, sql }) => [kind, sql])).toEqual([['query', 'SELECT ?']]);
    core.answer(null, [{ v: 1 }], [{ name: 'v' }]);
    expect(await result).toEqual([[{ v: 1 }], [{ name: 'v' }]]);
    expect(connection.pending).toBe(0);
  });

  it('settles once, also where mysql2 calls back twice', async () => {
    const { core, connection } = connected();
    const failed = rejection(connection.run('execute', { sql: 'SELECT 1' }));
    const [call] = core.calls;
    const loss = new Error('lost');
    call?.done(loss);
    call?.done(new Error('again'));
    expect(await failed).toBe(loss);
    expect(connection.pending).toBe(0);
  });

  it('turns what mysql2 throws for values into a typed rejection, and is fit for more', async () => {
    const { core, connection } = connected();
    core.throws = new TypeError('Bind parameters must not contain undefined');
    expect(
      await rejection(connection.run('execute', { sql: 'X', values: [undefined] })),
    ).toBeInstanceOf(InvalidArgumentError);
    expect(connection.pending).toBe(0);
  });

  it('keeps the text with the values out of what loggers enumerate', async () => {
    const { core, connection } = connected();
    const failed = rejection(connection.run('query', { sql: 'X' }));
    core.answer(Object.assign(serverError(1064), { sql: "SELECT 'secret'" }));
    const error = await failed;
    expect(JSON.stringify(error)).not.toContain('secret');
    expect((error as unknown as { sql: string }).sql).toContain('secret');
  });

  it.each([
    ['SELECT 1', ok(1), true],
    ['COMMIT', ok(2), false],
  ])('knows of an open transaction by the last OK packet (%s)', async (sql, packet, open) => {
    const { core, connection } = connected();
    const done = connection.run('query', { sql });
    core.answer(null, packet);
    await done;
    expect(connection.inTransaction).toBe(open);
  });

  it('reads the flag of a CALL from its last packet', async () => {
    const { core, connection } = connected();
    const done = connection.run('query', { sql: 'CALL p()' });
    core.answer(null, [[{ a: 1 }], ok(1)], [[{ name: 'a' }], undefined]);
    await done;
    expect(connection.inTransaction).toBe(true);
  });

  it.each([
    ['nothing reported', ok(2), false, false],
    ['an empty report, as MySQL sends with each COMMIT', ok(2, changes(null)), false, false],
    ['"changed", which mysql2 gives as an empty text', ok(2, changes('')), true, false],
    ['another database', ok(2, changes(null, 'other')), true, true],
  ])(
    'takes a session for dirty by what the server reports: %s',
    async (_, packet, dirty, schema) => {
      const { core, connection } = connected();
      const done = connection.run('query', { sql: 'UPDATE t SET a = 1' });
      core.answer(null, packet);
      await done;
      expect([connection.dirty, connection.schemaChanged]).toEqual([dirty, schema]);
      connection.markClean();
      expect([connection.dirty, connection.schemaChanged]).toEqual([false, false]);
    },
  );

  it('rejects with the loss, and sends nothing, once it is lost; tells its listener once', async () => {
    const { core, connection } = connected();
    const told: Error[] = [];
    connection.onLost((reason) => told.push(reason));
    const loss = new Error('ECONNRESET');
    core.emit('error', loss);
    core.emit('end');
    expect(await rejection(connection.run('query', { sql: 'X' }))).toBe(loss);
    expect([told, core.calls]).toEqual([[loss], []]);
  });

  it('tells of slow statements, failed ones too', async () => {
    const { core, connection } = connected();
    const slow: string[] = [];
    connection.watch(0.000001, (sql) => slow.push(sql));
    const failed = rejection(connection.run('query', { sql: 'SLOW' }));
    core.answer(serverError(1064));
    await failed;
    expect(slow).toEqual(['SLOW']);
  });
});
