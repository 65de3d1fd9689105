import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { downloadPackages, runProgram } from './apt-download';
import { readAptSources, readRelease, type Release, sourcesFor } from './apt-sources';
import { openCache, partialPrefix } from './cache-folder';
import { type DaemonBinary, identify } from './daemon-binary';
import { scriptPrefix } from './data-folder';
import { findProgram } from './path-daemon';
import type { ServerContext } from './server-handle';

/** Packages of a distribution's release; without a release, of the machine's own. */
export interface PackageSet {
  readonly packages: readonly string[];
  /** Release of Debian; another than the machine's own works as well. */
  readonly suite?: string;
}

/** Downloads under way in this process; a second caller waits for the first one's. */
const underWay = new Map<string, Promise<string>>();

/**
 * A daemon unpacked from packages into the user's cache folder, where the next run finds it. Nothing is installed.
 * Rejects with the reason when this machine cannot do it.
 */
export async function unpackedDaemon(
  { packages, suite }: PackageSet,
  context: ServerContext,
): Promise<DaemonBinary> {
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
  return unpackedBinary(entry, `${release.id} ${wanted}`);
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
  { env, progress }: ServerContext,
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

/** How to run what was unpacked: by its own loader, with its own libraries, whatever the machine has. */
async function unpackedBinary(root: string, release: string): Promise<DaemonBinary> {
  const libraries = ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .filter((folder) => /-linux-gnu\w*$/.test(folder) && statSync(folder).isDirectory());
  const loader = libraries
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .find((file) => /\/ld-linux[-\w]*\.so\.\d+$/.test(file));
  const daemon = ['mariadbd', 'mysqld']
    .map((name) => join(root, 'usr/sbin', name))
    .find((file) => existsSync(file));
  if (loader === undefined || daemon === undefined)
    throw new Error(`the packages of ${release} hold no server that can be run from a folder`);
  const leading = ['--library-path', libraries.join(':'), daemon];
  const { flavour, version } = await identify(loader, leading);
  const share = ['mariadb', 'mysql']
    .map((name) => join(root, 'usr/share', name))
    .find((folder) => existsSync(join(folder, 'english')));
  return {
    flavour,
    version,
    origin: `a private ${flavour} ${version}, unpacked from the packages of ${release}`,
    command: loader,
    leading,
    args: [
      `--basedir=${join(root, 'usr')}`,
      `--plugin-dir=${join(root, 'usr/lib/mysql/plugin')}`,
      ...(share === undefined ? [] : [`--lc-messages-dir=${share}`]),
    ],
    ...(share !== undefined && scriptPrefix(share) !== undefined ? { scripts: share } : {}),
  };
}
