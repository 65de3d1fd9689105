import { DistributedLocks, connectionScope, install } from '../../src/index';
import { freePort } from '../../scripts/server/free-port';
import { partsOf } from '../../src/pooled-database';
import type { Monitor } from '../../src/monitor/index';
import { shownTexts, tooFaint } from '../support/contrast';
import { SIZES, onDashboard, picture, pictures } from '../support/dashboard-visits';
import { deferred } from '../support/deferred';

/** With the numbers of a busy program. */
class FakeCache {
  readonly stats = { hits: 48_211, misses: 3107, entries: 9120, bytes: 18_400_000 };
}
class FakeQueue {
  readonly groups = [
    { stream: 'orders', group: 'billing', lag: 12, pending: 3, dead: 0, oldest: 840 },
    { stream: 'orders', group: 'mail', lag: 1840, pending: 20, dead: 7, oldest: 192_000 },
  ];
}

onDashboard((board) => {
  const { bench, monitors, visits } = board;

  /** A program at work, with all that can be shown. */
  const atWork = async (): Promise<{ opened: Monitor; end: () => Promise<void> }> => {
    await install(board.db);
    const locks = new DistributedLocks(board.db);
    const [cache, queue] = [new FakeCache(), new FakeQueue()];
    // As a program would: what nobody holds is not watched.
    const parts: object[] = [cache, queue];
    const { instruments } = partsOf(board.db);
    instruments.add(cache, 'sessions', {
      kind: 'cache',
      counters: ['hits', 'misses'],
      snapshot: ({ stats }) => stats,
    });
    instruments.add(queue, 'boomerang_', {
      kind: 'queue',
      snapshot: ({ groups }) => ({
        lag: groups.reduce((all, { lag }) => all + lag, 0),
        pending: groups.reduce((all, { pending }) => all + pending, 0),
        deadLetters: groups.reduce((all, { dead }) => all + dead, 0),
      }),
      columns: {
        stream: 'text',
        group: 'text',
        lag: 'number',
        pending: 'number',
        dead: 'number',
        oldest: 'duration',
      },
      details: async ({ groups }) => groups,
    });
    const opened = await monitors.open(board.db, {
      interval: 100,
      slowStatement: 20,
      stacksPerSecond: 1000,
    });
    const leases = await Promise.all([locks.acquire('nightly-report'), locks.acquire('leader')]);
    const release = deferred();
    const held = ['Orders.export', 'Users.find', 'nightly report'].map((label) =>
      connectionScope(
        async () => {
          await board.db.query('SELECT 1');
          await release.promise;
        },
        { label },
      ),
    );
    const own = await board.db.getConnection();
    await board.db.query("SELECT SLEEP(0.05) AS waited, 'secret value' AS a FROM dual WHERE 1 = 1");
    await board.db.query("SELECT SLEEP(0.03) AS waited, 'other' AS a FROM dual WHERE 1 = 1");
    let working = true;
    const load = Array.from({ length: 3 }, async () => {
      while (working) await board.db.query('SELECT 1');
    });
    return {
      opened,
      async end() {
        working = false;
        release.resolve();
        await Promise.all([...load, ...held, own.release()]);
        await Promise.all(leases.map((lease) => lease.release()));
        await locks.close();
        parts.length = 0;
      },
    };
  };

  describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
    it.each(['desktop', 'phone'] as const)(
      'at %s width: fits, is legible, and loads nothing from elsewhere',
      async (size) => {
        const { opened, end } = await atWork();
        try {
          const { page, asked, complaints } = await visits.open(opened.url, {
            colorScheme,
            viewport: SIZES[size],
          });
          await page.getByText('Orders.export').waitFor();
          await page.getByText('nightly-report').waitFor();
          await page.waitForTimeout(pictures === undefined ? 0 : 6000);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth);
          expect(wide).toBeLessThanOrEqual(SIZES[size].width);
          const texts = await shownTexts(page);
          expect(texts.length).toBeGreaterThan(40);
          expect(tooFaint(texts)).toEqual([]);
          await picture(page, `${size}-${colorScheme}`);
          expect(complaints).toEqual([]);
          const hosts = new Set(
            asked.map((url) => (url.startsWith('data:') ? 'data' : new URL(url).origin)),
          );
          hosts.delete('data');
          expect([...hosts]).toEqual([opened.url]);
        } finally {
          await end();
        }
      },
    );
  });

  it('a leaked connection appears with its label within two seconds', async () => {
    const { url } = await monitors.open(board.db);
    const { page } = await visits.open(url);
    await page.getByText('Nobody holds a connection').waitFor();
    const delays: number[] = [];
    for (const label of ['Leaky.first', 'Leaky.second', 'Leaky.third']) {
      const forgotten = await connectionScope(() => board.db.getConnection(), { label });
      const begun = performance.now();
      const entry = page.locator('#holders li', { hasText: label });
      await entry.waitFor();
      delays.push(performance.now() - begun);
      expect(await entry.textContent()).toContain(`Session ${forgotten.threadId}`);
      await forgotten.release();
      await entry.waitFor({ state: 'detached' });
    }
    // The best of three: a machine that is busy with something else delays one, not all.
    expect(Math.min(...delays)).toBeLessThan(2000);
  });

  it('unfolds where it was taken, and stays unfolded while the numbers move', async () => {
    const { opened, end } = await atWork();
    const { page } = await visits.open(opened.url);
    const summary = page.locator('#holders summary').first();
    await summary.click();
    const stack = page.locator('#holders pre').first();
    await stack.waitFor({ state: 'visible' });
    expect(await stack.textContent()).toContain('monitor-dashboard.test.ts');
    const before = await page.locator('#holders .value').first().textContent();
    await page.waitForFunction(
      (text) => document.querySelector('#holders .value')?.textContent !== text,
      before,
    );
    expect(await stack.isVisible()).toBe(true);
    await end();
  });

  it('shows slow statements without their values, and nothing as markup', async () => {
    const { url } = await monitors.open(board.db, { slowStatement: 1, interval: 50 });
    const { page } = await visits.open(url);
    const label = '<img src=x onerror=alert(1)>';
    const held = await connectionScope(() => board.db.getConnection(), { label });
    await board.db.query("SELECT SLEEP(0.02) AS `<b>bold</b>`, 'secret'");
    await page.getByText('SELECT SLEEP(?) AS').first().waitFor();
    await page.getByText(label).waitFor();
    expect(await page.locator('#board img, #board b b').count()).toBe(0);
    expect(await page.content()).not.toContain('secret');
    await held.release();
  });

  it('is found and used by what it is called, in headings, regions and controls', async () => {
    const { opened, end } = await atWork();
    const { page } = await visits.open(opened.url);
    await page.getByText('nightly-report').waitFor();
    await page.getByRole('table').nth(1).waitFor();
    for (const name of ['Pool', 'Connections out', 'Slow statements', 'Locks, caches and queues']) {
      expect(await page.getByRole('region', { name }).count()).toBe(1);
    }
    expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
    expect(await page.getByRole('main').count()).toBe(1);
    expect(await page.getByRole('img', { name: /in use.*idle.*waiting/ }).count()).toBe(1);
    expect(await page.getByRole('table').count()).toBe(2);
    expect(await page.getByRole('columnheader', { name: 'Expires in' }).count()).toBe(1);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll('button, input, a, summary')]
        .filter((each) => each.checkVisibility())
        .filter((each) => each.textContent.trim() === '' && (each as any).labels?.length !== 1)
        .map((each) => each.outerHTML),
    );
    expect(nameless).toEqual([]);
    const ids = await page.evaluate(() =>
      [...document.querySelectorAll('[id]')].map(({ id }) => id),
    );
    expect(new Set(ids).size).toBe(ids.length);
    await end();
  });

  it('by keyboard: the skip link first, then the theme, which is kept', async () => {
    const { url } = await monitors.open(board.db);
    const { page } = await visits.open(url, { colorScheme: 'light' });
    await page.getByText('Nobody holds a connection').waitFor();
    const focused = (): Promise<string> =>
      page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the numbers');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Dark theme');
    const ground = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('Light theme');
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    expect(await ground()).toBe(dark);
  });

  it('nothing moves for those who asked for that', async () => {
    const { url } = await monitors.open(board.db);
    const { page } = await visits.open(url, { reducedMotion: 'reduce' });
    await page.getByText('Nobody holds a connection').waitFor();
    const moving = await page.evaluate(() => document.getAnimations().length);
    expect(moving).toBe(0);
  });

  it('asks for the token, refuses a wrong one in words, and shows nothing before', async () => {
    const { url } = await monitors.open(board.db, { token: 'tok-12345' });
    const { page } = await visits.open(url);
    const field = page.getByLabel('Token', { exact: true });
    await field.waitFor();
    expect(await page.locator('#board').isVisible()).toBe(false);
    expect(tooFaint(await shownTexts(page))).toEqual([]);
    await field.fill('tok-99999');
    await page.keyboard.press('Enter');
    await page.getByText('This token was not accepted.').waitFor();
    await field.fill('tok-12345');
    await page.keyboard.press('Enter');
    await page.getByText('Nobody holds a connection').waitFor();
    expect(page.url()).not.toContain('tok');
    expect(await page.context().cookies()).toEqual([]);
    await page.reload();
    await page.getByText('Nobody holds a connection').waitFor();
    await page.getByRole('button', { name: 'Forget token' }).click();
    await field.waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });

  it('says that the connection is lost, and is live again when it is back', async () => {
    const port = await freePort();
    const first = await monitors.open(board.db, { port });
    const { page } = await visits.open(first.url);
    await page.getByText('Nobody holds a connection').waitFor();
    await first.close();
    await page.getByText('Connection lost', { exact: true }).waitFor();
    await monitors.open(board.db, { port });
    await page.locator('#status', { hasText: 'Ready' }).waitFor();
  });

  it('of several databases shows each, the busiest first', async () => {
    const names = ['tenant-a', 'tenant-b', 'tenant-c'];
    const tenants = new Map(names.map((name) => [name, bench.open({ connectionLimit: 2 })]));
    const { url } = await monitors.open(tenants);
    const held = await tenants.get('tenant-c')!.getConnection();
    const { page } = await visits.open(url);
    const shown = page.locator('#databases .title');
    await shown.first().waitFor();
    expect(await shown.allTextContents()).toEqual(['tenant-c', 'tenant-a', 'tenant-b']);
    await page.getByText(`tenant-c, session ${held.threadId}`).filter({ visible: true }).waitFor();
    await held.release();
  });
});
