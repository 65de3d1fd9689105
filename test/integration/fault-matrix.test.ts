import { provideServer } from '../../scripts/server';
import { Random } from '../../scripts/demo/random';
import {
  FAULTS,
  SCHEMA,
  WORK,
  cellsOf,
  nameOf,
  rowsOf,
  type Cell,
  type Fault,
  type Moment,
} from '../support/fault-cells';
import { makerOf, SharedRestart } from '../support/fault-makers';
import { CellRun, LIMIT, type FaultMaker, type Observed } from '../support/fault-run';
import { FaultTable } from '../support/fault-table';
import { longForm } from '../support/long-form';
import { describeServer, onEachServer, Workbench } from '../support/servers';
import { until } from '../support/until';

const FORM = longForm('BOOMERANG_FAULTS', {
  /** How often every cell is run. */
  rounds: 1,
  /** How often those that strike at any time are. */
  strikes: 3,
  /** The servers that are restarted: kinds of scripts/server; '' is the one that can be had first. */
  restarted: [''],
  seed: 1,
});

/** What must come of a cell: one of these outcomes, each with how many of its writes are there. */
type Expected = Readonly<Record<string, readonly [least: number, most: number]>>;

const NONE = [0, 0] as const;
const ONCE = [1, 1] as const;
const EITHER = [0, 1] as const;

interface Rule {
  readonly moments: readonly Moment[];
  readonly when?: (cell: Cell) => boolean;
  readonly expected: Expected;
}

const hole = ({ fault }: Cell): boolean => fault === 'black hole';
const whole = ({ work }: Cell): boolean => WORK[work].whole;
const retried = ({ work }: Cell): boolean => work === 'retried';
const repeatable = ({ work }: Cell): boolean => work === 'read';

/**
 * What is promised, in the order in which the questions are to be asked; the first rule that fits
 * counts. "Writes" are units: a transaction's are all there or none.
 */
const RULES: readonly Rule[] = [
  // Nothing of the caller's was sent: connects and BEGIN are repeated. What comes after the answer
  // changes no answer.
  { moments: ['connect', 'BEGIN'], when: hole, expected: { timeout: NONE } },
  { moments: ['connect', 'BEGIN', 'answered'], expected: { value: ONCE } },
  // COMMIT was sent and not answered: never repeated, whatever else may be.
  { moments: ['during COMMIT'], expected: { 'in doubt': NONE } },
  { moments: ['after COMMIT'], expected: { 'in doubt': ONCE } },
  // Chance may strike at any of these moments, or too late.
  {
    moments: ['any time'],
    when: (cell) => hole(cell) && whole(cell),
    expected: { value: ONCE, timeout: NONE, 'in doubt': EITHER },
  },
  { moments: ['any time'], when: hole, expected: { value: ONCE, timeout: EITHER } },
  {
    moments: ['any time'],
    when: retried,
    expected: { value: ONCE, 'in doubt': EITHER },
  },
  { moments: ['any time'], when: repeatable, expected: { value: ONCE } },
  {
    moments: ['any time'],
    when: whole,
    expected: { value: ONCE, lost: NONE, 'in doubt': EITHER },
  },
  { moments: ['any time'], expected: { value: ONCE, lost: EITHER } },
  // Without an answer nothing is known in time. What the network kept it may bring after all.
  {
    moments: ['before send'],
    when: (cell) => hole(cell) && !whole(cell),
    expected: { timeout: EITHER },
  },
  {
    moments: ['reply lost'],
    when: (cell) => hole(cell) && !whole(cell),
    expected: { timeout: ONCE },
  },
  {
    moments: ['before send', 'after send', 'reply lost', 'mid reply', 'RELEASE'],
    when: hole,
    expected: { timeout: NONE },
  },
  // Not sent, or declared idempotent, or a whole transaction that may be run again: nobody notices.
  { moments: ['before send'], when: (cell) => !whole(cell), expected: { value: ONCE } },
  {
    moments: ['before send', 'after send', 'reply lost'],
    when: retried,
    expected: { value: ONCE },
  },
  { moments: ['after send', 'reply lost'], when: repeatable, expected: { value: ONCE } },
  // Otherwise the loss is the caller's to hear of.
  { moments: ['reply lost'], when: (cell) => !whole(cell), expected: { lost: ONCE } },
  {
    moments: ['before send', 'after send', 'reply lost', 'mid reply', 'RELEASE'],
    expected: { lost: NONE },
  },
];

function expectedOf(cell: Cell): Expected {
  const rule = RULES.find(
    ({ moments, when }) => moments.includes(cell.moment) && when?.(cell) !== false,
  );
  if (rule === undefined) throw new Error(`no rule for ${nameOf(cell)}`);
  return rule.expected;
}

/** The error of a time limit, which differs with what was limited. */
function timeoutOf(cell: Cell): { readonly outcome: string; readonly says: unknown } {
  if (whole(cell)) return { outcome: 'ERR_TRANSACTION_TIMEOUT', says: undefined };
  return {
    outcome: 'ERR_STATEMENT_TIMEOUT',
    says: cell.moment === 'connect' ? 'notExecuted' : 'unknown',
  };
}

