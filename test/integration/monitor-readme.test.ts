import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onEachServer } from '../support/servers';

const ROOT = join(__dirname, '..', '..');

/** The block of the README that stands under the second mark. */
async function example(): Promise<string> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const block = /<!-- This block is run by the tests as well\. -->\s*```ts\n([\s\S]*?)```/.exec(
    readme,
  )?.[1];
  if (block === undefined) throw new Error('the README has no block to run');
  return block
    .replace("'mysql-boomerang/monitor'", JSON.stringify(join(ROOT, 'src/monitor/index')))
    .replace("'mysql-boomerang'", JSON.stringify(join(ROOT, 'src/index')));
}

onEachServer((bench) => {
  it('the README’s monitor runs as it stands, and ends by itself', async () => {
    const { host, port, user, password } = bench.server;
    const folder = await mkdtemp(join(ROOT, 'test', '.readme-'));
    try {
      const file = join(folder, 'example.ts');
      await writeFile(file, await example());
      const child = spawn(process.execPath, ['--import', 'tsx', file], {
        cwd: ROOT,
        env: {
          ...process.env,
          DATABASE_URL: `mysql://${user}:${password}@${host}:${port}/${bench.schema}`,
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
      expect(code).toBe(0);
      expect(said).toContain('db_client_connection_max 10');
      expect(said).toMatch(/^200 and the dashboard is at http:\/\/127\.0\.0\.1:\d+$/m);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);
});
