import { join } from 'node:path';
import { readRelease } from '../../scripts/server/apt-sources';
import { unpackPackages } from '../../scripts/server/debian-packages';
import { findProgram } from '../../scripts/server/path-daemon';

/** A program of another project's that a suite needs, and where it may be had. */
export interface ProgramSource {
  /** Of the environment: the path of one to take. */
  readonly variable: string;
  /** Under which it may be on the PATH. */
  readonly names: readonly string[];
  /** Debian's, which have it too; the rest they need comes along. */
  readonly packages: readonly string[];
  /** In the packages. */
  readonly file: string;
  /** Beside the packages' libraries: where libraries are that only other libraries load. */
  readonly libraries?: readonly string[];
}

/** How to start it. */
export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

function installed({ variable, names }: ProgramSource): string | undefined {
  const { env } = process;
  return env[variable] ?? names.map((name) => findProgram(name, env)).find((file) => file);
}

/** Whether it can be had here; says so when not, and the tests that need it are then skipped. */
export function isToBeHad(source: ProgramSource): boolean {
  if (installed(source) !== undefined || readRelease()?.id === 'debian') return true;
  process.stderr.write(
    `\nskipped: no ${source.names.join(' or ')} on the PATH, none named by ${source.variable}, ` +
      'and this is not Debian, whose packages could be unpacked\n',
  );
  return false;
}

/** The one that is installed, else one unpacked from packages of the machine's own release. */
export async function provideProgram(source: ProgramSource): Promise<Program> {
  const command = installed(source);
  if (command !== undefined) return { command, env: process.env };
  const { packages, file, libraries = [] } = source;
  const unpacked = await unpackPackages({ packages }, { env: process.env, progress: () => {} });
  return {
    command: unpacked.file(file),
    // Not by the loader in the packages: a browser starts itself again, by its own file.
    env: {
      ...process.env,
      LD_LIBRARY_PATH: unpacked.libraries
        .flatMap((folder) => [folder, ...libraries.map((name) => join(folder, name))])
        .join(':'),
      FONTCONFIG_SYSROOT: unpacked.root,
    },
  };
}
