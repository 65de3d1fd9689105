import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import * as mysql2 from 'mysql2/promise';
import {
  DatabaseRegistry,
  connectionScope,
  type DatabaseOptions,
  type RegistryOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import type { TestServer } from './servers';

const SESSIONS = {
  mariadb:
    'SELECT ID AS id, DB AS db FROM information_schema.PROCESSLIST ' +
    "WHERE DB LIKE ? AND COMMAND <> 'Quit'",
  mysql:
    'SELECT PROCESSLIST_ID AS id, PROCESSLIST_DB AS db FROM performance_schema.threads ' +
    "WHERE PROCESSLIST_DB LIKE ? AND PROCESSLIST_COMMAND <> 'Quit'",
};

export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Many tenants with a database each on one real server, and what the server sees of them. */
export class TenantFleet {
  readonly #prefix = `f${randomBytes(4).toString('hex')}`;
  readonly #server: TestServer;
  readonly #count: number;
  readonly #handles = new Map<string, RetryingPooledDatabase>();
  #admin: mysql2.Connection | undefined;
  /** The most sessions, and databases with any, that two looks in a row both saw. */
  readonly most = { sessions: 0, databases: 0, descriptors: 0 };
  /** Increments that were committed. */
  increments = 0;
  statements = 0;

  constructor(server: TestServer, count: number) {
    this.#server = server;
    this.#count = count;
  }

  get admin(): mysql2.Connection {
    if (this.#admin === undefined) throw new Error('the fleet is not set up');
    return this.#admin;
  }

  async setUp(): Promise<void> {
    const { host, port, user, password } = this.#server;
    this.#admin = await mysql2.createConnection({ host, port, user, password });
    // One table for all: two hundred would take longer to make than to use.
    await this.admin.query(`CREATE DATABASE ${this.#tally}`);
    await this.admin.query(
      `CREATE TABLE ${this.#tally}.tally (db VARCHAR(64) PRIMARY KEY, n INT NOT NULL DEFAULT 0)`,
    );
    for (const name of this.#schemas) await this.admin.query(`CREATE DATABASE ${name}`);
    await this.admin.query(`INSERT INTO ${this.#tally}.tally (db) VALUES ?`, [
      this.#schemas.map((name) => [name]),
    ]);
  }

  async tearDown(): Promise<void> {
    for (const name of [this.#tally, ...this.#schemas]) {
      await this.admin.query(`DROP DATABASE IF EXISTS ${name}`);
    }
    await this.admin.end();
  }

  get #tally(): string {
    return `${this.#prefix}tally`;
  }

  get #schemas(): string[] {
    return Array.from({ length: this.#count }, (_, i) => this.schema(`t${i}`));
  }

  schema(tenant: string): string {
    return `${this.#prefix}_${tenant}`;
  }

  registry(options: RegistryOptions, each: DatabaseOptions = {}): DatabaseRegistry {
    const { host, port, user, password } = this.#server;
    const address = { host, port, user, password };
    return new DatabaseRegistry(async (tenant) => {
      await delay(Math.random() * 3);
      return { ...address, ...each, database: this.schema(tenant) };
    }, options);
  }

  /** The sessions of all tenants, by the server; those that are taking their leave have gone for us. */
  async sessions(): Promise<Map<number, string>> {
    const [rows] = await this.admin.query(SESSIONS[this.#server.flavour], [`${this.#prefix}\\_%`]);
    return new Map((rows as { id: number; db: string }[]).map(({ id, db }) => [id, db]));
  }

  /**
   * Looks at the server until `over` settles. A session counts where two looks in a row saw it: one
   * whose socket is closed stands in PROCESSLIST for a moment longer.
   */
  async observe(over: Promise<unknown>): Promise<void> {
    let running = true;
    void over.finally(() => (running = false)).catch(() => {});
    let before = new Map<number, string>();
    while (running) {
      const now = await this.sessions();
      const both = [...now].filter(([id]) => before.has(id));
      const { most } = this;
      most.sessions = Math.max(most.sessions, both.length);
      most.databases = Math.max(most.databases, new Set(both.map(([, db]) => db)).size);
      most.descriptors = Math.max(most.descriptors, descriptors());
      before = now;
      await delay(10);
    }
  }

  /** A caller that uses tenants by chance, some of them much more often, until the time is over. */
  async call(
    registry: DatabaseRegistry,
    until: number,
    quiet: 'sometimes' | 'never',
  ): Promise<void> {
    while (performance.now() < until) {
      // Busy and quiet by turns: places are short in the one, tenants fall idle in the other.
      if (quiet === 'sometimes' && performance.now() % 1000 < 400) {
        await delay(20);
        continue;
      }
      const tenant = `t${Math.floor(Math.random() ** 2 * this.#count)}`;
      await this.#step(registry, tenant);
    }
  }

  async #step(registry: DatabaseRegistry, tenant: string): Promise<void> {
    const chance = Math.random();
    if (chance < 0.15) {
      await registry.use(tenant, async (db) => {
        await this.#look(tenant, db);
        await delay(Math.random() * 5);
        await this.#look(tenant, db);
      });
      return;
    }
    // Also handles from long ago.
    const kept = Math.random() < 0.5 ? this.#handles.get(tenant) : undefined;
    const db = kept ?? (await registry.get(tenant));
    this.#handles.set(tenant, db);
    if (chance < 0.45) {
      await db.atomic(
        async () => {
          await db.execute(`UPDATE ${this.#tally}.tally SET n = n + 1 WHERE db = DATABASE()`);
          await this.#look(tenant, db);
        },
        { retries: 5 },
      );
      this.increments++;
    } else if (chance < 0.6) {
      await using lease = await db.getConnection();
      await delay(Math.random() * 10);
      await lease.query('DO 0');
    } else if (chance < 0.75) {
      await connectionScope(async () => {
        await this.#look(tenant, db);
        await this.#look(tenant, db);
      });
    } else {
      await this.#look(tenant, db);
    }
  }

  async #look(tenant: string, db: RetryingPooledDatabase): Promise<void> {
    const found = await db.queryValue<string>('SELECT DATABASE()');
    this.statements++;
    if (found !== this.schema(tenant))
      throw new Error(`${tenant} was served by another's database`);
  }

  /** What the tallies of all tenants say. */
  async total(): Promise<number> {
    const [rows] = await this.admin.query(`SELECT SUM(n) AS total FROM ${this.#tally}.tally`);
    return Number((rows as { total: string }[])[0]?.total);
  }
}
