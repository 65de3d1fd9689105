import { MessageQueue } from '../../queue/message-queue';
import type { PeekedMessage } from '../../queue/inspection';
import type { QueueInfo } from '../../queue/queue-info';
import type { Command, Job } from '../command';
import { Exit } from '../exit';
import { table, type Column } from '../layout';
import type { Terminal } from '../terminal';
import { counted, duration, number, printable } from '../units';

/** A group of a stream, and how it stands. A stream without groups has none. */
export interface GroupState {
  readonly stream: string;
  readonly group: string | null;
  readonly info: QueueInfo | null;
}

/** All groups, or those of one stream. */
export async function groupStates(
  { connect, prefix }: Pick<Job, 'connect' | 'prefix'>,
  only?: string,
): Promise<GroupState[]> {
  await using queue = new MessageQueue(await connect(), { prefix });
  const states: GroupState[] = [];
  for (const { stream, groups } of await queue.streams()) {
    if (only !== undefined && stream !== only) continue;
    if (groups.length === 0) states.push({ stream, group: null, info: null });
    for (const group of groups) {
      states.push({ stream, group, info: await queue.info(stream, group) });
    }
  }
  return states;
}

const COLUMNS: readonly Column[] = [
  { head: 'STREAM' },
  { head: 'GROUP' },
  { head: 'LENGTH', right: true },
  { head: 'LAG', right: true },
  { head: 'DELAYED', right: true },
  { head: 'PENDING', right: true },
  { head: 'DEAD', right: true },
  { head: 'OLDEST', right: true },
];

export function groupTable(terminal: Terminal, states: readonly GroupState[]): string {
  const rows = states.map(({ stream, group, info }) => {
    if (info === null) return [printable(stream), { text: 'no groups', tone: 'faint' } as const];
    const { length, lag, delayed, pending, dead, oldest } = info;
    return [
      printable(stream),
      printable(group ?? ''),
      ...[length, lag, delayed, pending].map(number),
      dead === 0 ? '0' : ({ text: number(dead), tone: 'warning' } as const),
      oldest === 0 ? '' : duration(oldest),
    ];
  });
  return table(terminal, COLUMNS, rows);
}

const STREAM_AND_GROUP = { shown: '<stream> <group>', least: 2, most: 2 };

export const queueLs: Command = {
  name: 'queue ls',
  summary: 'Lists streams and their groups: how far behind each is, and what is dead.',
  about: [
    'length: messages that are kept. lag: not yet claimed, delayed ones included. pending: claimed and not acknowledged. ' +
      'dead: delivered as often as they may be. oldest: the age of the oldest that is neither acknowledged nor dead. ' +
      'Counts rows: not for every second on a long queue.',
  ],
  operands: { shown: '[<stream>]', least: 0, most: 1 },
  options: {},
  examples: ['queue ls', 'queue ls orders --json'],
  async run(job) {
    const states = await groupStates(job, job.given.operands[0]);
    const groups = states.map(({ stream, group, info }) => ({ stream, group, ...info }));
    job.show({
      data: { address: job.address, groups },
      text: (terminal) => (states.length === 0 ? 'no streams\n' : groupTable(terminal, states)),
    });
    return Exit.done;
  },
};

const STATES = ['ready', 'delayed', 'claimed', 'dead'] as const;
const FEW = 10;
/** Of a payload, in a line of text. */
const LONGEST = 200;

export const queuePeek: Command = {
  name: 'queue peek',
  summary: 'Shows messages that a group still has to deal with, and takes none of them.',
  about: [
    'Those first that are due first. Messages with a key that wait for one of the same key are not among them. Payloads, and ' +
      'what the last failure said, are shown only with --payload: they may be nobody else’s business.',
  ],
  operands: STREAM_AND_GROUP,
  options: {
    state: { value: '<state>', about: `one of ${STATES.join(', ')}`, default: 'ready' },
    limit: { value: '<n>', about: 'so many at most', default: String(FEW) },
    payload: { about: 'shows payloads, and what the last failure said' },
  },
  examples: ['queue peek orders mailer --state dead --limit 3 --payload'],
  async run(job) {
    const { given } = job;
    const [stream = '', group = ''] = given.operands;
    const state = given.choice('state', STATES) ?? 'ready';
    const most = given.count('limit', 1) ?? FEW;
    await using queue = new MessageQueue(await job.connect(), { prefix: job.prefix });
    const found: PeekedMessage[] = [];
    for await (const message of queue.peek(stream, group, { state })) {
      found.push(message);
      if (found.length >= most) break;
    }
    const isOpen = given.has('payload');
    const messages = found.map(({ body, reason, ...rest }) =>
      isOpen ? { ...rest, payload: plain(body), reason: reason ?? null } : rest,
    );
    job.show({
      data: { address: job.address, state, messages },
      text: (terminal) => peekText(terminal, found, isOpen),
    });
    return Exit.done;
  },
};

