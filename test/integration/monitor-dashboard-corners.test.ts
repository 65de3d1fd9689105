import { DistributedLocks, connectionScope, install } from '../../src/index';
import { shownTexts, tooFaint } from '../support/contrast';
import { SIZES, onDashboard, picture } from '../support/dashboard-visits';

/* What a dashboard seldom shows, and must show well. */
onDashboard((board) => {
  const { bench, monitors, visits } = board;

  it('shows each of several that bear the same name, once', async () => {
    await install(board.db);
    const twins = [new DistributedLocks(board.db), new DistributedLocks(board.db)];
    const lease = await twins[1]!.acquire('leader');
    const { url } = await monitors.open(board.db, { interval: 20 });
    const { page } = await visits.open(url);
    const cards = page.locator('#instruments article');
    await page.getByText('leader').first().waitFor();
    for (const _ of [1, 2, 3]) {
      const shown = await page.locator('#process').textContent();
      await page.waitForFunction(
        (text) => document.querySelector('#process')?.textContent !== text,
        shown,
      );
      expect(await cards.locator('h3').allTextContents()).toEqual([
        'Lockboomerang_',
        'Lockboomerang_',
      ]);
      const held = cards.locator('.numbers div', { hasText: 'Held' }).locator('dd');
      expect(await held.allTextContents()).toEqual(['0', '1']);
    }
    await lease.release();
    await Promise.all(twins.map((locks) => locks.close()));
  });

  it.each(['desktop', 'phone'] as const)(
    'at %s width: long names, many tenants and a full pool fit and are legible',
    async (size) => {
      const long = 'Repository.ofSomethingWithoutAnyPlaceToBreakTheLine'.repeat(6);
      await install(board.db);
      const locks = new DistributedLocks(board.db);
      const lease = await locks.acquire('l'.repeat(200));
      const tenants = new Map(
        Array.from({ length: 60 }, (_, at) => [
          `tenant-${at}-${'n'.repeat(at)}`,
          at === 0 ? board.db : bench.open({ connectionLimit: 1, acquireTimeout: 120_000 }),
        ]),
      );
      const [, full] = [...tenants.values()];
      const { url } = await monitors.open(tenants, {
        interval: 50,
        slowStatement: 1,
        stacksPerSecond: 1000,
      });
      const held = await connectionScope(() => full!.getConnection(), { label: long });
      const waits = Array.from({ length: 3 }, () => full!.query('DO 1'));
      await board.db.query(`SELECT SLEEP(0.02) AS ${'x'.repeat(250)}`);
      const { page, complaints } = await visits.open(url, { viewport: SIZES[size] });
      await page.locator('#databases li').nth(49).waitFor();
      await page.getByText(long).waitFor();
      await page.getByText('l'.repeat(200)).waitFor();
      await page.locator('#statements .title', { hasText: 'x'.repeat(250) }).waitFor();
      await page.locator('#holders summary').first().click();
      const statement = page.locator('#statements li', { hasText: 'x'.repeat(250) });
      await statement.getByText('The whole statement').click();
      await statement.locator('pre').waitFor({ state: 'visible' });
      expect(await page.locator('#holders pre').first().textContent()).not.toContain('node:');
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide).toBeLessThanOrEqual(SIZES[size].width);
      expect(tooFaint(await shownTexts(page))).toEqual([]);
      expect(complaints).toEqual([]);
      await picture(page, `${size}-corners`);
      await held.release();
      await Promise.all(waits);
      await lease.release();
      await locks.close();
    },
  );
});
