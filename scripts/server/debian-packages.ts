import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { downloadPackages, runProgram } from './apt-download';
import { readAptSources, readRelease, type Release, sourcesFor } from './apt-sources';
import { openCache, partialPrefix } from './cache-folder';
import { findProgram } from './path-daemon';
import type { ServerContext } from './server-handle';
import { UnpackedFolder } from './unpacked-folder';

/** Packages of a distribution's release; without a release, of the machine's own. */
export interface PackageSet {
  readonly packages: readonly string[];
  /** Release of Debian; another than the machine's own works as well. */
  readonly suite?: string;
}

/** Downloads under way in this process; a second caller waits for the first one's. */
const underWay = new Map<string, Promise<string>>();

/**
 * Packages and all they need, unpacked into the user's cache folder, where the next run finds it. Nothing is installed.
 * Rejects with the reason when this machine cannot do it.
 */
export async function unpackPackages(
  { packages, suite }: PackageSet,
  context: Pick<ServerContext, 'env' | 'progress'>,
): Promise<UnpackedFolder> {
  const release = aptRelease(context.env);
  if (suite !== undefined && release.id !== 'debian')
    throw new Error(
      `the packages of Debian ${suite} are used on Debian only, and this is ${release.id}`,
    );
  const wanted = suite ?? release.codename;
  const [name = ''] = packages;
  const entry = join(openCache(context.env), `${release.id}-${wanted}-${process.arch}-${name}`);
  if (!existsSync(entry)) {
    let work = underWay.get(entry);
    if (work === undefined) {
      work = unpack(entry, wanted, release, packages, context).finally(() =>
        underWay.delete(entry),
      );
      underWay.set(entry, work);
    }
    await work;
  }
  return new UnpackedFolder(entry, `${release.id} ${wanted}`);
}

function aptRelease(env: Readonly<NodeJS.ProcessEnv>): Release {
  const release = readRelease();
  if (release === undefined || !['debian', 'ubuntu'].includes(release.id))
    throw new Error('packages are unpacked on Debian and Ubuntu only');
  for (const program of ['apt-get', 'dpkg'])
    if (findProgram(program, env) === undefined) throw new Error(`${program} is not on PATH`);
  return release;
}

/** Downloads and unpacks aside, then renames: an entry of the cache is complete or absent. */
async function unpack(
  entry: string,
  suite: string,
  release: Release,
  packages: readonly string[],
  { env, progress }: Pick<ServerContext, 'env' | 'progress'>,
): Promise<string> {
  const sources = sourcesFor(suite, release.codename, readAptSources());
  if (sources === undefined)
    throw new Error(`the apt sources of this machine name no mirror of ${release.codename}`);
  const detail = `${packages.join(' ')} of ${release.id} ${suite}`;
  progress({ phase: 'download', detail });
  const folder = mkdtempSync(partialPrefix(join(entry, '..')));
  try {
    const files = await downloadPackages(folder, sources, packages, env, (fraction) =>
      progress({ phase: 'download', detail, fraction }),
    );
    const root = join(folder, 'root');
    mkdirSync(root);
    for (const [index, file] of files.entries()) {
      progress({ phase: 'unpack', detail, fraction: index / files.length });
      await runProgram('dpkg', ['-x', file, root], env);
    }
    publish(root, entry);
    return entry;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Another process may have been quicker; its entry is as good as ours. */
function publish(root: string, entry: string): void {
  try {
    renameSync(root, entry);
  } catch (error) {
    if (!existsSync(entry)) throw error;
  }
}
