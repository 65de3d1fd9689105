import type { PooledConnection, TransactionBlock } from '../../src/index';
import { running } from './running';
import type { Workbench } from './servers';
import { until } from './until';

/** Another session that has locks on rows of `notes`. */
export class Rival {
  readonly #bench: Workbench;
  readonly #connection: PooledConnection;

  constructor(bench: Workbench, connection: PooledConnection) {
    this.#bench = bench;
    this.#connection = connection;
  }

  /** Locks rows one by one: an `IN (…)` on so few rows would lock them all. */
  async lock(...ids: number[]): Promise<void> {
    for (const id of ids) {
      await this.#connection.query("UPDATE notes SET text = 'rival' WHERE id = ?", [id]);
    }
  }

  /**
   * Makes a deadlock with a transaction that has changed less, so that the server ends that one, and
   * takes its locks off. Rejects with the transaction's 1213. The rival has rows 2, 3 and 4.
   */
  async collide(tx: Pick<TransactionBlock, 'query'>): Promise<void> {
    await tx.query("UPDATE notes SET text = 'mine' WHERE id = 1");
    const mine = tx.query("UPDATE notes SET text = 'mine' WHERE id = 2");
    mine.catch(() => {});
    await until(
      'our statement waits',
      async () => (await running(this.#bench, "'mine' WHERE id = 2")) > 0,
    );
    await this.lock(1);
    await this.yield();
    await mine;
  }

  /** Takes all its locks off. */
  yield(): Promise<void> {
    return this.#connection.rollback();
  }
}

/** Puts rows 1 to 4 into `notes` and begins another transaction that has locked `ids`. */
export async function withRival(
  bench: Workbench,
  ids: number[],
  work: (rival: Rival) => Promise<void>,
): Promise<void> {
  await bench.sql(`INSERT INTO ${bench.schema}.notes VALUES (1,'a'),(2,'b'),(3,'c'),(4,'d')`);
  const connection = await bench.open().getConnection();
  try {
    await connection.beginTransaction();
    const rival = new Rival(bench, connection);
    await rival.lock(...ids);
    await work(rival);
  } finally {
    await connection.release();
  }
}
