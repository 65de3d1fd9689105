// What a user writes. Compiled only: as CommonJS, as an ES module and for a bundler, in both dialects.
import {
  RetryingPooledDatabase,
  auditReleases,
  connectionScope,
  releaseConnection,
} from 'mysql-boomerang';

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

export const unreleased: readonly string[] = auditReleases(CityRepository);

export async function answer(): Promise<number> {
  return connectionScope(async () => 42);
}