function check(cell: Cell, observed: Observed): void {
  const { writes } = WORK[cell.work];
  const expected = expectedOf(cell);
  const timeout = timeoutOf(cell);
  const found = observed.outcome === timeout.outcome ? 'timeout' : observed.outcome;
  expect(Object.keys(expected)).toContain(found);
  const units = writes === 0 ? [0] : [...new Set(expected[found])].map((times) => times * writes);
  expect(units).toContain(observed.written);
  if (found === 'timeout' && cell.moment !== 'any time') expect(observed.says).toBe(timeout.says);
  if (found === 'timeout') expect(observed.took).toBeGreaterThanOrEqual(LIMIT - 10);
  if (found === 'value' && writes > 0) expect(observed.told).toBe(writes);
  if (found === 'value' && cell.work === 'read') expect(observed.told).toBe(1);
  if (found === 'value' && cell.work === 'stream') expect(observed.told).toBe(rowsOf(cell));
  expect({ active: observed.active, next: observed.next, stray: observed.stray }).toEqual({
    active: 0,
    next: 'fine',
    stray: 0,
  });
}

const table = new FaultTable();
const random = new Random(FORM.seed);
/** By id, what was run. */
const ran = new Map<number, Cell>();

async function prepare(bench: Workbench): Promise<void> {
  await bench.sql(`USE ${bench.schema}`);
  for (const sql of SCHEMA) await bench.sql(sql);
}

/** Runs cells, so many at a time. Results come in the order of the cells. */
async function runAll(
  bench: Workbench,
  cells: readonly Cell[],
  maker: FaultMaker,
  atOnce: number,
): Promise<Observed[]> {
  const results: Observed[] = [];
  const left = cells.entries();
  const worker = async (): Promise<void> => {
    for (const [index, cell] of left) {
      const id = ran.size + 1;
      ran.set(id, cell);
      const run = await CellRun.of(bench, cell, id, maker, () => random.next());
      const observed = await run.observe();
      table.note(cell, observed);
      results[index] = observed;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  await until('no session is left', async () => (await bench.sessions()).length === 0);
  return results;
}

/** Looks once more when all is calm: what the network brought late, a second time or by half. */
async function amiss(bench: Workbench): Promise<string[]> {
  const rows = await bench.sql(
    `SELECT id, COUNT(*) AS n FROM ${bench.schema}.writes GROUP BY id ORDER BY id`,
  );
  expect(rows.length).toBeGreaterThan(0);
  return rows.flatMap(({ id, n }) => {
    const cell = ran.get(Number(id))!;
    return Number(n) === WORK[cell.work].writes ? [] : [`${nameOf(cell)}: ${Number(n)} rows`];
  });
}

/** Each cell as often as the form says. */
function planOf(fault: Fault): Cell[] {
  const rounds = Array.from({ length: FORM.rounds }, () => cellsOf(fault)).flat();
  const further = cellsOf(fault).filter(({ moment }) => moment === 'any time');
  return [...rounds, ...Array.from({ length: FORM.strikes - 1 }, () => further).flat()];
}

/** The tests of one fault: its cells are run first, as many at a time as may be. */
function suite(fault: Fault, plan: readonly Cell[], runCells: () => Promise<Observed[]>): void {
  describe(fault, () => {
    let results: Observed[] = [];
    beforeAll(
      async () => {
        results = await runCells();
      },
      60_000 * FORM.rounds * FORM.strikes,
    );

    it.each(cellsOf(fault).map((cell) => [nameOf(cell), cell] as const))('%s', (name, cell) => {
      const mine = results.filter((_, index) => nameOf(plan[index]!) === name);
      expect(mine.length).toBeGreaterThan(0);
      for (const observed of mine) check(cell, observed);
    });
  });
}

onEachServer((bench) => {
  beforeAll(() => prepare(bench));

  for (const fault of FAULTS) {
    if (fault === 'restart') continue;
    const plan = planOf(fault);
    // A black hole costs time and nothing else; a KILL finds its session by there being no other. Each
    // cell has up to three connections, and the server has not many more than other tests need as well.
    const atOnce = fault === 'black hole' ? 24 : 1;
    suite(fault, plan, () => runAll(bench, plan, makerOf(fault), atOnce));
  }

  it('nothing is there twice or by half, also late', async () => {
    expect(await amiss(bench)).toEqual([]);
  });
});

describe.each(FORM.restarted.map((kind) => [kind === '' ? 'a server of our own' : kind, kind]))(
  'on %s, restarted',
  (_, kind) => {
    const plan = planOf('restart');
    suite('restart', plan, async () => {
      // One that is given by its URL is not ours to restart.
      const env = { ...process.env, DATABASE_URL: '' };
      const server = await provideServer(kind === '' ? { env } : { env, kind });
      const bench = new Workbench(describeServer(server));
      try {
        await bench.setUp();
        await prepare(bench);
        const size = cellsOf('restart').length;
        const results: Observed[] = [];
        for (let round = 0; round < FORM.rounds; round++) {
          const maker = new SharedRestart(server, bench, size, round % 2 === 1);
          results.push(...(await runAll(bench, plan.slice(0, size), maker, size)));
        }
        expect(await amiss(bench)).toEqual([]);
        await bench.endDatabases();
        return results;
      } finally {
        await server.stop();
      }
    });
  },
);

afterAll(() => void process.stdout.write(`\n${String(table)}`));
