import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launchBrowser } from './browser';

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
