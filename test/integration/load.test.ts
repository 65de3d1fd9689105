import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { releaseConnection, type RetryingPooledDatabase } from '../../src/index';
import { longForm } from '../support/long-form';
import { onEachServer } from '../support/servers';

const CALLS = longForm('BOOMERANG_LOAD', 100_000);
const CALLERS = 200;
const LIMIT = 8;
/** What a full collection may leave above where it was: code that was compiled, caches that filled. */
const SLACK = 8 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function heap(): Promise<number> {
  // Twice, with a turn of the event loop between: finalizers run after a collection.
  for (let round = 0; round < 2; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

onEachServer((bench) => {
  it(`${CALLS.toLocaleString('en')} decorated calls from 200 callers: none out, sessions within the limit, heap where it was`, async () => {
    const db: RetryingPooledDatabase = bench.open({
      connectionLimit: LIMIT,
      acquireTimeout: 30_000,
    });
    class Numbers {
      @releaseConnection
      async double(value: number): Promise<number> {
        return this._double(value);
      }
      async _double(value: number): Promise<number> {
        const [rows] = await db.execute<{ v: number }[]>('SELECT ? + ? AS v', [value, value]);
        return rows[0]?.v ?? NaN;
      }
    }
    const numbers = new Numbers();
    let left = CALLS;
    let wrong = 0;
    let peak = 0;
    const caller = async (): Promise<void> => {
      while (left > 0) {
        const value = left--;
        if ((await numbers.double(value)) !== 2 * value) wrong++;
        if (value % 5000 === 0) peak = Math.max(peak, (await bench.sessions()).length);
      }
    };
    // One round first: caches and compiled code belong to where the heap starts.
    left = CALLS / 10;
    await Promise.all(Array.from({ length: CALLERS }, caller));
    const before = await heap();
    left = CALLS;
    const begun = performance.now();
    await Promise.all(Array.from({ length: CALLERS }, caller));
    const seconds = (performance.now() - begun) / 1000;
    const after = await heap();
    const { active, waiting, created, acquired, released } = db.stats();
    process.stderr.write(
      `\n${bench.server.name}: ${CALLS} calls in ${seconds.toFixed(1)} s, leases out ${active}, ` +
        `peak sessions ${peak}, heap ${(before / 2 ** 20).toFixed(1)} → ${(after / 2 ** 20).toFixed(1)} MiB\n`,
    );
    expect({ wrong, active, waiting, created }).toEqual({
      wrong: 0,
      active: 0,
      waiting: 0,
      created: LIMIT,
    });
    expect(acquired).toBe(released);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThanOrEqual(LIMIT);
    expect(after - before).toBeLessThan(SLACK);
  }, 3_600_000);
});
