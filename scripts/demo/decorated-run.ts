import { RetryingPooledDatabase, type PoolStats } from '../../src/index';
import { audit, type Audit } from './audit';
import type { City } from './city-data';
import { CityRepository } from './city-repository';
import { disrupt, type Disruptions } from './disruption';
import { JournalRepository } from './journal-repository';
import { Ledger } from './ledger';
import { LibraryLog } from './library-log';
import type { ProcesslistWatcher } from './processlist';
import type { Report } from './report';
import { address, type DemoServer } from './server';
import { summary, type RunSummary } from './summary';
import { CALL_KINDS, Tally } from './tally';
import type { World } from './traveller';
import { CALLERS, POOL, Workload } from './workload';

/** Longer than the server is away: callers wait for it instead of failing. */
const ACQUIRE_TIMEOUT = 20_000;

/** The decorated repositories under the same number of callers, with the server disturbed meanwhile. */
export async function runDecorated(
  server: DemoServer,
  watcher: ProcesslistWatcher,
  places: readonly City[],
  report: Report,
): Promise<RunSummary> {
  const log = new LibraryLog();
  const db = new RetryingPooledDatabase({
    ...address(server),
    connectionLimit: POOL,
    acquireTimeout: ACQUIRE_TIMEOUT,
    logger: log,
  });
  const world = newWorld(db, places);
  let run: RunSummary;
  try {
    await world.journal.create(CALLERS);
    const workload = new Workload(db, world, watcher);
    watcher.start();
    const disruptions = await workload.during(() =>
      disrupt(server, watcher, (phase) => (workload.phase = phase)),
    );
    await watcher.stop();
    const stats = db.stats();
    run = summary(world.tally, watcher, stats);
    tell(report, world.tally, log, stats);
    judgeCalls(report, world.tally);
    judgeConnections(report, run, stats, watcher.samples);
    judgeDisruptions(report, disruptions);
  } finally {
    await db.end({ deadline: 1000 });
  }
  const left = await watcher.left();
  report.promise('none is left on the server after end()', left === 0, `${left} sessions`);
  judgeWrites(report, world.tally, await auditOf(server, world.ledger));
  return run;
}

function newWorld(db: RetryingPooledDatabase, places: readonly City[]): World {
  const cities = new CityRepository(db);
  const journal = new JournalRepository(db, cities);
  return { places, cities, journal, ledger: new Ledger(), tally: new Tally() };
}

/** On a pool of its own: what the run has left of the other must not decide what is found. */
async function auditOf(server: DemoServer, ledger: Ledger): Promise<Audit> {
  await using db = new RetryingPooledDatabase(address(server));
  const cities = new CityRepository(db);
  return await audit(ledger, cities, new JournalRepository(db, cities));
}

function tell(report: Report, tally: Tally, log: LibraryLog, stats: PoolStats): void {
  report.table([
    ['kind of call', 'calls', 'errors', 'p50 ms', 'p99 ms', 'max ms'],
    ...CALL_KINDS.map((kind) => {
      const { latency, errors } = tally.calls[kind];
      const times = [latency.percentile(50), latency.percentile(99), latency.max];
      return [kind, latency.count, errors.length, ...times.map((ms) => ms.toFixed(1))];
    }),
  ]);
  report.say(
    `Repeated by the library: ${log.count('statement repeated')} statements and ` +
      `${log.count('BEGIN is repeated')} BEGINs. Connections opened: ${stats.created}. Lost transactions ` +
      `run again by their callers: ${tally.restarted}. Writes in doubt: ${tally.inDoubt}, of which ` +
      `${tally.foundWritten} were found written and ${tally.madeAgain}, not there, were made again.`,
  );
  for (const [text, times] of mostFrequent(tally.errors))
    report.say(`error, ${times} times: ${text}`);
}

/** The texts of what went wrong, so that a broken promise can be understood. */
function mostFrequent(errors: readonly unknown[]): [text: string, times: number][] {
  const counts = new Map<string, number>();
  for (const error of errors) counts.set(String(error), (counts.get(String(error)) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, 3);
}

function judgeCalls(report: Report, { calls }: Tally): void {
  const declared = calls.read.errors.length + calls['idempotent write'].errors.length;
  report.promise(
    'reads and idempotent writes: not one error',
    declared === 0,
    `${declared} errors`,
  );
  const careful = calls.transaction.errors.length + calls['single insert'].errors.length;
  report.promise(
    'transactions and single inserts: nothing but lost connections, which their callers settled',
    careful === 0,
    `${careful} other errors`,
  );
}

function judgeConnections(
  report: Report,
  { peakSessions, leasesOut }: RunSummary,
  { acquired, released, waiting }: PoolStats,
  samples: number,
): void {
  report.promise(
    `never more than ${POOL} pooled sessions on the server`,
    peakSessions > 0 && peakSessions <= POOL && samples >= 50,
    `at most ${peakSessions} in ${samples} looks`,
  );
  report.promise(
    'every connection came back',
    leasesOut === 0 && waiting === 0 && acquired === released,
    `${acquired} taken, ${released} returned`,
  );
}

function judgeDisruptions(report: Report, { killed, away }: Disruptions): void {
  report.promise('a session was killed at work', killed.gone, `session ${killed.session}`);
  if (away === undefined) {
    report.say('Skipped: restart and crash. The server of DATABASE_URL is not ours to stop.');
    return;
  }
  const seconds = [away.restart, away.crash].map((ms) => `${(ms / 1000).toFixed(1)} s`);
  report.promise(
    'the server was restarted, and crashed once',
    true,
    `away ${seconds.join(' and ')}`,
  );
}

function judgeWrites(
  report: Report,
  { inDoubt, foundWritten, madeAgain }: Tally,
  found: Audit,
): void {
  const { checked, lost, twice, stray, torn, garbled, misplaced } = found;
  report.promise(
    'nothing lost: every acknowledged write is there',
    lost === 0,
    `${lost} of ${checked}`,
  );
  report.promise(
    'nothing twice, and nothing nobody knows of',
    twice + stray === 0,
    `${twice} and ${stray}`,
  );
  report.promise(
    'everything in doubt was settled',
    inDoubt === foundWritten + madeAgain,
    `${inDoubt} = ${foundWritten} + ${madeAgain}`,
  );
  report.promise(
    'no transaction was torn: counters and journal agree',
    torn === 0,
    `off by ${torn}`,
  );
  report.promise(
    'idempotent writes ended as their callers were told',
    misplaced === 0,
    `${misplaced} not`,
  );
  report.promise(
    'Cyrillic, Japanese and emoji are stored as they were written',
    garbled === 0,
    `${garbled} not`,
  );
}
