/**
 * `npm run demo [-- kind of server]`: a real workload on a real server, watched live. First in the
 * style that leaks, then decorated, with a session killed and the server restarted meanwhile.
 * Exits 1 if a promise was broken.
 */
import { runByHand } from './by-hand-run';
import { runDecorated } from './decorated-run';
import { loadCities } from './loading';
import { ProcesslistWatcher } from './processlist';
import { Report } from './report';
import { openServer, ServerUnavailableError, type DemoServer } from './server';
import type { RunSummary } from './summary';
import { CALLERS, POOL } from './workload';

async function show(server: DemoServer, report: Report): Promise<void> {
  report.chapter(
    'Loading GeoNames',
    'Every city of the world with a thousand inhabitants or more, stored by a decorated async ' +
      'generator: one connection from its first step to its last, a transaction per thousand rows.',
  );
  const places = await loadCities(server, report);

  const watcher = new ProcesslistWatcher(server);
  try {
    report.chapter(
      'By hand: the style that leaks',
      `${CALLERS} callers on a pool of ${POOL}. One method takes a connection by hand and forgets to ` +
        'give it back on one path, that of a city nobody knows. Watch the pool die.',
    );
    const byHand = await runByHand(server, watcher, places, report);

    report.chapter(
      'Decorated',
      `${CALLERS} callers on a pool of ${POOL} again, through @releaseConnection. Meanwhile one session ` +
        `is killed on the server${server.restartable ? ', then the server is restarted, then it crashes' : ''}. ` +
        'Reads and idempotent writes go on by themselves; what is in doubt is looked up by its caller.',
    );
    const decorated = await runDecorated(server, watcher, places, report);

    report.chapter('What was measured', `The same ${CALLERS} callers and ${POOL} connections.`);
    report.table(comparison(byHand, decorated));
  } finally {
    await watcher.end();
  }
}

function comparison(byHand: RunSummary, decorated: RunSummary): (string | number)[][] {
  const row = (name: string, pick: (run: RunSummary) => string | number) => [
    name,
    pick(byHand),
    pick(decorated),
  ];
  return [
    ['', 'by hand', 'decorated'],
    row('calls answered', ({ answered }) => answered),
    row('errors', ({ errors }) => errors),
    row('p50 ms', ({ p50 }) => p50.toFixed(1)),
    row('p99 ms', ({ p99 }) => p99.toFixed(1)),
    row('peak sessions', ({ peakSessions }) => peakSessions),
    row('leases out at the end', ({ leasesOut }) => leasesOut),
  ];
}

/** Ctrl-C: the server goes, then we do. The bars give the cursor back by themselves. */
function stopOnSignal(server: DemoServer): void {
  const codes = { SIGINT: 130, SIGTERM: 143 };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.log('\nStopping the server …');
      void server.stop().finally(() => process.exit(codes[signal]));
    });
  }
}

async function main(): Promise<number> {
  const report = new Report();
  report.chapter('A server', 'Found or started for this run, and gone after it.');
  const server = await openServer(process.argv[2]);
  stopOnSignal(server);
  let failure: unknown;
  try {
    await show(server, report);
  } catch (error) {
    failure = error;
  } finally {
    await server.stop();
  }
  report.chapter('Promises', 'Those that were put to the test, each with what it was judged by.');
  const broken = report.verdict();
  if (failure !== undefined) console.error('\nThe demo could not be finished:', failure);
  if (broken.length > 0) console.error(`\nBroken: ${broken.join('; ')}`);
  return failure === undefined && broken.length === 0 ? 0 : 1;
}

// A promise of the library that never settles would leave Node without work, and with exit code 0.
const unfinished = (): void => {
  console.error('\nBroken: every promise settles (the demo ran out of work before its end)');
  process.exitCode = 1;
};
process.once('beforeExit', unfinished);

main()
  .then(
    (code) => (process.exitCode = code),
    (error: unknown) => {
      console.error(error instanceof ServerUnavailableError ? error.message : error);
      process.exitCode = 1;
    },
  )
  .finally(() => process.off('beforeExit', unfinished));
