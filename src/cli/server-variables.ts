import type { RetryingPooledDatabase } from '../database';

interface Listed {
  readonly Variable_name: string;
  readonly Value: string;
}

/** Variables of a server or a session, by name. A server that has none of a name gives ''. */
export class ServerVariables {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [string, string]>) {
    this.#values = new Map([...values].map(([name, value]) => [name.toLowerCase(), value]));
  }

  static async read(
    db: RetryingPooledDatabase,
    what: 'GLOBAL VARIABLES' | 'SESSION VARIABLES' | 'GLOBAL STATUS' | 'SESSION STATUS',
    names: readonly string[],
  ): Promise<ServerVariables> {
    const sql = `SHOW ${what} WHERE Variable_name IN (?)`;
    const [rows] = await db.query<Listed[]>(sql, [names], { idempotent: true });
    return new ServerVariables(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  }

  text(name: string): string {
    return this.#values.get(name.toLowerCase()) ?? '';
  }

  number(name: string): number {
    return Number(this.text(name));
  }

  has(name: string): boolean {
    return this.text(name) !== '';
  }

  /** MariaDB 12 has further words for degrees of it. */
  isOn(name: string): boolean {
    return !['', 'OFF', '0', 'NO'].includes(this.text(name).toUpperCase());
  }
}
