/** `npm run demo`: installs what is missing, then runs the demo itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError, command, ensureInstalled, root, run } from './bootstrap.mjs';

const demo = join(root, 'scripts', 'demo', 'main.ts');

await command(async (args) => {
  if (!existsSync(demo)) throw new BootstrapError('scripts/demo/main.ts is missing.');
  await ensureInstalled();
  const { code } = await run(process.execPath, ['--import', 'tsx', demo, ...args]);
  return code;
});
