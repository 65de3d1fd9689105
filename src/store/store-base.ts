import type { RetryingPooledDatabase } from '../database';
import type { Instruments } from '../metrics/instruments';
import { partsOf } from '../pooled-database';
import { Sweeper, type SweepStats } from '../schema/sweeper';
import { ValueCodec } from '../values/codec';
import { KeySpace, type StoreKey } from './store-key';
import { resolveStoreOptions, type KeyValueStoreOptions, type NameForm } from './store-options';
import { STORE_INSTRUMENT } from './store-instrument';
import { StoreSweeper } from './store-sweeper';
import { StoreTables } from './store-tables';

/** How far the removal of expired and abandoned rows has come. */
export type StoreStats = SweepStats;

/** What all commands of a store stand on. */
export class StoreBase<Form extends NameForm = 'string'> {
  /** @internal */
  protected readonly tables: StoreTables;
  /** @internal */
  protected readonly space: KeySpace<Form>;
  /** @internal */
  protected readonly codec: ValueCodec;
  readonly #sweeper: Sweeper;
  readonly #instruments: Instruments;

  /** @throws {ConfigurationError} naming the option and the rule. */
  constructor(db: RetryingPooledDatabase, options: KeyValueStoreOptions<Form> = {}) {
    const resolved = resolveStoreOptions(options);
    const { host, instruments } = partsOf(db);
    const { clock, logger } = host;
    this.tables = new StoreTables(db, resolved.prefix, resolved.autoInstall);
    this.space = new KeySpace(resolved.namespace, resolved.names as Form);
    this.codec = new ValueCodec(resolved.serializer);
    const sweeping = new StoreSweeper(this.tables);
    this.#sweeper = new Sweeper({
      clock,
      logger,
      what: 'expired keys',
      every: resolved.sweepInterval,
      batch: () => sweeping.batch(),
    });
    this.#instruments = instruments;
    instruments.add(this, resolved.namespace.toString(), STORE_INSTRUMENT);
  }

  /** How far the removal of expired and abandoned rows has come. */
  stats(): StoreStats {
    return Object.freeze({ ...this.#sweeper.stats });
  }

  /**
   * Removes now what has expired, and what deleted collections have left behind, in bounded batches.
   *
   * @returns how many rows were removed.
   */
  sweep(): Promise<number> {
    return this.#sweeper.sweep();
  }

  /** Sweeps no more. The database stays open; so does the store for whoever goes on using it. */
  close(): Promise<void> {
    this.#instruments.remove(this);
    return this.#sweeper.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Something was written: the moment to look for what can be swept. @internal */
  protected noteWrite(): void {
    this.#sweeper.ride();
  }

  /**
   * A write of one statement to one key.
   *
   * @internal
   */
  protected async _change(sql: string, { id, name }: StoreKey, ...values: unknown[]) {
    this.noteWrite();
    return this.tables.write(sql, [id, name, ...values]);
  }
}
