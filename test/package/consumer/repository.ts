// What a user writes. Compiled only: as CommonJS, as an ES module and for a bundler, in both dialects.
import {
  RetryingPooledDatabase,
  auditReleases,
  connectionScope,
  releaseConnection,
} from 'mysql-boomerang';
import { mysql2Pool } from 'mysql-boomerang/mysql2';
import type { Pool } from 'mysql2';

export class CityRepository {
  readonly #db: RetryingPooledDatabase;

  constructor(db: RetryingPooledDatabase) {
    this.#db = db;
  }

  @releaseConnection
  async find(id: number): Promise<unknown> {
    const [rows] = await this.#db.query('SELECT name FROM cities WHERE id = ?', [id]);
    return rows;
  }
}

/** For a library that takes a pool of mysql2's. */
export function poolOf(db: RetryingPooledDatabase): Pool {
  return mysql2Pool(db, { endsDatabase: true });
}

export const unreleased: readonly string[] = auditReleases(CityRepository);

export async function answer(): Promise<number> {
  return connectionScope(async () => 42);
}
