import { setTimeout as delay } from 'node:timers/promises';
import type { RetryingPooledDatabase } from '../../database';
import { inspectTables } from '../../install';
import { DistributedLocks } from '../../lock/distributed-locks';
import type { TableState } from '../../schema/table-state';
import type { Command, Job, Report } from '../command';
import { groupStates, groupTable, type GroupState } from './queue';
import { serverName } from '../doctor/server-checks';
import { Exit, UsageError } from '../exit';
import { definitions, table } from '../layout';
import { ServerVariables } from '../server-variables';
import { bytes, duration, number } from '../units';

const INTERVAL = 2000;
const SHORTEST = 100;
/** Longer pauses Node would end at once. */
const LONGEST = 24 * 3_600_000;

export const status: Command = {
  name: 'status',
  summary: 'Shows the server, its connections, the tables, and what is held and waiting in them.',
  about: [
    'Rows and sizes of tables are the server’s estimates. With --watch it is shown again and again until Ctrl-C; with ' +
      '--json each time as a line of its own.',
  ],
  options: {
    watch: { about: 'shows it again and again', short: 'w' },
    interval: { value: '<time>', about: 'how often, with --watch', default: '2s' },
  },
  examples: ['status', 'status --watch --interval 5s'],
  async run(job) {
    const { given } = job;
    const interval = given.duration('interval') ?? INTERVAL;
    if (interval < SHORTEST || interval > LONGEST) {
      throw new UsageError('--interval must be 100ms or more, and 1d at most');
    }
    const db = await job.connect();
    if (!given.has('watch')) {
      job.show(await look(db, job));
      return Exit.done;
    }
    const signal = job.interruption();
    while (!signal.aborted) {
      const { data, text } = await look(db, job);
      job.show({
        data,
        // Home, the new picture over the old one, and away with what is left of that.
        text: (terminal) =>
          terminal.isLive ? `\x1b[H\x1b[2J${text(terminal)}` : `${text(terminal)}\n`,
      });
      // Ctrl-C ends the pause, and with it the loop.
      await delay(interval, undefined, { signal }).catch(() => {});
    }
    return Exit.done;
  },
};

const GLOBALS = ['version', 'read_only', 'max_connections'];
const STATUS = ['Threads_connected', 'Threads_running', 'Max_used_connections', 'Uptime'];

async function look(db: RetryingPooledDatabase, job: Job): Promise<Report> {
  const global = await ServerVariables.read(db, 'GLOBAL VARIABLES', GLOBALS);
  const counts = await ServerVariables.read(db, 'GLOBAL STATUS', STATUS);
  const tables = await inspectTables(db, job.prefix);
  const has = (name: string): boolean =>
    tables.some((one) => one.table === job.prefix + name && one.state !== 'missing');
  const locks = has('locks') ? await countLocks(db, job.prefix) : null;
  const queues = has('queue_streams') ? await groupStates(job) : null;
  const picture = {
    address: job.address,
    server: {
      name: serverName({ global }),
      uptime: counts.number('Uptime') * 1000,
      readOnly: global.isOn('read_only'),
    },
    connections: {
      connected: counts.number('Threads_connected'),
      running: counts.number('Threads_running'),
      most: counts.number('Max_used_connections'),
      limit: global.number('max_connections'),
    },
    tables,
    locks,
    queues,
  };
  return { data: picture, text: (terminal) => textOf(picture, terminal) };
}

async function countLocks(db: RetryingPooledDatabase, prefix: string): Promise<{ held: number }> {
  await using locks = new DistributedLocks(db, { prefix });
  let held = 0;
  for await (const _ of locks.list()) held++;
  return { held };
}

interface Picture {
  readonly address: string;
  readonly server: { readonly name: string; readonly uptime: number; readonly readOnly: boolean };
  readonly connections: {
    readonly connected: number;
    readonly running: number;
    readonly most: number;
    readonly limit: number;
  };
  readonly tables: readonly TableState[];
  readonly locks: { readonly held: number } | null;
  readonly queues: readonly GroupState[] | null;
}

function textOf(
  { address, server, connections, tables, locks, queues }: Picture,
  terminal: Parameters<Report['text']>[0],
): string {
  const { connected, running, most, limit } = connections;
  const lines: [string, string][] = [
    [
      'server',
      `${server.name}, up ${duration(server.uptime)}${server.readOnly ? ', read-only' : ''}`,
    ],
    [
      'connections',
      `${number(connected)} of ${number(limit)}, ${number(running)} running; ${number(most)} at most so far`,
    ],
    ['locks', locks === null ? 'not installed' : `${number(locks.held)} held`],
  ];
  const columns = [
    { head: 'TABLE' },
    { head: 'VERSION', right: true },
    { head: 'ROWS', right: true },
    { head: 'SIZE', right: true },
  ];
  const rows = tables.map(({ table: name, state, found, rows: count, bytes: size }) => {
    const tone = state === 'current' ? 'faint' : 'warning';
    const version =
      state === 'missing'
        ? 'missing'
        : `${found ?? 'none'}${state === 'current' ? '' : ` (${state})`}`;
    const isThere = state !== 'missing';
    return [
      name,
      { text: version, tone } as const,
      isThere ? number(count) : '',
      isThere ? bytes(size) : '',
    ];
  });
  return (
    `${terminal.paint(address, 'strong')}\n\n${definitions(lines, terminal.width)}\n` +
    table(terminal, columns, rows) +
    (queues === null || queues.length === 0 ? '' : `\n${groupTable(terminal, queues)}`)
  );
}
