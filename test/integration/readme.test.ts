import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onEachServer } from '../support/servers';

const ROOT = join(__dirname, '..', '..');

/* Each block is a program that is compiled first. */
jest.setTimeout(120_000);

/** The block of the README that stands under a mark. */
async function example(mark: string): Promise<string> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const block = readme.split(`<!-- ${mark} -->`)[1]?.match(/^\s*```ts\n([\s\S]*?)```/)?.[1];
  if (block === undefined) throw new Error('the README has no block to run');
  return block
    .replace("'mysql-boomerang'", JSON.stringify(join(ROOT, 'src', 'index')))
    .replace(/'mysql-boomerang\/(\w+)'/g, (_, name: string) =>
      JSON.stringify(join(ROOT, 'src', name === 'monitor' ? '' : 'adapters', name, 'index')),
    );
}

onEachServer((bench) => {
  /** What the block says when it is run. */
  async function run(mark: string): Promise<string> {
    const { host, port, user, password } = bench.server;
    // Inside the project, where tsx finds the compiler's options.
    const folder = await mkdtemp(join(ROOT, 'test', '.readme-'));
    try {
      const file = join(folder, 'example.ts');
      await writeFile(file, await example(mark));
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
      return said;
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it('the README’s thirty lines run as they stand', async () => {
    const said = await run('This block is run by the tests.');
    expect(said).toContain('Ann has not enough');
    expect(said).toContain("{ name: 'Ann', balance: 70 }, { name: 'Bob', balance: 30 } ] 0");
  });

  it('the README’s lines with Kysely run as they stand', async () => {
    const said = await run('This block is run by the tests too.');
    expect(said).toBe('only the second is undone\n[ { id: 1, total: 6 } ] 0\n');
  });

  it('the README’s lines on the cache run as they stand', async () => {
    const said = await run('The tests run this block: the cache.');
    expect(said.split('\n')).toEqual([
      'from the table',
      "{ id: 1, name: 'Ann' } { id: 1, name: 'Ann' }",
      'from the table',
      "{ id: 1, name: 'Bea' }",
      '1',
      'undefined',
      '',
    ]);
  });

  it('the README’s lines with Keyv and express-session run as they stand', async () => {
    const said = await run('The tests run this block: the adapters.');
    expect(said).toBe("{ text: 'hello' }\n1 2\n");
  });

  it('the README’s monitor runs as it stands, and ends by itself', async () => {
    const said = await run('This block is run by the tests as well.');
    expect(said).toContain('db_client_connection_max 10');
    expect(said).toMatch(/^200 and the dashboard is at http:\/\/127\.0\.0\.1:\d+$/m);
  });
});
