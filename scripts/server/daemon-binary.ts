import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Flavour } from './server-handle';

const run = promisify(execFile);

/** A `mariadbd` or `mysqld` that can be run, and how. */
export interface DaemonBinary {
  readonly flavour: Flavour;
  /** Three numbers, such as `10.11.19`. */
  readonly version: string;
  /** One sentence saying where it is from. */
  readonly origin: string;
  readonly command: string;
  /** What stands before the daemon's own arguments: the loader's, for an unpacked one. */
  readonly leading: readonly string[];
  /** Where it finds its own files, when they are not where it was compiled to look. */
  readonly args: readonly string[];
  /** Folder of the SQL that makes MariaDB's system tables; MySQL carries it inside. */
  readonly scripts?: string;
}

/** Reads `--version`. The name of a file tells nothing: `mysqld` is often a link to `mariadbd`. */
export async function identify(
  command: string,
  leading: readonly string[] = [],
): Promise<Pick<DaemonBinary, 'flavour' | 'version'>> {
  const { stdout } = await run(command, [...leading, '--no-defaults', '--version'], {
    timeout: 60_000,
  });
  const version = /\bVer (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version === undefined)
    throw new Error(`${command} --version says nothing that looks like one`);
  return { flavour: /mariadb/i.test(stdout) ? 'mariadb' : 'mysql', version };
}

/** Whether `version` belongs to a release series: `10.11.19` to `10.11`. */
export function isOfSeries(version: string, series: string): boolean {
  return version.startsWith(`${series}.`);
}
