import { PoolExhaustedError, RetryingPooledDatabase, type PoolStats } from '../../src/index';
import type { City } from './city-data';
import { CityRepository } from './city-repository';
import { JournalRepository } from './journal-repository';
import { LeakyRepository } from './leaky-repository';
import { LiveLine } from './live-line';
import type { ProcesslistWatcher } from './processlist';
import { Random } from './random';
import type { Report } from './report';
import { address, type DemoServer } from './server';
import { summary, type RunSummary } from './summary';
import { Tally } from './tally';
import { CALLERS, POOL, poolText } from './workload';

/** Long enough for honest work, short enough that nobody has to wait for the end of it. */
const ACQUIRE_TIMEOUT = 1500;
const CALLS_EACH = 100;
/** One city in so many is misspelled by its caller, and the leak is on the path of those. */
const MISSPELLED = 20;

/** The leaking style under the same callers. It has to die, or it would prove nothing. */
export async function runByHand(
  server: DemoServer,
  watcher: ProcesslistWatcher,
  places: readonly City[],
  report: Report,
): Promise<RunSummary> {
  const db = new RetryingPooledDatabase({
    ...address(server),
    connectionLimit: POOL,
    acquireTimeout: ACQUIRE_TIMEOUT,
  });
  const tally = new Tally();
  try {
    await new JournalRepository(db, new CityRepository(db)).create(CALLERS);
    watcher.start();
    await callAll(db, places, tally);
    await watcher.stop();
    const stats = db.stats();
    const dead = tally.errors.filter((error) => error instanceof PoolExhaustedError);
    judge(report, tally, dead, stats);
    return summary(tally, watcher, stats);
  } finally {
    // Nobody else gives back what leaked: it is closed here.
    await db.end({ deadline: 100 });
  }
}

async function callAll(
  db: RetryingPooledDatabase,
  places: readonly City[],
  tally: Tally,
): Promise<void> {
  const repository = new LeakyRepository(db);
  const line = new LiveLine('  {text}', 1, 'the callers begin');
  const redraw = () =>
    line.update(
      0,
      `${tally.answered} calls | errors ${tally.errorCount} | ${poolText(db.stats())}`,
    );
  const timer = setInterval(redraw, 100);
  try {
    await Promise.all(
      Array.from({ length: CALLERS }, (_, id) => caller(id, repository, places, tally)),
    );
  } finally {
    clearInterval(timer);
    redraw();
    line.stop();
  }
}

/** Calls until its work is done or until its first error. */
async function caller(
  id: number,
  repository: LeakyRepository,
  places: readonly City[],
  tally: Tally,
): Promise<void> {
  const random = new Random(id + 1);
  for (let call = 0; call < CALLS_EACH; call++) {
    const { name } = random.pick(places);
    const asked = random.next() < 1 / MISSPELLED ? `${name}?` : name;
    const before = tally.errorCount;
    if (random.next() < 0.7) await tally.measure('read', () => repository.findByName(asked));
    else await tally.measure('idempotent write', () => repository.moveTo(id, asked));
    if (tally.errorCount > before) return;
  }
}

function judge(report: Report, tally: Tally, dead: readonly unknown[], stats: PoolStats): void {
  const [first] = dead;
  if (first instanceof PoolExhaustedError) {
    report.say(
      `After ${tally.answered} calls nothing moves any more. What the callers get to read:`,
    );
    report.say(`${first.name} (${first.code}): ${first.message}`);
  }
  report.promise(
    `by hand: all ${CALLERS} callers end in PoolExhaustedError, and in nothing else`,
    dead.length === CALLERS && tally.errorCount === CALLERS,
    `${dead.length} of ${tally.errorCount} errors`,
  );
  report.promise(
    'by hand: the whole pool has leaked',
    stats.active === POOL,
    `${stats.active} leases out`,
  );
}
