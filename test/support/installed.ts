import { install } from '../../src/index';
import type { Workbench } from './servers';

/** The library's tables are there before the first test. */
export function installed(bench: Workbench): void {
  beforeAll(async () => {
    const db = bench.open();
    await install(db);
    await db.end();
  });
}
