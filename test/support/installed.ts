import { install } from '../../src/index';
import type { Workbench } from './servers';

/** What many tables may take on a busy disk, in ms. */
const WITHIN = 120_000;

/** The library's tables are there before the first test. */
export function installed(bench: Workbench): void {
  beforeAll(async () => {
    const db = bench.open();
    await install(db);
    await db.end();
  }, WITHIN);
}
