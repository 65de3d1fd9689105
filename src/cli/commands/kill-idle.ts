import type { Command, Report } from '../command';
import { Exit, Undone, UsageError } from '../exit';
import { table } from '../layout';
import type { Tone } from '../terminal';
import { Sessions, type EndOutcome, type OpenTransactions, type Session } from '../sessions';
import { counted, duration, printable } from '../units';

export const killIdle: Command = {
  name: 'kill-idle',
  summary: 'Ends sessions on the server that have been idle for long.',
  about: [
    'Of the same account and database as named by the URL, unless options say otherwise; never its own. Each is looked ' +
      'at again just before: one that has begun to work is left alone. What was not committed is rolled back, and ' +
      'locked rows are free.',
    'A pool notices that a connection was lost, and opens another when it needs one; keep the time above the ' +
      'idleTimeout of healthy processes, or they connect again and again. Accounts see, and may end, their own sessions ' +
      'only, unless they have PROCESS and CONNECTION_ADMIN (MariaDB: CONNECTION ADMIN).',
  ],
  options: {
    'older-than': {
      value: '<time>',
      about: 'idle for at least so long: 30s, 10m, 2h; must be given',
    },
    'in-transaction': {
      about:
        'only those with an open transaction, which keep rows locked; needs the privilege PROCESS',
    },
    user: { value: '<name>', about: "sessions of this account's name", default: "the URL's" },
    database: { value: '<name>', about: 'sessions in this database', default: "the URL's" },
    'all-databases': { about: 'in whatever database, or none' },
    'dry-run': { about: 'lists them, and ends none' },
  },
  exits: { 0: 'done, whether or not there were any', 1: 'one of them could not be ended' },
  examples: ['kill-idle --older-than 10m --dry-run', 'kill-idle --older-than 30s --in-transaction'],
  async run(job) {
    const { given } = job;
    const least = given.duration('older-than');
    if (least === undefined)
      throw new UsageError('kill-idle wants --older-than', 'such as --older-than 10m');
    if (given.has('all-databases') && given.has('database')) {
      throw new UsageError('--database and --all-databases exclude each other');
    }
    const isDry = given.has('dry-run');
    const inTransaction = given.has('in-transaction');
    await using sessions = await Sessions.of(await job.connect());
    const self = await sessions.self();
    const user = given.text('user') ?? self.user;
    const database = given.text('database') ?? self.database;
    const isMeant = (one: Session): boolean =>
      one.isIdle &&
      one.since >= least &&
      one.user === user &&
      (given.has('all-databases') || one.database === database) &&
      (!inTransaction || one.transaction !== undefined);
    const transactions = await transactionsOf(sessions, { areNeeded: inTransaction });
    const ended: Ended[] = [];
    for (const one of (await sessions.list(transactions)).filter(isMeant)) {
      const outcome = isDry ? 'found' : await sessions.end(one, isMeant, { inTransaction });
      ended.push({ ...one, outcome });
    }
    job.show(reportOf(job.address, isDry, ended));
    const isDone = ended.every(({ outcome }) => outcome !== 'refused' && outcome !== 'unseen');
    return isDone ? Exit.done : Exit.problem;
  },
};

/**
 * Open transactions are shown where they can be seen.
 *
 * @throws {UsageError} where they are needed and the account may not see them. @throws {Undone} where the
 * server does not tell those of now.
 */
async function transactionsOf(
  sessions: Sessions,
  { areNeeded }: { readonly areNeeded: boolean },
): Promise<OpenTransactions | undefined> {
  const found = await sessions.transactions();
  if (typeof found !== 'string') return found;
  if (!areNeeded) return undefined;
  if (found === 'denied') {
    const hint = 'GRANT PROCESS ON *.* to it, or use another account';
    throw new UsageError('--in-transaction: this account may not see open transactions', hint);
  }
  throw new Undone(
    'the server tells only which transactions were open a while ago, and no session was ended',
    'Somebody reads information_schema.INNODB_TRX all the time, several times a second: end that for a moment, and try again.',
  );
}

type Outcome = 'found' | EndOutcome;
type Ended = Session & { readonly outcome: Outcome };

const WORDS: Readonly<Record<Outcome, string>> = {
  found: 'would be ended',
  ended: 'ended',
  active: 'left: it works again',
  gone: 'had gone by itself',
  refused: 'not ended: the account may not',
  unseen: 'left: whether its transaction is open was not to be seen',
};

const TONES: Partial<Record<Outcome, Tone>> = { refused: 'bad', unseen: 'warning' };

function reportOf(address: string, dryRun: boolean, ended: readonly Ended[]): Report {
  return {
    data: {
      address,
      dryRun,
      sessions: ended.map(({ id, user, host, database, since, transaction, outcome }) => ({
        id,
        user,
        host,
        database: database ?? null,
        idleFor: since,
        transactionFor: transaction ?? null,
        outcome,
      })),
    },
    text: (terminal) => {
      const count = ended.filter(({ outcome }) => outcome === (dryRun ? 'found' : 'ended')).length;
      const summary = `${counted(count, 'session')} ${dryRun ? 'would be ended' : 'ended'}\n`;
      if (ended.length === 0) return summary;
      const columns = [
        { head: 'ID', right: true },
        { head: 'USER' },
        { head: 'HOST' },
        { head: 'DATABASE' },
        { head: 'IDLE FOR', right: true },
        { head: 'TRANSACTION', right: true },
        { head: '' },
      ];
      const rows = ended.map(({ id, user, host, database, since, transaction, outcome }) => [
        String(id),
        printable(user),
        printable(host),
        printable(database ?? ''),
        duration(since),
        transaction === undefined ? '' : duration(transaction),
        {
          text: WORDS[outcome],
          tone: TONES[outcome] ?? ('good' as const),
        },
      ]);
      return `${table(terminal, columns, rows)}\n${summary}`;
    },
  };
}
