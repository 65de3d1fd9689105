import type { Command, Job, Report } from '../command';
import { Unreachable } from '../connection';
import { examine } from '../doctor/examination';
import { LEVELS, problem, tally, type Finding, type Level } from '../doctor/finding';
import { limitChecks } from '../doctor/limit-checks';
import { outOfCluster, serverChecks, serverName } from '../doctor/server-checks';
import { sessionChecks } from '../doctor/session-checks';
import { tableChecks } from '../doctor/table-checks';
import { Exit } from '../exit';
import { wrap } from '../layout';
import type { Tone } from '../terminal';
import { counted } from '../units';

const TONES: Readonly<Record<Level, Tone>> = {
  ok: 'good',
  note: 'note',
  warning: 'warning',
  problem: 'bad',
};

export const doctor: Command = {
  name: 'doctor',
  summary: 'Looks at the server, the account and the tables, and says what to do.',
  about: [
    'Findings are ok, note (worth knowing), warning (works, and will cause trouble) or problem (something does ' +
      'not work). Nothing is changed on the server; one statement is stopped there, to see that it can be.',
  ],
  options: {
    processes: {
      value: '<n>',
      about: 'how many processes will use the database at a time',
      default: '1',
    },
    'connection-limit': {
      value: '<n>',
      about: 'connections of each of them',
      default: "the URL's connectionLimit, or 10",
    },
  },
  exits: {
    0: 'no problem was found; there may be warnings',
    1: 'a problem was found',
  },
  examples: [
    'doctor --processes 8 --connection-limit 20',
    'doctor --json | jq \'.findings[] | select(.level != "ok")\'',
  ],
  async run(job) {
    const { findings, server } = await lookAt(job);
    const counts = tally(findings);
    job.show(reportOf(job.address, server, findings));
    if (findings.some(({ check }) => check === 'session')) return Exit.unreachable;
    return counts.problem > 0 ? Exit.problem : Exit.done;
  },
};

/** ER_UNKNOWN_COM_ERROR: how a node of a cluster refuses whatever is asked. */
const NOT_READY = 1047;
const LOCAL = ['localhost', '127.0.0.1', '::1'];

async function lookAt(
  job: Job,
): Promise<{ readonly findings: Finding[]; readonly server?: string }> {
  const { given, prefix } = job;
  const processes = given.count('processes', 1) ?? 1;
  const limit = given.count('connection-limit', 1);
  const { pool, driver } = job.options;
  const plan = {
    processes,
    connectionLimit: limit ?? pool.connectionLimit,
    keepaliveInterval: pool.keepaliveInterval,
    isLocal: driver.socketPath !== undefined || LOCAL.includes(driver.host ?? 'localhost'),
  };
  try {
    const seen = await examine(await job.connect(), prefix);
    const findings = [
      ...serverChecks(seen),
      ...tableChecks(seen, prefix),
      ...limitChecks(seen, plan),
      ...sessionChecks(seen, plan),
    ];
    return { findings, server: serverName(seen) };
  } catch (error) {
    if ((error as { errno?: number }).errno === NOT_READY) return { findings: [outOfCluster()] };
    if (!(error instanceof Unreachable)) throw error;
    return { findings: [problem('session', error.message, error.advice)] };
  }
}

/** Level and check stand before what was found. */
const LEVEL_WIDTH = 9;
const CHECK_WIDTH = 21;

function reportOf(address: string, server: string | undefined, findings: Finding[]): Report {
  const summary = tally(findings);
  return {
    data: { address, server: server ?? null, findings, summary },
    text: ({ paint, width }) => {
      const indent = LEVEL_WIDTH + CHECK_WIDTH;
      const lines = findings.map(({ level, check, found, advice }) => {
        const begin = paint(level.padEnd(LEVEL_WIDTH), TONES[level]) + check.padEnd(CHECK_WIDTH);
        const blank = ' '.repeat(indent);
        const more =
          advice === undefined ? '' : `${blank}${paint(wrap(advice, width, indent), 'faint')}\n`;
        return `${begin}${wrap(found, width, indent)}\n${more}`;
      });
      const worst = LEVELS.findLast((level) => summary[level] > 0) ?? 'ok';
      const counts = [
        `${summary.ok} ok`,
        counted(summary.note, 'note'),
        counted(summary.warning, 'warning'),
        counted(summary.problem, 'problem'),
      ];
      const head = server === undefined ? address : `${server} at ${address}`;
      return `${paint(head, 'strong')}\n\n${lines.join('')}\n${paint(counts.join(', '), TONES[worst])}\n`;
    },
  };
}
