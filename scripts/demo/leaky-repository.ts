import type { RetryingPooledDatabase } from '../../src/index';
import type { StoredCity } from './city-repository';

/**
 * The style this library replaces: a connection taken by hand, and a path on which nobody gives it
 * back. It is as easily overlooked here as it was in the systems it comes from. Do not copy.
 */
export class LeakyRepository {
  readonly #db: RetryingPooledDatabase;

  constructor(db: RetryingPooledDatabase) {
    this.#db = db;
  }

  async findByName(name: string): Promise<StoredCity | undefined> {
    const connection = await this.#db.getConnection();
    const sql = 'SELECT * FROM city WHERE name = ? ORDER BY population DESC LIMIT 1';
    const [rows] = await connection.execute<StoredCity[]>(sql, [name]);
    await connection.release();
    return rows[0];
  }

  /** Moves a traveller to a city; false if there is no such city. */
  async moveTo(traveller: number, name: string): Promise<boolean> {
    const connection = await this.#db.getConnection();
    const [cities] = await connection.execute('SELECT id FROM city WHERE name = ? LIMIT 1', [name]);
    if (cities[0] === undefined) return false; // ← the caller gets its answer, the pool gets nothing
    const move = 'UPDATE traveller SET city_id = ? WHERE id = ?';
    await connection.execute(move, [cities[0].id, traveller]);
    await connection.release();
    return true;
  }
}
