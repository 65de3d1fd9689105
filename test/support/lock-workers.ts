import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startProxy, type FaultProxy } from './fault-proxy';
import type { Workbench } from './servers';
import type { WrongClock } from './wrong-clock';

const PROGRAM = join(__dirname, '..', 'fixtures', 'lock-worker.ts');
/** Of the locks in that program, in ms. */
const TTL = 600;
/** A statement that was held back may still be answered so much later, in ms. */
const AFTERMATH = 2500;
/** Within which a worker comes to its end when it is told to, in ms. */
const ENDING = 40_000;
const ZONES = ['UTC', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Kiritimati'];

export interface Tally {
  readonly counted: number;
  readonly failed: number;
}

type Fault = 'killed' | 'stopped' | 'partitioned';

/** One process that locks and counts, behind a network of its own. */
class Worker {
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #proxy: FaultProxy;
  /** When it was not what it should be, by this process's wall clock. */
  readonly faults: { readonly fault: Fault; readonly from: number; to: number }[] = [];
  readonly begun: Promise<unknown>;
  /** How far its wall clock is off, in hours, by its own account. */
  hours = 0;
  tally: Tally | undefined;
  /** What it is doing, where it was asked. */
  #report: string | undefined;

  constructor(id: string, child: ChildProcess, proxy: FaultProxy) {
    this.id = id;
    this.#child = child;
    this.#proxy = proxy;
    // It may be killed before it has said a word.
    const ended = once(child, 'exit').then(() => {
      if (this.faults.length === 0) throw new Error(`${id} ended by itself before it began`);
    });
    this.begun = Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {});
    child.on('message', (message: { hour?: number; doing?: string } & Partial<Tally>) => {
      if (message.doing !== undefined) this.#report = JSON.stringify(message);
      else if (message.hour !== undefined) this.hours = (message.hour - Date.now()) / 3_600_000;
      else this.tally = message as Tally;
    });
  }

  async kill(): Promise<void> {
    this.#note('killed', Infinity);
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    await this.#proxy.close();
  }

  async stopFor(ms: number): Promise<void> {
    const fault = this.#note('stopped', Infinity);
    this.#child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#child.kill('SIGCONT');
    fault.to = Date.now() + AFTERMATH;
  }

  async partitionFor(ms: number): Promise<void> {
    const fault = this.#note('partitioned', Infinity);
    this.#proxy.blackHole();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await this.#proxy.heal();
    fault.to = Date.now() + AFTERMATH;
  }

  /**
   * Lets it come to its end. Resolves to its exit code.
   *
   * @throws an error that says what it does, where it does not come to its end in time.
   */
  async end(): Promise<number | null> {
    const ended = once(this.#child, 'exit') as Promise<[number | null]>;
    this.#child.send('stop');
    const late = setTimeout(() => this.#child.send('report'), ENDING - 1000);
    const tooLate = new Promise<never>((_, reject) => {
      setTimeout(() => {
        const faults = JSON.stringify(this.faults);
        const did = this.#report ?? 'not even reported';
        reject(new Error(`${this.id} did not end: ${did}; at ${Date.now()}, faults ${faults}`));
      }, ENDING).unref();
    });
    const [code] = await Promise.race([ended, tooLate]).finally(() => clearTimeout(late));
    await this.#proxy.close();
    return code;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  wasDisturbedAt(time: number): boolean {
    return this.faults.some(({ from, to }) => from <= time && time <= to);
  }

  #note(fault: Fault, to: number): Worker['faults'][number] {
    const noted = { fault, from: Date.now(), to };
    this.faults.push(noted);
    return noted;
  }
}

/** Processes that count under locks while they are killed, stopped and cut off. */
export class LockWorkers {
  readonly #bench: Workbench;
  readonly #names: readonly string[];
  readonly #clock: WrongClock;
  readonly #all: Worker[] = [];

  constructor(bench: Workbench, names: readonly string[], clock: WrongClock) {
    this.#bench = bench;
    this.#names = names;
    this.#clock = clock;
  }

  get all(): readonly Worker[] {
    return this.#all;
  }

  /** Each has another wrong clock and another time zone than the one before. */
  async start(): Promise<Worker> {
    const { server, schema } = this.#bench;
    const proxy = await startProxy(server);
    const { user, password } = server;
    const id = `w${this.#all.length}`;
    const hours = ((this.#all.length * 5) % 23) - 11;
    const { env, options } = this.#clock.setBy(hours);
    const child = spawn(process.execPath, [...options, '--import', 'tsx', PROGRAM], {
      env: {
        ...process.env,
        ...env,
        TZ: ZONES[this.#all.length % ZONES.length],
        DATABASE_ADDRESS: `mysql://${user}:${password}@${proxy.host}:${proxy.port}/${schema}`,
        NAMES: this.#names.join(' '),
        WORKER: id,
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const worker = new Worker(id, child, proxy);
    this.#all.push(worker);
    return worker;
  }

  /** One after the other, somebody is killed (and another started), stopped or cut off beyond the TTL. */
  async disturb(until: number): Promise<void> {
    const kinds: Fault[] = ['stopped', 'partitioned', 'killed'];
    const under: Promise<unknown>[] = [];
    for (let count = 0; performance.now() < until; count++) {
      await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 400));
      const calm = this.#all.filter((one) => one.isRunning && !one.wasDisturbedAt(Date.now()));
      // Whoever holds a lock now, if anybody does.
      const holders = await this.#holders();
      const one = calm.find(({ pid }) => holders.includes(pid)) ?? calm[0];
      if (one === undefined) continue;
      const long = TTL * (1 + Math.random() * 2);
      if (kinds[count % kinds.length] === 'stopped') under.push(one.stopFor(long));
      else if (kinds[count % kinds.length] === 'partitioned') under.push(one.partitionFor(long));
      else under.push(this.#replace(one));
    }
    await Promise.all(under);
  }

  async #replace(one: Worker): Promise<void> {
    await one.kill();
    // Where it was it is not any more.
    await this.#bench.sql(`DELETE FROM ${this.#bench.schema}.inside WHERE worker = ?`, [one.id]);
    await (
      await this.start()
    ).begun;
  }

  /** Process ids of those who hold a lock now, the one who holds longest first. */
  async #holders(): Promise<unknown[]> {
    const rows = await this.#bench.sql(
      `SELECT meta FROM ${this.#bench.schema}.boomerang_locks ` +
        'WHERE owner IS NOT NULL AND expires_at > UTC_TIMESTAMP(6) ORDER BY acquired_at',
    );
    return rows.map(({ meta }) => (JSON.parse(String(meta)) as { pid: unknown }).pid);
  }

  async end(): Promise<(number | null)[]> {
    return Promise.all(this.#all.filter((one) => one.isRunning).map((one) => one.end()));
  }

  /** Whatever happened, nothing is left running. */
  async destroy(): Promise<void> {
    await Promise.all(this.#all.filter((one) => one.isRunning).map((one) => one.kill()));
  }
}
