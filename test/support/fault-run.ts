import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import {
  BoomerangError,
  CommitInDoubtError,
  type DatabaseOptions,
  type RetryingPooledDatabase,
} from '../../src/index';
import { AIM, BARRED, WORK, nameOf, rowsOf, type Cell, type Errand } from './fault-cells';
import { startProxy, type FaultProxy, type Trap } from './fault-proxy';
import { running } from './running';
import { RecordingLogger } from './recording-logger';
import type { Workbench } from './servers';
import { until } from './until';

/** The limit of a work that meets a black hole, in ms. */
export const LIMIT = 2000;
/** Of one connect, in ms: a work that meets a black hole has settled before that would end it. */
const CONNECT = 20_000;
/** By then everything has settled: the limit, stopping, rolling back; or a server that comes back. */
const SETTLED = { hole: CONNECT / 2, other: 20_000, restart: 60_000 };

/** What became of a work. */
export interface Observed {
  /** `value`, or what kind of error. */
  readonly outcome: string;
  /** Of a time limit's error, what it says of the statement. */
  readonly says: unknown;
  /** Rows written or read, as the caller was told. */
  readonly told: number | undefined;
  /** Rows in the table. */
  readonly written: number;
  /** Leases that were out at the moment it settled. */
  readonly active: number;
  /** Whether the next statement on the same database worked. */
  readonly next: unknown;
  /** Connections beyond those that the database itself counts, once things are calm. */
  readonly stray: number;
  readonly took: number;
}

/** Codes of a lost connection: the driver's and Node's own, and what a server says as it hangs up. */
const LOST_CODES = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'EPIPE'];
const LOST_NUMBERS = [1927, 1053, 1317, 4031];

function kindOf(error: unknown): string {
  if (error instanceof CommitInDoubtError) return 'in doubt';
  const { code, errno, message } = error as { code?: string; errno?: number; message?: string };
  if (error instanceof BoomerangError) return error.code;
  if (LOST_CODES.includes(code ?? '') || LOST_NUMBERS.includes(errno ?? 0)) return 'lost';
  return `${code ?? errno ?? ''} ${message ?? String(error)}`;
}

/** How a fault is made. */
export interface FaultMaker {
  /** Makes it happen. Resolves when it has. */
  strike(run: CellRun): Promise<void>;
  /** Resolves when it is over, the proxy's part aside. */
  healed(): Promise<void>;
}

interface Settled {
  readonly outcome: string;
  readonly says?: unknown;
  readonly told?: number;
  readonly active: number;
  readonly took: number;
}

/** One cell of the matrix, being run: a database on a proxy of its own. */
export class CellRun {
  readonly bench: Workbench;
  readonly cell: Cell;
  readonly proxy: FaultProxy;
  readonly #db: RetryingPooledDatabase;
  readonly #maker: FaultMaker;
  readonly #errand: Errand;
  readonly #random: () => number;
  readonly #logger = new RecordingLogger();
  #struck: Promise<void> | undefined;

  private constructor(
    bench: Workbench,
    cell: Cell,
    proxy: FaultProxy,
    id: number,
    maker: FaultMaker,
    random: () => number,
  ) {
    this.bench = bench;
    this.cell = cell;
    this.proxy = proxy;
    this.#maker = maker;
    this.#random = random;
    const hole = cell.fault === 'black hole';
    const { host, port } = proxy;
    const options: DatabaseOptions = {
      ...{
        host,
        port,
        connectionLimit: 2,
        connectTimeout: CONNECT,
        acquireTimeout: SETTLED.restart,
      },
      // A proof would notice the fault before the statement does.
      validateAfter: 0,
      // Who waits for a rival waits for what the cell does, and for no time limit of the server's.
      initSql: 'SET SESSION innodb_lock_wait_timeout = 50',
      retry: { minDelay: 5, maxDelay: 50 },
      logger: this.#logger,
    };
    this.#db = bench.open(options);
    const { moment } = cell;
    this.#errand = {
      db: this.#db,
      id,
      bounds: hole ? { timeout: LIMIT } : {},
      rows: rowsOf(cell),
      kind: random() < 0.5 ? 'query' : 'execute',
      before: () => (moment === 'before send' ? this.#strikeAndNotice() : Promise.resolve()),
      amid: () => (moment === 'mid reply' ? this.#strikeOnce() : Promise.resolve()),
    };
  }

  static async of(
    bench: Workbench,
    cell: Cell,
    id: number,
    maker: FaultMaker,
    random: () => number,
  ): Promise<CellRun> {
    const proxy = await startProxy(bench.server);
    return new CellRun(bench, cell, proxy, id, maker, random);
  }

  async observe(): Promise<Observed> {
    const { proxy } = this;
    const { moment } = this.cell;
    try {
      if (moment !== 'connect') await this.#db.query('DO 0');
      const settled = await this.#runWork();
      // What was to happen has happened, whatever became of the work.
      await (moment === 'answered' ? this.#strikeAndNotice() : this.#strikeOnce());
      await this.#maker.healed();
      await proxy.heal();
      const idempotent = moment === 'any time';
      const next = await this.#db.query("SELECT 'fine' AS next", [], { idempotent }).then(
        ([rows]) => (rows as { next: string }[])[0]?.next,
        (error: unknown) => error,
      );
      const stray = await this.#stray();
      await this.#db.end({ deadline: 0 });
      const { says, told } = settled;
      const written = await this.#written();
      return { ...settled, says, told, next, stray, written };
    } catch (cause) {
      throw new Error(`${nameOf(this.cell)} could not be run`, { cause });
    } finally {
      await proxy.close();
    }
  }

  #strikeOnce(): Promise<void> {
    this.#struck ??= this.#maker.strike(this);
    return this.#struck;
  }

