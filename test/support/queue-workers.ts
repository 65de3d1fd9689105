import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { settledWithin, systemClock } from '../../src/clock';
import { startProxy, type FaultProxy } from './fault-proxy';
import type { Workbench } from './servers';

const PROGRAM = join(__dirname, '..', 'fixtures', 'queue-worker.ts');

/** In ms. */
const ANSWER_WITHIN = 2000;

interface Account {
  readonly retries: number;
}

/** Whether workers have SKIP LOCKED, or do as on a server without. */
export type Locking = 'skipping' | 'plain';

/** Processes that consume while they are killed, stopped, and their answers swallowed. */
export class QueueWorkers {
  readonly #bench: Workbench;
  readonly #locking: Locking;
  #proxy: Promise<FaultProxy> | undefined;
  readonly #running = new Set<ChildProcess>();
  readonly faults = { killed: 0, stopped: 0, swallowed: 0 };
  /** Statements that were repeated, by the account of those who came to their end. */
  retries = 0;

  constructor(bench: Workbench, locking: Locking) {
    this.#bench = bench;
    this.#locking = locking;
  }

  async start(): Promise<void> {
    this.#proxy ??= startProxy(this.#bench.server);
    const { user, password } = this.#bench.server;
    const { host, port } = await this.#proxy;
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM], {
      env: {
        ...process.env,
        QUEUE_LOCKING: this.#locking,
        DATABASE_ADDRESS: `mysql://${user}:${password}@${host}:${port}/${this.#bench.schema}`,
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    await once(child, 'message');
    child.on('message', ({ retries }: Account) => (this.retries += retries));
  }

  /** Kills one and starts another, or stops one for so long in ms that its claims end. */
  async disturb(): Promise<void> {
    const all = [...this.#running];
    const one = all[Math.floor(Math.random() * all.length)];
    if (one === undefined) return;
    if (Math.random() < 0.3) {
      this.faults.stopped++;
      one.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 1800));
      one.kill('SIGCONT');
      return;
    }
    this.faults.killed++;
    const ended = once(one, 'exit');
    one.kill('SIGKILL');
    await ended;
    await this.start();
  }

  /** Keeps the answer to one of the next statements: a claim, a read, an acknowledgement, a COMMIT. */
  async swallow(): Promise<void> {
    const proxy = await this.#proxy;
    const trap = proxy?.swallow(Math.random() < 0.5 ? 'execute' : /^COMMIT/, 'cut');
    if (trap === undefined) return;
    const counted = trap.sprung.then(() => {
      this.faults.swallowed++;
    });
    // There is no answer to what a process or the server was killed over.
    await settledWithin(systemClock, ANSWER_WITHIN, counted);
    trap.remove();
  }

  /** Lets all come to their end. Resolves to their exit codes. */
  async end(): Promise<unknown[]> {
    const codes = [...this.#running].map(async (child) => {
      const ended = once(child, 'exit') as Promise<[unknown]>;
      child.send('stop');
      return (await ended)[0];
    });
    return Promise.all(codes);
  }

  /** Whatever happened, nothing is left running. */
  async destroy(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    await (await this.#proxy)?.close();
  }
}
