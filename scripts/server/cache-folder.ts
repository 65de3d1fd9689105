import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Work folders of processes that were killed half-way are removed after this long. */
const STALE_MS = 60 * 60 * 1000;
const PARTIAL = '.partial-';

/** The project's folder in the user's cache folder. */
export function cacheFolder(env: Readonly<NodeJS.ProcessEnv>): string {
  const given = env['XDG_CACHE_HOME'] ?? '';
  // the XDG rules: a relative path is ignored
  const base = isAbsolute(given) ? given : join(env['HOME'] ?? homedir(), '.cache');
  return join(base, 'mysql-boomerang');
}

/** Makes the cache folder and clears away what killed processes left in it. */
export function openCache(env: Readonly<NodeJS.ProcessEnv>): string {
  const folder = cacheFolder(env);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(PARTIAL)) continue;
    const file = join(folder, name);
    const age = Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > STALE_MS) rmSync(file, { recursive: true, force: true });
  }
  return folder;
}

/** Prefix for `mkdtemp` of a folder that becomes an entry by being renamed, complete or not at all. */
export function partialPrefix(cache: string): string {
  return join(cache, PARTIAL);
}
