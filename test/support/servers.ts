import { randomBytes } from 'node:crypto';
import * as mysql2 from 'mysql2/promise';
import { until } from './until';
import type { ServerHandle } from '../../scripts/server';
import { RetryingPooledDatabase, type DatabaseOptions, type Row } from '../../src/index';

/** A server as the tests see it; plain data, since it travels to Jest's workers in the environment. */
export interface TestServer {
  readonly name: string;
  /** What scripts/server calls this kind of server, to have another one of it. */
  readonly kind: string;
  readonly flavour: 'mariadb' | 'mysql';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** False for a server that is not ours to stop and start. */
  readonly restartable: boolean;
}

/** Where global-setup leaves the servers for the workers. */
export const SERVERS_VARIABLE = 'BOOMERANG_TEST_SERVERS';

/** A running server as the tests see it. */
export function describeServer(handle: ServerHandle): TestServer {
  const { kind, flavour, version, host, port, user, password, restartable } = handle;
  return { name: `${flavour} ${version}`, kind, flavour, host, port, user, password, restartable };
}

export function testServers(): readonly TestServer[] {
  const servers = process.env[SERVERS_VARIABLE];
  if (servers === undefined)
    throw new Error(`${SERVERS_VARIABLE} is not set: run through Jest's global setup`);
  return JSON.parse(servers) as TestServer[];
}

/*
 * MySQL's information_schema.PROCESSLIST fails as a whole where any session, of a stranger too, runs a
 * statement with bytes that are no text.
 */
const PROCESSES = {
  mariadb:
    'SELECT ID AS id, CAST(INFO AS BINARY) AS statement FROM information_schema.PROCESSLIST ' +
    'WHERE DB = ? AND ID <> CONNECTION_ID()',
  mysql:
    'SELECT PROCESSLIST_ID AS id, CAST(PROCESSLIST_INFO AS BINARY) AS statement ' +
    'FROM performance_schema.threads WHERE PROCESSLIST_DB = ? AND PROCESSLIST_ID <> CONNECTION_ID()',
};

/** A database of its own on a server, and what a test needs around it. */
export class Workbench {
  readonly server: TestServer;
  readonly schema = `t_${randomBytes(6).toString('hex')}`;
  readonly #databases: RetryingPooledDatabase[] = [];
  #admin: mysql2.Connection | undefined;

  constructor(server: TestServer) {
    this.server = server;
  }

  /** Options that reach this workbench's database. */
  get address(): DatabaseOptions {
    const { host, port, user, password } = this.server;
    return { host, port, user, password, database: this.schema };
  }

  /** The same for mysql2's own pool. */
  get theirAddress(): mysql2.PoolOptions {
    const { host, port, user, password } = this.server;
    return { host, port, user, password, database: this.schema };
  }

  /** A database under test; ended, with a check that nothing is out, after each test. */
  open(options: DatabaseOptions = {}): RetryingPooledDatabase {
    const db = new RetryingPooledDatabase({ ...this.address, ...options });
    this.#databases.push(db);
    return db;
  }

  /**
   * The same with its first connection made, however long that takes, and never asked for a sign of
   * life: what follows is not about that.
   */
  async connected(options: DatabaseOptions = {}): Promise<RetryingPooledDatabase> {
    const db = this.open({ validateAfter: 0, ...options });
    const answers = (): Promise<boolean> =>
      db.query('DO 0').then(
        () => true,
        () => false,
      );
    await until('it is connected', answers);
    return db;
  }

  /** A connection beside the pool, to look at the server and to meddle with it. */
  get admin(): mysql2.Connection {
    if (this.#admin === undefined) throw new Error('the workbench is not set up');
    return this.#admin;
  }

  async sql(text: string, values: unknown[] = []): Promise<Row[]> {
    const [rows] = await this.admin.query(text, values);
    return rows as Row[];
  }

  /** The sessions that this workbench's pools have on the server, and what each of them runs. */
  async processes(): Promise<{ id: number; statement: string | undefined }[]> {
    const rows = await this.sql(PROCESSES[this.server.flavour], [this.schema]);
    return rows.map(({ id, statement }) => ({
      id: Number(id),
      // As bytes: bound values may stand in it that are no text.
      statement: (statement as Buffer | null)?.toString('latin1'),
    }));
  }

  async sessions(): Promise<number[]> {
    return (await this.processes()).map(({ id }) => id);
  }

  /** A new connection beside the pool, where the server was away. */
  async reconnect(): Promise<void> {
    const { host, port, user, password } = this.server;
    this.#admin?.destroy();
    this.#admin = await mysql2.createConnection({ host, port, user, password });
    // Whoever uses it is told by the statement.
    this.#admin.on('error', () => {});
  }

  async setUp(): Promise<void> {
    await this.reconnect();
    await this.sql(`CREATE DATABASE ${this.schema} CHARACTER SET utf8mb4`);
    await this.sql(
      `CREATE TABLE ${this.schema}.notes (id INT PRIMARY KEY, text VARCHAR(100)) ENGINE=InnoDB`,
    );
  }

  /** Ends the databases of one test; what is still out is a failure of that test. */
  async endDatabases(): Promise<void> {
    for (const db of this.#databases.splice(0)) {
      // What runs in the background, such as the renewal of a lock, may still be under way.
      await until('all are back', () => db.stats().active === 0).catch(() => {});
      const { active } = db.stats();
      await db.end({ deadline: 0 });
      if (active !== 0) throw new Error(`${active} leases were still out at the end of the test`);
    }
    await this.sql(`DELETE FROM ${this.schema}.notes`);
  }

  async tearDown(): Promise<void> {
    await this.sql(`DROP DATABASE ${this.schema}`);
    await this.#admin?.end();
  }
}

/** Runs a suite on every server there is. A further server is one more row in global-setup. */
export function onEachServer(suite: (bench: Workbench) => void): void {
  describe.each(testServers().map((server) => [server.name, server] as const))(
    'on %s',
    (_, server) => {
      const bench = new Workbench(server);
      beforeAll(() => bench.setUp());
      afterEach(() => bench.endDatabases());
      afterAll(() => bench.tearDown());
      suite(bench);
    },
  );
}

/** The `notes` that are committed, as seen from outside the pool. */
export async function notesIn(bench: Workbench): Promise<number[]> {
  const rows = await bench.sql(`SELECT id FROM ${bench.schema}.notes ORDER BY id`);
  return rows.map(({ id }) => Number(id));
}

/** The session a statement of `db` runs on right here. */
export async function session(db: RetryingPooledDatabase): Promise<number> {
  const [rows] = await db.query<{ id: number }[]>('SELECT CONNECTION_ID() AS id');
  return rows[0]?.id ?? 0;
}
