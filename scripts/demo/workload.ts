import type { PoolStats, RetryingPooledDatabase } from '../../src/index';
import { LiveLine } from './live-line';
import type { ProcesslistWatcher } from './processlist';
import { Traveller, type World } from './traveller';

export const CALLERS = 200;
export const POOL = 8;

const REDRAW = 200;

/** A pool's numbers for the live line. */
export function poolText({ active, idle, waiting }: PoolStats): string {
  return `out ${active} idle ${idle} waiting ${waiting}`;
}

/** All callers at once, with the live line that tells how they fare. */
export class Workload {
  readonly #db: RetryingPooledDatabase;
  readonly #world: World;
  readonly #watcher: ProcesslistWatcher;
  #phase = '';

  constructor(db: RetryingPooledDatabase, world: World, watcher: ProcesslistWatcher) {
    this.#db = db;
    this.#world = world;
    this.#watcher = watcher;
  }

  /** What is going on, for the live line. */
  set phase(phase: string) {
    this.#phase = phase;
  }

  /** Lets the callers loose until `plot` has ended, and resolves to its result once all are home. */
  async during<T>(plot: () => Promise<T>): Promise<T> {
    const home = new AbortController();
    const stopLine = this.#showLine();
    const roaming = Array.from({ length: CALLERS }, (_, id) =>
      new Traveller(id, this.#world).roam(home.signal),
    );
    try {
      return await plot();
    } finally {
      home.abort();
      await Promise.all(roaming);
      stopLine();
    }
  }

  #showLine(): () => void {
    const line = new LiveLine('  {text}', 1, 'the callers begin');
    const begun = performance.now();
    let last = { at: begun, answered: 0 };
    const timer = setInterval(() => {
      const now = performance.now();
      const { answered } = this.#world.tally;
      const rate = ((answered - last.answered) / (now - last.at)) * 1000;
      last = { at: now, answered };
      line.update(0, this.#text((now - begun) / 1000, rate));
    }, REDRAW);
    return () => {
      clearInterval(timer);
      line.stop();
    };
  }

  #text(seconds: number, rate: number): string {
    const { tally } = this.#world;
    return [
      `${seconds.toFixed(0).padStart(2)} s ${this.#phase}`,
      `${rate.toFixed(0)} calls/s`,
      `errors ${tally.errorCount}`,
      poolText(this.#db.stats()),
      `sessions ${this.#watcher.latest ?? '–'}`,
      `in doubt ${tally.inDoubt}`,
    ].join(' | ');
  }
}
