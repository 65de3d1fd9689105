import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import type * as Mysql2Face from '../../src/adapters/mysql2';
import type * as Library from '../../src/index';
import type * as Monitor from '../../src/monitor/index';
import type * as Inside from './inside';

const root = join(__dirname, '../..');
const require = createRequire(__filename);
const bundle = join(root, 'dist/index.cjs');
/** Below node_modules, so that it finds mysql2 and nothing of it is ever published. */
const insideBundle = join(root, 'node_modules/.cache/mysql-boomerang/inside.cjs');

function newest(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(
      (name) => statSync(join(folder, name)).mtimeMs,
    ),
  );
}

function isStale(): boolean {
  if (!existsSync(bundle)) return true;
  const sources = Math.max(newest(join(root, 'src')), newest(join(root, 'scripts/build')));
  const script = statSync(join(root, 'scripts/build.mjs')).mtimeMs;
  return Math.max(sources, script) > statSync(bundle).mtimeMs;
}

/**
 * The package as users get it, built first if src/ is newer: run by tsx, every function would be
 * wrapped once more.
 */
export function loadLibrary(): typeof Library {
  if (isStale()) {
    execFileSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
  }
  return require(bundle) as typeof Library;
}

/** The subpath of that name, over the same copy of the library. */
export function loadMysql2Face(): typeof Mysql2Face {
  return require(join(root, 'dist/mysql2.cjs')) as typeof Mysql2Face;
}

/** The monitor of the same package: it shares the library's classes. */
export function loadMonitor(): typeof Monitor {
  loadLibrary();
  return require(join(root, 'dist/monitor.cjs')) as typeof Monitor;
}

/** Parts that the package does not export, bundled in the same way. A copy of their own: they share no state. */
export async function loadInside(): Promise<typeof Inside> {
  await build({
    entryPoints: [join(__dirname, 'inside.ts')],
    outfile: insideBundle,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external: ['mysql2', 'pino', 'reflect-metadata'],
    logLevel: 'warning',
  });
  return require(insideBundle) as typeof Inside;
}
