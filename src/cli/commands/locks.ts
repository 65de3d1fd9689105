import { DistributedLocks } from '../../lock/distributed-locks';
import type { LockHolder } from '../../lock/lock-holder';
import type { Command } from '../command';
import { Exit } from '../exit';
import { table } from '../layout';
import { counted, duration, printable } from '../units';

export const locksLs: Command = {
  name: 'locks ls',
  summary: 'Lists the locks that are held: by whom, since when, until when.',
  about: [
    'Times are the server’s. Waiting for a lock leaves no trace in the database, and is not shown.',
  ],
  options: {
    meta: { about: 'shows what the holders gave as meta' },
  },
  exits: { 0: 'done, whether or not any is held' },
  examples: ['locks ls', 'locks ls --json | jq -r .locks[].name'],
  async run(job) {
    const withMeta = job.given.has('meta');
    await using locks = new DistributedLocks(await job.connect(), { prefix: job.prefix });
    const held: LockHolder[] = [];
    for await (const holder of locks.list()) held.push(holder);
    const shown = held.map(({ meta, ...holder }) => (withMeta ? { ...holder, meta } : holder));
    job.show({
      data: { address: job.address, locks: shown },
      text: (terminal) => {
        const summary = `${counted(held.length, 'lock')} held\n`;
        if (held.length === 0) return summary;
        const columns = [
          { head: 'NAME' },
          { head: 'HOLDER' },
          { head: 'HELD FOR', right: true },
          { head: 'EXPIRES IN', right: true },
          { head: 'TOKEN', right: true },
          ...(withMeta ? [{ head: 'META' }] : []),
        ];
        const rows = held.map(({ name, host, pid, heldFor, expiresIn, token, meta }) => [
          printable(name),
          printable(`${host ?? '?'}:${pid ?? '?'}`),
          duration(heldFor),
          duration(expiresIn),
          String(token),
          ...(withMeta ? [meta === undefined ? '' : printable(JSON.stringify(meta))] : []),
        ]);
        return `${table(terminal, columns, rows)}\n${summary}`;
      },
    });
    return Exit.done;
  },
};

export const locksRelease: Command = {
  name: 'locks release',
  summary: 'Takes locks away from whoever holds them.',
  about: [
    'The holder learns of it with its next renewal, after a third of its ttl at most; until then it may go on. What it ' +
      'writes under assertHeld() or fence() is refused at once.',
  ],
  operands: { shown: '<name> …', least: 1, most: Infinity },
  options: { 'dry-run': { about: 'says who holds them, and takes nothing away' } },
  exits: { 0: 'each of them was held, and is free now', 1: 'one of them at least was not held' },
  examples: ['locks release nightly-report --dry-run', 'locks release nightly-report'],
  async run(job) {
    const isDry = job.given.has('dry-run');
    await using locks = new DistributedLocks(await job.connect(), { prefix: job.prefix });
    const outcomes: { readonly name: string; readonly outcome: 'held' | 'released' | 'free' }[] =
      [];
    for (const name of job.given.operands) {
      const held = isDry ? await locks.isLocked(name) : await locks.forceRelease(name);
      outcomes.push({ name, outcome: held ? (isDry ? 'held' : 'released') : 'free' });
    }
    const words = { held: 'would be released', released: 'released', free: 'held by nobody' };
    job.show({
      data: { address: job.address, dryRun: isDry, locks: outcomes },
      text: (terminal) =>
        table(
          terminal,
          [{ head: 'NAME' }, { head: '' }],
          outcomes.map(({ name, outcome }) => [
            printable(name),
            { text: words[outcome], tone: outcome === 'free' ? 'warning' : 'good' },
          ]),
        ),
    });
    return outcomes.some(({ outcome }) => outcome === 'free') ? Exit.problem : Exit.done;
  },
};
