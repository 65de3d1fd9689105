import { releaseConnection, type RetryingPooledDatabase } from '../../src/index';
import type { CityRepository } from './city-repository';

/**
 * The operation's id is deliberately *not* unique in `visit` and `guestbook`: a write that was
 * carried out twice must show, not be turned away by an index. `postcard` has it as its key, which
 * is what makes writing one idempotent.
 */
const TABLES: Readonly<Record<string, string>> = {
  visit: `(id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, operation VARCHAR(40) NOT NULL,
    city_id INT UNSIGNED NOT NULL, KEY (operation))`,
  guestbook: `(id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, operation VARCHAR(40) NOT NULL,
    text VARCHAR(200) NOT NULL, KEY (operation))`,
  postcard: '(operation VARCHAR(40) NOT NULL PRIMARY KEY, text VARCHAR(200) NOT NULL)',
  traveller: `(id INT UNSIGNED NOT NULL PRIMARY KEY, city_id INT UNSIGNED NULL,
    steps INT UNSIGNED NOT NULL DEFAULT 0)`,
};
const ENGINE = 'ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin';

const ADD_TRAVELLERS = 'INSERT INTO traveller (id) VALUES ?';
const MOVE = 'UPDATE traveller SET city_id = ?, steps = ? WHERE id = ?';
const SEND_POSTCARD =
  'INSERT INTO postcard (operation, text) VALUES (?, ?) ON DUPLICATE KEY UPDATE text = ?';
const ADD_VISIT = 'INSERT INTO visit (operation, city_id) VALUES (?, ?)';
const SIGN_GUESTBOOK = 'INSERT INTO guestbook (operation, text) VALUES (?, ?)';
/** A locking read: where the write is still being committed by somebody, it waits for the outcome. */
const IS_WRITTEN = {
  visit: 'SELECT id FROM visit WHERE operation = ? LOCK IN SHARE MODE',
  guestbook: 'SELECT id FROM guestbook WHERE operation = ? LOCK IN SHARE MODE',
};

const IDEMPOTENT = { idempotent: true };

/** Tables in which each write bears the id of the operation it belongs to. */
export type Journal = 'visit' | 'guestbook' | 'postcard';

/** What the travellers write. */
export class JournalRepository {
  readonly #db: RetryingPooledDatabase;
  readonly #cities: CityRepository;

  constructor(db: RetryingPooledDatabase, cities: CityRepository) {
    this.#db = db;
    this.#cities = cities;
  }

  @releaseConnection
  async create(travellers: number): Promise<void> {
    for (const [name, columns] of Object.entries(TABLES)) {
      await this.#db.query(`DROP TABLE IF EXISTS ${name}`, [], IDEMPOTENT);
      await this.#db.query(`CREATE TABLE ${name} ${columns} ${ENGINE}`);
    }
    await this.#db.query(ADD_TRAVELLERS, [Array.from({ length: travellers }, (_, id) => [id])]);
  }

  /** A transaction: a counter and a journal row, both or neither. It is never run twice unasked. */
  @releaseConnection
  async visit(operation: string, cityId: number): Promise<void> {
    await this.#db.atomic(async () => {
      await this.#cities._countVisit(cityId);
      await this._addVisit(operation, cityId);
    });
  }

  /** Idempotent: sets what it sets, however often. */
  @releaseConnection
  async moveTo(traveller: number, cityId: number, steps: number): Promise<void> {
    await this.#db.execute(MOVE, [cityId, steps, traveller], IDEMPOTENT);
  }

  /** Idempotent: the caller made the key. */
  @releaseConnection
  async sendPostcard(operation: string, text: string): Promise<void> {
    await this.#db.execute(SEND_POSTCARD, [operation, text, text], IDEMPOTENT);
  }

  /** Not idempotent, and not declared to be: after a lost connection the caller has to look. */
  @releaseConnection
  async signGuestbook(operation: string, text: string): Promise<void> {
    await this.#db.execute(SIGN_GUESTBOOK, [operation, text]);
  }

  /** Whether a write that was in doubt has happened. */
  @releaseConnection
  async isWritten(journal: 'visit' | 'guestbook', operation: string): Promise<boolean> {
    const [rows] = await this.#db.execute(IS_WRITTEN[journal], [operation], IDEMPOTENT);
    return rows.length > 0;
  }

  /** How often each operation stands in a journal. */
  @releaseConnection
  async countByOperation(journal: Journal): Promise<Map<string, number>> {
    const sql = `SELECT operation, COUNT(*) AS times FROM ${journal} GROUP BY operation`;
    const [rows] = await this.#db.query(sql, [], IDEMPOTENT);
    return new Map(rows.map(({ operation, times }) => [String(operation), Number(times)]));
  }

  /** The text of each postcard as the bytes the *server* holds: a garbled text may well read back right. */
  @releaseConnection
  async postcards(): Promise<Map<string, string>> {
    const sql = 'SELECT operation, HEX(text) AS bytes FROM postcard';
    const [rows] = await this.#db.query(sql, [], IDEMPOTENT);
    const textOf = (hex: unknown) => Buffer.from(String(hex), 'hex').toString('utf8');
    return new Map(rows.map(({ operation, bytes }) => [String(operation), textOf(bytes)]));
  }

  @releaseConnection
  async stepsByTraveller(): Promise<Map<number, number>> {
    const [rows] = await this.#db.query('SELECT id, steps FROM traveller', [], IDEMPOTENT);
    return new Map(rows.map(({ id, steps }) => [Number(id), Number(steps)]));
  }

  async _addVisit(operation: string, cityId: number): Promise<void> {
    await this.#db.execute(ADD_VISIT, [operation, cityId]);
  }
}
