import type { ServerHandle } from '../../scripts/server';
import type { Fault } from './fault-cells';
import type { CellRun, FaultMaker } from './fault-run';
import type { Workbench } from './servers';
import { deferred } from './until';

/** ER_NO_SUCH_THREAD: it was gone before. */
const NO_SUCH_THREAD = 1094;

async function kill(bench: Workbench): Promise<void> {
  for (const id of await bench.sessions()) {
    await bench.sql(`KILL ${id}`).catch((error: unknown) => {
      if ((error as { errno?: number }).errno !== NO_SUCH_THREAD) throw error;
    });
  }
}

const STRIKES: Readonly<Record<Exclude<Fault, 'restart'>, (run: CellRun) => Promise<void> | void>> =
  {
    FIN: ({ proxy }) => proxy.cut(),
    RST: ({ proxy }) => proxy.reset(),
    'black hole': ({ proxy }) => proxy.blackHole(),
    // Of all sessions in the workbench's database: such cells run one at a time.
    KILL: ({ bench }) => kill(bench),
  };

export function makerOf(fault: Exclude<Fault, 'restart'>): FaultMaker {
  return {
    strike: async (run) => {
      await STRIKES[fault](run);
    },
    healed: () => Promise.resolve(),
  };
}

/** One restart for many cells: it happens when all of them have come to their moment. */
export class SharedRestart implements FaultMaker {
  readonly #server: ServerHandle;
  readonly #bench: Workbench;
  readonly #crash: boolean;
  readonly #down = deferred();
  readonly #up = deferred();
  #missing: number;

  /** @param crash the server ends at once, and not in an orderly way. */
  constructor(server: ServerHandle, bench: Workbench, cells: number, crash: boolean) {
    this.#server = server;
    this.#bench = bench;
    this.#missing = cells;
    this.#crash = crash;
    this.#up.promise.catch(() => {});
  }

  /** Resolves when the server is down. */
  strike(): Promise<void> {
    if (--this.#missing === 0) this.#restart().catch((error: unknown) => this.#fail(error));
    return this.#down.promise;
  }

  healed(): Promise<void> {
    return this.#up.promise;
  }

  async #restart(): Promise<void> {
    await (this.#crash ? this.#server.kill() : this.#server.shutdown());
    this.#down.resolve();
    await this.#server.start();
    await this.#bench.reconnect();
    this.#up.resolve();
  }

  #fail(error: unknown): void {
    this.#down.reject(error);
    this.#up.reject(error);
  }
}
