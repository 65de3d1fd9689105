import type { RetryingPooledDatabase } from '../database';
import { partsOf } from '../pooled-database';
import { TableAccess } from '../schema/table-access';
import { Namespace } from './cache-key';
import { cacheTable, statementsOn } from './cache-table';
import { CacheTagTable, cacheTagTable, versionOf } from './cache-tag-table';

/** What the table has of a namespace, whoever wrote it. */
export interface CacheTotals {
  readonly namespace: string;
  /** Values that are fresh, but for what an invalidated tag has made void. */
  readonly fresh: number;
  /** Beyond their time, and within `grace`. */
  readonly stale: number;
  /** Of no use any more, and not removed yet: expired, or from before `clear()`. */
  readonly spent: number;
  /** Of all of them, keys included, about. */
  readonly bytes: number;
}

interface Row {
  readonly namespace: Buffer;
  readonly epoch: number | string;
  readonly entries: number | string;
  /** Sums are decimals, which come as text. */
  readonly fresh: number | string;
  readonly gone: number | string;
  readonly bytes: number | string;
}

/** Reads the whole table: for operators, not for requests. */
export async function cacheTotals(
  db: RetryingPooledDatabase,
  prefix: string,
): Promise<CacheTotals[]> {
  const access = new TableAccess(db, [cacheTable, cacheTagTable], prefix, false);
  const tags = new CacheTagTable(access, 0);
  const { totals } = statementsOn(access.name(cacheTable), tags.table, false);
  const { statements } = partsOf(db);
  const [rows] = await access.run(() => statements.here<Row[]>(totals, [], { idempotent: true }));
  const names = [...new Set(rows.map(({ namespace }) => namespace.toString()))];
  const epochs = names.map((name) => new Namespace(name).epochId);
  const versions = names.length === 0 ? new Map<string, number>() : await tags.versions(epochs);
  return names.map((namespace, at) => {
    const epoch = versionOf(versions, epochs[at] ?? Buffer.alloc(0));
    const sum = { fresh: 0, stale: 0, spent: 0, bytes: 0 };
    for (const row of rows.filter((one) => one.namespace.toString() === namespace)) {
      const [fresh, gone] =
        Number(row.epoch) === epoch
          ? [Number(row.fresh), Number(row.gone)]
          : [0, Number(row.entries)];
      sum.fresh += fresh;
      sum.stale += Number(row.entries) - fresh - gone;
      sum.spent += gone;
      sum.bytes += Number(row.bytes);
    }
    return Object.freeze({ namespace, ...sum });
  });
}
