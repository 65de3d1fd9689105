import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { RetryingPooledDatabase } from '../../src/index';
import { CHROMIUM, launchBrowser } from './browser';
import { MonitorBench } from './monitor-bench';
import { isToBeHad } from './program';
import { Workbench, testServers } from './servers';

export const SIZES = {
  desktop: { width: 1360, height: 900 },
  phone: { width: 360, height: 740 },
};

/** A page, with what it asked for and what it complained of. */
export interface Visit {
  readonly page: Page;
  readonly asked: string[];
  readonly complaints: string[];
}

/** Visits of one suite to dashboards; what a test has opened is closed after it. */
export class DashboardVisits {
  #browser: Browser | undefined;
  readonly #contexts: BrowserContext[] = [];

  constructor() {
    beforeAll(async () => {
      this.#browser = await launchBrowser();
    }, 600_000);
    afterEach(() => Promise.all(this.#contexts.splice(0).map((context) => context.close())));
    afterAll(() => this.#browser?.close());
  }

  async open(url: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Visit> {
    if (this.#browser === undefined) throw new Error('there is no browser');
    const context = await this.#browser.newContext({ viewport: SIZES.desktop, ...options });
    this.#contexts.push(context);
    const page = await context.newPage();
    const asked: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(url);
    return { page, asked, complaints };
  }
}

/** Where pictures go, for people to look at: BOOMERANG_PICTURES. */
export const pictures = process.env['BOOMERANG_PICTURES'];

/** The whole page as a picture, where they are wanted. */
export async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
}

/** What a suite on the dashboard works with. */
export interface DashboardBench {
  readonly bench: Workbench;
  readonly monitors: MonitorBench;
  readonly visits: DashboardVisits;
  /** Of the test at hand, with room for 8 connections. */
  readonly db: RetryingPooledDatabase;
}

/** A suite on the dashboard; skipped, and said so, where no browser can be had. */
export function onDashboard(define: (at: DashboardBench) => void): void {
  // A browser on a busy machine takes its time.
  jest.setTimeout(120_000);
  (isToBeHad(CHROMIUM) ? describe : describe.skip)('the dashboard', () => {
    const bench = new Workbench(testServers()[0]!);
    const monitors = new MonitorBench();
    const visits = new DashboardVisits();
    let db: RetryingPooledDatabase;

    beforeAll(() => bench.setUp());
    beforeEach(() => {
      db = bench.open({ connectionLimit: 8 });
    });
    afterEach(() => bench.endDatabases());
    afterAll(() => bench.tearDown());

    define({
      bench,
      monitors,
      visits,
      get db() {
        return db;
      },
    });
  });
}
