import type { Row } from '../../src/index';
import { LockBench } from '../support/lock-bench';
import { LockWorkers } from '../support/lock-workers';
import { longForm } from '../support/long-form';
import { Workbench, testServers } from '../support/servers';
import { until } from '../support/until';
import { wrongClock } from '../support/wrong-clock';

const EXCLUSION = longForm('BOOMERANG_LOCKS', { seconds: 7, servers: 1 });
const NAMES = ['a', 'A', 'b', 'c'];
const WORKERS = 8;

/** In any order; each n is to be there once. */
interface Journal {
  readonly kind: string;
  readonly name: Buffer;
  readonly n: number;
  readonly token: bigint;
}

describe.each(testServers().slice(0, EXCLUSION.servers))('on $name', (server) => {
  const bench = new Workbench(server);
  beforeAll(() => bench.setUp());
  afterAll(() => bench.tearDown());
  new LockBench(bench);
  let workers: LockWorkers | undefined;

  beforeAll(async () => {
    await bench.sql(`USE ${bench.schema}`);
    for (const table of ['asserted', 'fenced', 'unguarded']) {
      await bench.sql(
        `CREATE TABLE ${table} (name VARBINARY(9) PRIMARY KEY, n INT NOT NULL DEFAULT 0, ` +
          'fence BIGINT NOT NULL DEFAULT 0)',
      );
      await bench.sql(`INSERT INTO ${table} (name) VALUES ${NAMES.map(() => '(?)').join()}`, NAMES);
    }
    await bench.sql(
      'CREATE TABLE journal (id CHAR(36) PRIMARY KEY, kind VARCHAR(9), name VARBINARY(9), n INT, token BIGINT)',
    );
    await bench.sql(
      'CREATE TABLE inside (name VARBINARY(9), worker VARCHAR(9) PRIMARY KEY, token BIGINT)',
    );
    await bench.sql('CREATE TABLE met (name VARBINARY(9), mine BIGINT, theirs BIGINT)');
    await bench.sql(
      'CREATE TABLE sound (name VARBINARY(9), token BIGINT, PRIMARY KEY (name, token))',
    );
  });

  afterAll(() => workers?.destroy());

  it(
    '8 processes on 4 names, killed, stopped, cut off, with wrong clocks: what is written under assertHeld() or fence() loses nothing',
    async () => {
      const clock = await wrongClock();
      const trial = (workers = new LockWorkers(bench, NAMES, clock));
      const first = await Promise.all(Array.from({ length: WORKERS }, () => trial.start()));
      await Promise.all(first.map(({ begun }) => begun));
      // Two clocks that are hours apart: the deception works.
      const hours = first.map((worker) => Math.round(worker.hours));
      expect(Math.max(...hours) - Math.min(...hours)).toBeGreaterThan(10);
      await trial.disturb(performance.now() + EXCLUSION.seconds * 1000);
      const used = async (): Promise<boolean> =>
        (await bench.sql('SELECT DISTINCT kind, name FROM journal')).length === 3 * NAMES.length;
      await until('every counter is used', used, 60_000);
      const codes = await trial.end();
      expect(codes).toEqual(codes.map(() => 0));

      const journal = (await bench.sql('SELECT * FROM journal')) as unknown as Journal[];
      for (const kind of ['asserted', 'fenced']) {
        for (const row of await bench.sql(`SELECT name, n FROM ${kind}`)) {
          const name = String(row['name']);
          const written = journal
            .filter((one) => one.kind === kind && String(one.name) === name)
            .sort((a, b) => a.n - b.n);
          expect(written.length).toBeGreaterThan(0);
          // Each count was made once, and none was overwritten.
          expect(written.map(({ n }) => n)).toEqual(written.map((_, at) => at + 1));
          expect(row['n']).toBe(written.length);
          const tokens = written.map(({ token }) => Number(token));
          expect(new Set(tokens).size).toBe(tokens.length);
          expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
        }
      }

      // Whoever was overtaken could have known: by its own clock its lock was over before its work was.
      const met = await bench.sql('SELECT * FROM met');
      const unknowing = await bench.sql(
        'SELECT met.* FROM met JOIN sound a ON a.name = met.name AND a.token = mine ' +
          'JOIN sound b ON b.name = met.name AND b.token = theirs',
      );
      expect(unknowing).toEqual([]);
      const sound = await bench.sql('SELECT COUNT(*) AS n FROM sound');
      expect(Number(sound[0]?.['n'])).toBeGreaterThan(0);

      const [sum] = await bench.sql('SELECT SUM(n) AS n FROM unguarded');
      report(trial, journal, met, Number(sum?.['n']), clock.by);
    },
    EXCLUSION.seconds * 1000 + 240_000,
  );
});

function report(
  trial: LockWorkers,
  journal: readonly Journal[],
  met: readonly Row[],
  unguarded: number,
  clock: string,
): void {
  const faults = trial.all.flatMap((worker) => worker.faults);
  const of = (fault: string): number => faults.filter((one) => one.fault === fault).length;
  const counts = (kind: string): number => journal.filter((one) => one.kind === kind).length;
  const failed = trial.all.reduce((sum, { tally }) => sum + (tally?.failed ?? 0), 0);
  process.stdout.write(
    `${trial.all.length} processes, clocks put wrong by ${clock}; ${of('killed')} killed, ` +
      `${of('stopped')} stopped, ${of('partitioned')} cut off; counted ${counts('asserted')} under ` +
      `assertHeld(), ${counts('fenced')} under fence(), ${counts('unguarded')} unguarded; ${failed} ` +
      `rounds failed; without a guard ${met.length} overlaps, each with one whose lock was over, and ` +
      `${counts('unguarded') - unguarded} lost counts\n`,
  );
}
