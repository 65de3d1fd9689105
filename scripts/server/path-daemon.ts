import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { type DaemonBinary, identify } from './daemon-binary';
import { scriptPrefix } from './data-folder';

/** Looked for in this order, each in all folders. */
const DAEMON_NAMES = ['mariadbd', 'mysqld'] as const;

/** Folders of PATH; beside a `bin` also its `sbin`, where the daemons are and most users' PATH is not. */
function pathFolders(env: Readonly<NodeJS.ProcessEnv>): string[] {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const siblings = folders
    .filter((folder) => basename(folder) === 'bin')
    .map((folder) => join(dirname(folder), 'sbin'));
  return [...new Set([...folders, ...siblings])];
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Full path of the first program of that name on PATH. */
export function findProgram(name: string, env: Readonly<NodeJS.ProcessEnv>): string | undefined {
  return pathFolders(env)
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** The first `mariadbd`, else `mysqld`, on PATH; undefined when there is neither. Rejects when it does not run. */
export async function findPathDaemon(
  env: Readonly<NodeJS.ProcessEnv>,
): Promise<DaemonBinary | undefined> {
  const command = DAEMON_NAMES.map((name) => findProgram(name, env)).find(
    (file) => file !== undefined,
  );
  if (command === undefined) return undefined;
  const { flavour, version } = await identify(command);
  // .../sbin/mariadbd has its SQL in .../share/mariadb or .../share/mysql, an unpacked tarball in .../share
  const prefix = dirname(dirname(realpathSync(command)));
  const scripts = ['share/mariadb', 'share/mysql', 'share']
    .map((folder) => join(prefix, folder))
    .find((folder) => scriptPrefix(folder) !== undefined);
  return {
    flavour,
    version,
    origin: `a private ${flavour} ${version} from ${command}, found on PATH`,
    command,
    leading: [],
    args: [],
    ...(scripts === undefined ? {} : { scripts }),
  };
}
