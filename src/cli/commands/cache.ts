import { Cache } from '../../cache/cache';
import { cacheTotals, type CacheTotals } from '../../cache/cache-totals';
import type { Command, CommandOptions, Job } from '../command';
import { Exit, UsageError } from '../exit';
import { table } from '../layout';
import { bytes, counted, number, printable } from '../units';

const NAMESPACE: CommandOptions = {
  namespace: { value: '<name>', about: "this namespace alone; '' is that of caches without one" },
};

/** Totals of the namespace that was named, or of all. */
async function totalsOf({ given, connect, prefix }: Job): Promise<CacheTotals[]> {
  const wanted = given.text('namespace');
  const all = await cacheTotals(await connect(), prefix);
  if (wanted === undefined) return all;
  const found = all.filter(({ namespace }) => namespace === wanted);
  return found.length > 0 ? found : [{ namespace: wanted, fresh: 0, stale: 0, spent: 0, bytes: 0 }];
}

/** The namespace of caches without one has no name to show. */
const shown = (namespace: string): string => (namespace === '' ? "''" : printable(namespace));

export const cacheStats: Command = {
  name: 'cache stats',
  summary: 'Counts the values of each namespace, and how much room they take.',
  about: [
    'Hits and misses are counted by the processes that use a cache (stats() there), not by the database. Reads ' +
      'the whole table. Values that lost a tag count as they were until they are removed.',
  ],
  options: NAMESPACE,
  examples: ['cache stats', 'cache stats --namespace users --json'],
  async run(job) {
    const totals = await totalsOf(job);
    job.show({
      data: { address: job.address, namespaces: totals },
      text: (terminal) => {
        const sum = (of: (one: CacheTotals) => number): number =>
          totals.reduce((all, one) => all + of(one), 0);
        const values = counted(
          sum(({ fresh, stale }) => fresh + stale),
          'value',
        );
        const summary = `${values} in ${counted(totals.length, 'namespace')}, ${bytes(sum((one) => one.bytes))}\n`;
        if (totals.length === 0) return summary;
        const columns = [
          { head: 'NAMESPACE' },
          { head: 'FRESH', right: true },
          { head: 'STALE', right: true },
          { head: 'TO BE SWEPT', right: true },
          { head: 'SIZE', right: true },
        ];
        const rows = totals.map(({ namespace, fresh, stale, spent, bytes: size }) => [
          shown(namespace),
          number(fresh),
          number(stale),
          number(spent),
          bytes(size),
        ]);
        return `${table(terminal, columns, rows)}\n${summary}`;
      },
    });
    return Exit.done;
  },
};

export const cacheSweep: Command = {
  name: 'cache sweep',
  summary: 'Removes values that are of no use any more.',
  about: [
    'Caches do so by themselves, bit by bit as they are written to: this is for one that nobody writes to any more. Expired ' +
      'values of all namespaces go at once; of those from before clear() a part with each run.',
  ],
  options: {
    ...NAMESPACE,
    'dry-run': { about: 'counts what could go, and removes nothing' },
  },
  examples: ['cache sweep --dry-run', 'cache sweep'],
  async run(job) {
    const isDry = job.given.has('dry-run');
    const totals = await totalsOf(job);
    let removed = 0;
    for (const { namespace, spent } of totals)
      removed += isDry ? spent : await sweep(job, namespace);
    job.show({
      data: { address: job.address, dryRun: isDry, removed: isDry ? 0 : removed, found: totals },
      text: () => `${counted(removed, 'value')} ${isDry ? 'would be removed' : 'removed'}\n`,
    });
    return Exit.done;
  },
};

async function sweep({ connect, prefix }: Job, namespace: string): Promise<number> {
  await using cache = new Cache(await connect(), { prefix, namespace });
  return await cache.sweep();
}

export const cacheClear: Command = {
  name: 'cache clear',
  summary: 'Makes all values of a namespace void.',
  about: [
    'At once and for everybody, in one row; the values themselves are removed bit by bit. What is being made meanwhile is not ' +
      'stored. Processes that keep values in memory of their own (l1) notice within its ttl, a second by default.',
  ],
  options: {
    ...NAMESPACE,
    all: { about: 'every namespace that has values' },
    'dry-run': { about: 'counts what would be void, and changes nothing' },
  },
  examples: ['cache clear --namespace users --dry-run', 'cache clear --namespace users'],
  async run(job) {
    const { given } = job;
    if (given.has('all') === given.has('namespace')) {
      throw new UsageError('cache clear wants either --namespace <name> or --all');
    }
    const isDry = given.has('dry-run');
    const totals = await totalsOf(job);
    for (const { namespace } of isDry ? [] : totals) {
      await using cache = new Cache(await job.connect(), { prefix: job.prefix, namespace });
      await cache.clear();
    }
    const cleared = totals.map(({ namespace, fresh, stale }) => ({
      namespace,
      values: fresh + stale,
    }));
    job.show({
      data: { address: job.address, dryRun: isDry, namespaces: cleared },
      text: (terminal) => {
        const columns = [{ head: 'NAMESPACE' }, { head: 'VALUES', right: true }, { head: '' }];
        const rows = cleared.map(({ namespace, values }) => [
          shown(namespace),
          number(values),
          isDry ? 'would be void' : { text: 'void', tone: 'good' as const },
        ]);
        return rows.length === 0 ? 'no namespace has values\n' : table(terminal, columns, rows);
      },
    });
    return Exit.done;
  },
};
