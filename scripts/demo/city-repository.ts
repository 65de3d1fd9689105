import { releaseConnection, type RetryingPooledDatabase } from '../../src/index';
import type { City, Fingerprint } from './city-data';

const CREATE = `
  CREATE TABLE city (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    country CHAR(2) NOT NULL,
    population INT UNSIGNED NOT NULL,
    latitude DOUBLE NOT NULL,
    longitude DOUBLE NOT NULL,
    visits INT UNSIGNED NOT NULL DEFAULT 0,
    KEY by_name (name),
    KEY by_place (latitude, longitude)
  ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin`;
const INSERT = 'INSERT INTO city (id, name, country, population, latitude, longitude) VALUES ?';
const COLUMNS = 'id, name, country, population, latitude, longitude, visits';
const BY_ID = `SELECT ${COLUMNS} FROM city WHERE id = ?`;
const BY_NAME = `SELECT ${COLUMNS} FROM city WHERE name = ? ORDER BY population DESC`;
const NEAR = `
  SELECT ${COLUMNS} FROM city
  WHERE latitude BETWEEN ? AND ? AND longitude BETWEEN ? AND ? AND id <> ?
  ORDER BY POW(latitude - ?, 2) + POW(longitude - ?, 2) LIMIT 5`;
const COUNT_VISIT = 'UPDATE city SET visits = visits + 1 WHERE id = ?';
const SUM_OF_VISITS = 'SELECT COALESCE(SUM(visits), 0) AS visits FROM city';
const FINGERPRINT = `
  SELECT COUNT(*) AS cities, SUM(population) AS population,
    LPAD(HEX(BIT_XOR(CAST(CONV(LEFT(
      SHA2(CONCAT_WS(':', id, name, country, population), 256), 16), 16, 10) AS UNSIGNED))), 16, '0') AS digest
  FROM city`;

const BATCH = 1000;
/** Half the side of the square in which neighbours are looked for, in degrees. */
const NEARBY = 0.1;
/** Reading twice is the same as reading once: the library may repeat it after a lost connection. */
const READ = { idempotent: true };

export interface StoredCity extends City {
  readonly visits: number;
}

/**
 * The table `city`. Public methods are decorated: whatever happens in them, their connection goes
 * back. Underscore methods take part in the scope or transaction that is open and never end it.
 */
export class CityRepository {
  readonly #db: RetryingPooledDatabase;

  constructor(db: RetryingPooledDatabase) {
    this.#db = db;
  }

  @releaseConnection
  async create(): Promise<void> {
    await this.#db.query('DROP TABLE IF EXISTS city', [], { idempotent: true });
    await this.#db.query(CREATE);
  }

  /** Stores all cities, a transaction for every thousand, and yields how many are stored so far. */
  @releaseConnection
  async *importAll(cities: readonly City[]): AsyncGenerator<number> {
    for (let from = 0; from < cities.length; from += BATCH) {
      const batch = cities.slice(from, from + BATCH);
      await this.#db.atomic(() => this._insert(batch));
      yield from + batch.length;
    }
    // The server gathers statistics at leisure. One that is restarted before takes the table for empty
    // and reads all of it to find a neighbour.
    await this.#db.query('ANALYZE TABLE city');
  }

  @releaseConnection
  find(id: number): Promise<StoredCity | undefined> {
    return this._find(id);
  }

  /** All cities of exactly this name, the largest first. */
  @releaseConnection
  findByName(name: string): Promise<StoredCity[]> {
    return this._findByName(name);
  }

  /** A city's nearest neighbours: two statements, one connection. */
  @releaseConnection
  async neighbours(id: number): Promise<StoredCity[]> {
    const city = await this._find(id);
    return city === undefined ? [] : this._near(city);
  }

  @releaseConnection
  async fingerprint(): Promise<Fingerprint> {
    const [[row]] = await this.#db.query(FINGERPRINT, [], READ);
    return {
      cities: Number(row?.cities),
      population: Number(row?.population),
      digest: String(row?.digest),
    };
  }

  @releaseConnection
  async sumOfVisits(): Promise<number> {
    const [[row]] = await this.#db.query(SUM_OF_VISITS, [], READ);
    return Number(row?.visits);
  }

  async _find(id: number): Promise<StoredCity | undefined> {
    const [[city]] = await this.#db.execute<StoredCity[]>(BY_ID, [id], READ);
    return city;
  }

  async _findByName(name: string): Promise<StoredCity[]> {
    const [cities] = await this.#db.execute<StoredCity[]>(BY_NAME, [name], READ);
    return cities;
  }

  async _near({ id, latitude, longitude }: City): Promise<StoredCity[]> {
    const box = [latitude - NEARBY, latitude + NEARBY, longitude - NEARBY, longitude + NEARBY];
    const values = [...box, id, latitude, longitude];
    const [cities] = await this.#db.execute<StoredCity[]>(NEAR, values, READ);
    return cities;
  }

  /** Adds one to a counter: not idempotent, and therefore only ever part of a transaction. */
  async _countVisit(id: number): Promise<void> {
    await this.#db.execute(COUNT_VISIT, [id]);
  }

  async _insert(cities: readonly City[]): Promise<void> {
    const rows = cities.map((c) => [
      c.id,
      c.name,
      c.country,
      c.population,
      c.latitude,
      c.longitude,
    ]);
    await this.#db.query(INSERT, [rows]);
  }
}