/** Bytes as base64, which JSON has no word for. */
const plain = (body: unknown): unknown =>
  Buffer.isBuffer(body) ? { base64: body.toString('base64') } : body;

function peekText(terminal: Terminal, found: readonly PeekedMessage[], isOpen: boolean): string {
  if (found.length === 0) return 'no such messages\n';
  const columns: Column[] = [
    { head: 'ID', right: true },
    { head: 'KEY' },
    { head: 'ATTEMPT', right: true },
    { head: 'CONSUMER' },
    { head: 'DUE', right: true },
    ...(isOpen ? [{ head: 'PAYLOAD' }] : []),
  ];
  const rows = found.map(({ id, key, attempt, consumer, dueIn, body, reason }) => {
    const text = Buffer.isBuffer(body)
      ? `${body.length} bytes`
      : (JSON.stringify(body, (_, value: unknown) =>
          typeof value === 'bigint' ? String(value) : value,
        ) ?? 'not to be read');
    const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
    const why = reason === undefined ? '' : `  (${reason})`;
    return [
      String(id),
      printable(key ?? ''),
      String(attempt),
      printable(consumer ?? ''),
      dueIn === undefined ? 'now' : dueIn < 0 ? `${duration(-dueIn)} ago` : `in ${duration(dueIn)}`,
      ...(isOpen ? [printable(short + why)] : []),
    ];
  });
  return table(terminal, columns, rows);
}

export const queueRedrive: Command = {
  name: 'queue redrive',
  summary: 'Makes dead letters ready again, with all attempts before them.',
  about: ['Find out first why they died: queue peek --state dead --payload.'],
  operands: STREAM_AND_GROUP,
  options: {
    id: { value: '<n>', about: 'this one only', multiple: true, default: 'all of them' },
    'dry-run': { about: 'counts them, and changes nothing' },
  },
  exits: { 0: 'done, whether or not there were any', 1: 'one of those named by --id was not dead' },
  examples: [
    'queue redrive orders mailer --dry-run',
    'queue redrive orders mailer --id 1017 --id 1021',
  ],
  async run(job) {
    const { given } = job;
    const [stream = '', group = ''] = given.operands;
    const isDry = given.has('dry-run');
    const named = given.counts('id', 1);
    const ids = named.length === 0 ? undefined : [...new Set(named)];
    await using queue = new MessageQueue(await job.connect(), { prefix: job.prefix });
    const count = isDry
      ? await countDead(queue, stream, group, ids)
      : await queue.redrive(stream, group, ids);
    job.show({
      data: { address: job.address, dryRun: isDry, redriven: isDry ? 0 : count, found: count },
      text: () =>
        `${counted(count, 'dead letter')} ${isDry ? 'would be ready again' : 'ready again'}\n`,
    });
    return ids !== undefined && count < ids.length ? Exit.problem : Exit.done;
  },
};

async function countDead(
  queue: MessageQueue,
  stream: string,
  group: string,
  ids: readonly number[] | undefined,
): Promise<number> {
  if (ids === undefined) return (await queue.info(stream, group)).dead;
  let count = 0;
  for await (const { id } of queue.deadLetters(stream, group)) if (ids.includes(id)) count++;
  return count;
}

export const queueTrim: Command = {
  name: 'queue trim',
  summary: 'Removes messages of a stream that every group has acknowledged.',
  about: [
    'What a group still has to deal with, dead letters included, stays. Of a stream without groups all go that the bounds name: ' +
      'nobody waits for them. Queues do so by themselves after their retention.',
  ],
  operands: { shown: '<stream>', least: 1, most: 1 },
  options: {
    'older-than': { value: '<time>', about: 'younger ones stay', default: '0s' },
    keep: { value: '<n>', about: 'so many of the newest stay', default: '0' },
    'dry-run': { about: 'counts them, and removes nothing' },
  },
  examples: ['queue trim orders --older-than 7d --dry-run', 'queue trim orders --older-than 7d'],
  async run(job) {
    const { given } = job;
    const [stream = ''] = given.operands;
    const isDry = given.has('dry-run');
    const bounds = { olderThan: given.duration('older-than') ?? 0, keep: given.count('keep') ?? 0 };
    await using queue = new MessageQueue(await job.connect(), { prefix: job.prefix });
    const count = isDry ? await queue.trimmable(stream, bounds) : await queue.trim(stream, bounds);
    job.show({
      data: { address: job.address, dryRun: isDry, removed: isDry ? 0 : count, found: count },
      text: () => `${counted(count, 'message')} ${isDry ? 'would be removed' : 'removed'}\n`,
    });
    return Exit.done;
  },
};