  /** Strikes, and waits until the client has heard of it. */
  async #strikeAndNotice(): Promise<void> {
    const first = this.#struck === undefined;
    await this.#strikeOnce();
    if (!first || this.cell.fault === 'black hole') return;
    await until('the loss is noticed', () => this.#logger.of(/^connection lost$/).length > 0);
  }

  /** Starts the work, and strikes at the moment of this cell. */
  async #runWork(): Promise<Settled> {
    const { moment, fault, work } = this.cell;
    switch (moment) {
      case 'connect':
        return this.#whileConnecting();
      case 'before send':
        // Inside a transaction the work itself says when.
        if (!WORK[work].whole) await this.#strikeAndNotice();
        return this.#settled();
      case 'after send':
        return fault === 'KILL' ? this.#whileRunning() : this.#caught(this.proxy.lose(this.#aim));
      case 'reply lost':
        return this.#caught(this.proxy.swallow(this.#aim));
      case 'BEGIN':
      case 'RELEASE':
        return this.#caught(this.proxy.swallow(moment === 'BEGIN' ? /^BEGIN/ : /^RELEASE/));
      case 'during COMMIT':
        return this.#caught(this.proxy.lose(/^COMMIT/));
      case 'after COMMIT':
        return this.#caught(this.proxy.swallow(/^COMMIT/));
      case 'any time': {
        const work = this.#settled();
        await new Promise((resolve) => setTimeout(resolve, this.#random() * 8));
        await this.#strikeOnce();
        return work;
      }
      case 'mid reply':
      case 'answered':
        return this.#settled();
    }
  }

  get #aim(): RegExp | 'execute' {
    return this.#errand.kind === 'execute' || this.cell.work === 'stream' ? 'execute' : AIM;
  }

  async #caught(trap: Trap): Promise<Settled> {
    const work = this.#settled();
    // A work that came to an end before is for the check to judge.
    await Promise.race([trap.sprung, work]);
    await this.#strikeOnce();
    return work;
  }

  async #whileConnecting(): Promise<Settled> {
    const { fault } = this.cell;
    if (fault === 'black hole' || fault === 'restart') {
      await this.#strikeOnce();
      return this.#settled();
    }
    if (fault === 'KILL') return this.#caught(this.proxy.swallow(/^SET NAMES/));
    this.proxy.delayNewConnections(300);
    const work = this.#settled();
    await until('a connect is under way', () => this.proxy.accepted > 0);
    this.proxy.delayNewConnections(0);
    await this.#strikeOnce();
    return work;
  }

  /** The server is at work on the statement, which a rival holds up there. */
  async #whileRunning(): Promise<Settled> {
    const { host, port, user, password } = this.bench.server;
    const database = this.bench.schema;
    const rival: Connection = await createConnection({ host, port, user, password, database });
    try {
      await rival.query('BEGIN');
      await rival.query(BARRED);
      await rival.query(`USE mysql`);
      const work = this.#settled();
      await until('it runs', async () => (await running(this.bench, 'FROM gate')) > 0);
      await this.#strikeOnce();
      await rival.rollback();
      return await work;
    } finally {
      await rival.end();
    }
  }

  async #settled(): Promise<Settled> {
    const begun = performance.now();
    const { fault, work } = this.cell;
    const bound =
      SETTLED[fault === 'black hole' ? 'hole' : fault === 'restart' ? 'restart' : 'other'];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<{ outcome: string }>((resolve) => {
      timer = setTimeout(() => resolve({ outcome: `not settled in ${bound} ms` }), bound);
    });
    const told = WORK[work].run(this.#errand).then(
      (value) => ({ outcome: 'value', told: value }),
      (error: unknown) => ({
        outcome: kindOf(error),
        says: (error as { outcome?: unknown }).outcome,
      }),
    );
    const result = await Promise.race([told, late]);
    clearTimeout(timer);
    const { active } = this.#db.stats();
    return { ...result, active, took: Math.round(performance.now() - begun) };
  }

  async #stray(): Promise<number> {
    const stray = (): number => {
      const { total, auxiliary } = this.#db.stats();
      return this.proxy.connections - total - auxiliary;
    };
    await until('no stray connections', () => stray() === 0).catch(() => {});
    return stray();
  }

  async #written(): Promise<number> {
    const { schema } = this.bench;
    const sql = `SELECT COUNT(*) AS n FROM ${schema}.writes WHERE id = ?`;
    const [rows] = await this.bench.admin.query<RowDataPacket[]>(sql, [this.#errand.id]);
    return Number(rows[0]?.['n']);
  }
}
