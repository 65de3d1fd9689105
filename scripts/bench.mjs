/** `npm run bench`: installs what is missing, then measures. */
import { join } from 'node:path';
import { command, ensureInstalled, root, run } from './bootstrap.mjs';

const bench = join(root, 'scripts', 'bench', 'main.ts');

await command(async (args) => {
  await ensureInstalled();
  // measurements of memory collect the garbage first
  const options = ['--expose-gc', '--import', 'tsx'];
  const { code } = await run(process.execPath, [...options, bench, ...args]);
  return code;
});
