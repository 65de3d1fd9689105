import type { RetryingPooledDatabase, StatementOptions } from '../../src/index';

export const MOMENTS = [
  'connect',
  'BEGIN',
  'before send',
  'after send',
  'reply lost',
  'mid reply',
  'RELEASE',
  'during COMMIT',
  'after COMMIT',
  'answered',
  'any time',
] as const;
/**
 * When the fault strikes: while the connection is being made; when it is there and the statement is
 * not sent; when the statement is sent and not carried out; when it is carried out and not answered;
 * amid its rows; the same two of COMMIT; when all is answered; whenever chance has it. Of BEGIN and
 * RELEASE SAVEPOINT: carried out and not answered.
 */
export type Moment = (typeof MOMENTS)[number];

export const FAULTS = ['FIN', 'RST', 'black hole', 'KILL', 'restart'] as const;
export type Fault = (typeof FAULTS)[number];

export const WORKS = ['write', 'read', 'stream', 'transaction', 'nested', 'retried'] as const;
/** `read` is declared idempotent, and nothing else is; `retried` is a transaction with `retries`. */
export type WorkName = (typeof WORKS)[number];

export interface Cell {
  readonly moment: Moment;
  readonly work: WorkName;
  readonly fault: Fault;
}

/** What one run of a work needs to know. */
export interface Errand {
  readonly db: RetryingPooledDatabase;
  /** What its rows in `writes` bear, and nobody else's. */
  readonly id: number;
  readonly bounds: { readonly timeout?: number };
  /** How many rows a stream has. */
  readonly rows: number;
  readonly kind: 'query' | 'execute';
  /** Before the statement in question, where other statements of the work came before it. */
  readonly before: () => Promise<void>;
  /** Amid the rows of a stream. */
  readonly amid: () => Promise<void>;
}

/** How many rows the stream of a cell has: where the fault strikes amid them, 40 MB, more than buffers hold. */
export function rowsOf({ moment }: Cell): number {
  return moment === 'mid reply' ? 100_000 : 3;
}

/** The statement that faults are aimed at names this table, and no other statement does. */
export const AIM = /FROM gate/;
const INSERT = 'INSERT INTO writes SELECT ? FROM gate WHERE id = 0';
const READ = 'SELECT id FROM gate WHERE id = 0 LOCK IN SHARE MODE';

/** All that works need on the server, in the current schema. */
export const SCHEMA = [
  // Without a key: what is written twice is there twice.
  'CREATE TABLE writes (id INT) ENGINE=InnoDB',
  'CREATE TABLE gate (id INT PRIMARY KEY) ENGINE=InnoDB',
  'INSERT INTO gate VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)',
];
/** With it a rival makes every aimed-at statement wait. */
export const BARRED = 'SELECT id FROM gate WHERE id = 0 FOR UPDATE';

interface Work {
  /** What it writes if it succeeds: rows with its id. */
  readonly writes: number;
  /** Whether it is a transaction, of which all or nothing is there. */
  readonly whole: boolean;
  /** Resolves to how many rows were written, or read. */
  run(errand: Errand): Promise<number>;
}

interface Face {
  query: RetryingPooledDatabase['query'];
  execute: RetryingPooledDatabase['execute'];
}

async function write(
  face: Face,
  { id, kind }: Errand,
  options?: StatementOptions,
): Promise<number> {
  const [header] = await face[kind]<{ affectedRows: number }>(INSERT, [id], options);
  return header.affectedRows;
}

async function first(face: Face, { id }: Errand): Promise<number> {
  const [header] = await face.query<{ affectedRows: number }>('INSERT INTO writes VALUES (?)', [
    id,
  ]);
  return header.affectedRows;
}

async function twoWrites(errand: Errand, retries: number): Promise<number> {
  return errand.db.atomic(
    async (tx) => {
      const written = await first(tx, errand);
      await errand.before();
      return written + (await write(tx, errand));
    },
    { ...errand.bounds, retries },
  );
}

export const WORK: Readonly<Record<WorkName, Work>> = {
  write: {
    writes: 1,
    whole: false,
    run: (errand) => write(errand.db, errand, errand.bounds),
  },
  read: {
    writes: 0,
    whole: false,
    run: async ({ db, kind, bounds }) => {
      const [rows] = await db[kind](READ, [], { ...bounds, idempotent: true });
      return rows.length;
    },
  },
  stream: {
    writes: 0,
    whole: false,
    run: async ({ db, rows, bounds, amid }) => {
      const sql =
        "SELECT a.id, REPEAT('x', 400) AS x FROM gate a JOIN gate b JOIN gate c JOIN gate d " +
        `JOIN gate e LIMIT ${rows} LOCK IN SHARE MODE`;
      let seen = 0;
      for await (const _ of db.stream(sql, [], bounds)) if (++seen === 10) await amid();
      return seen;
    },
  },
  transaction: { writes: 2, whole: true, run: (errand) => twoWrites(errand, 0) },
  nested: {
    writes: 2,
    whole: true,
    run: ({ db, bounds, ...rest }) =>
      db.atomic(async (tx) => {
        const errand = { db, bounds, ...rest };
        const written = await first(tx, errand);
        return (
          written +
          (await db.atomic(async (nested) => {
            await errand.before();
            return write(nested, errand);
          }))
        );
      }, bounds),
  },
  retried: { writes: 2, whole: true, run: (errand) => twoWrites(errand, 2) },
};

/** Why there is nothing to see where a combination makes no sense. */
export function pointless({ moment, work, fault }: Cell): string | undefined {
  const { whole } = WORK[work];
  if (moment === 'any time' && fault === 'restart') return 'a restart takes longer than the work';
  const ofWhole = moment.endsWith('COMMIT') || moment === 'BEGIN';
  if (ofWhole && !whole) return 'it is no transaction';
  if (moment === 'RELEASE' && work !== 'nested') return 'it has no savepoint';
  if (moment === 'mid reply' && work !== 'stream') return 'its reply comes in one piece';
  return undefined;
}

export function cellsOf(fault: Fault): Cell[] {
  const all = MOMENTS.flatMap((moment) => WORKS.map((work) => ({ moment, work, fault })));
  return all.filter((cell) => pointless(cell) === undefined);
}

export function nameOf({ moment, work, fault }: Cell): string {
  return `${moment} × ${work} × ${fault}`;
}
