import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type DaemonBinary, identify } from './daemon-binary';
import { scriptPrefix } from './data-folder';

/** Where the packages of a distribution put programs. */
const PROGRAM_FOLDERS = ['usr/bin', 'usr/sbin', 'bin', 'sbin'] as const;

/** Packages unpacked into a folder. Their programs are run by their own loader, with their own libraries, whatever the machine has. */
export class UnpackedFolder {
  /** The loader of the folder's own libc. */
  readonly loader: string;
  /** What the loader gets before the file of a program. */
  readonly loaderArgs: readonly string[];
  /** Folders of the libraries. */
  readonly libraries: readonly string[];

  constructor(
    readonly root: string,
    /** The release the packages are of, such as `debian bookworm`. */
    readonly release: string,
  ) {
    const libraries = ['usr/lib', 'lib']
      .map((folder) => join(root, folder))
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
      .filter((folder) => /-linux-gnu\w*$/.test(folder) && statSync(folder).isDirectory());
    const loader = libraries
      .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
      .find((file) => /\/ld-linux[-\w]*\.so\.\d+$/.test(file));
    if (loader === undefined)
      throw new Error(`the packages of ${release} hold no loader to run their programs with`);
    this.loader = loader;
    this.libraries = libraries;
    this.loaderArgs = ['--library-path', libraries.join(':')];
  }

  /** A file by its path in the packages; throws when they do not hold it. */
  file(path: string): string {
    const file = join(this.root, path);
    if (!existsSync(file)) throw new Error(`the packages of ${this.release} hold no ${path}`);
    return file;
  }

  /** File of a program or script; throws when the packages hold none of that name. */
  program(name: string): string {
    const file = PROGRAM_FOLDERS.map((folder) => join(this.root, folder, name)).find((candidate) =>
      existsSync(candidate),
    );
    if (file === undefined) throw new Error(`the packages of ${this.release} hold no ${name}`);
    return file;
  }

  /** The database server in the folder. */
  async daemon(): Promise<DaemonBinary> {
    const daemon = ['mariadbd', 'mysqld']
      .map((name) => join(this.root, 'usr/sbin', name))
      .find((file) => existsSync(file));
    if (daemon === undefined)
      throw new Error(
        `the packages of ${this.release} hold no server that can be run from a folder`,
      );
    const leading = [...this.loaderArgs, daemon];
    const { flavour, version } = await identify(this.loader, leading);
    const share = ['mariadb', 'mysql']
      .map((name) => join(this.root, 'usr/share', name))
      .find((folder) => existsSync(join(folder, 'english')));
    return {
      flavour,
      version,
      origin: `a private ${flavour} ${version}, unpacked from the packages of ${this.release}`,
      command: this.loader,
      leading,
      args: [
        `--basedir=${join(this.root, 'usr')}`,
        `--plugin-dir=${join(this.root, 'usr/lib/mysql/plugin')}`,
        ...(share === undefined ? [] : [`--lc-messages-dir=${share}`]),
      ],
      ...(share !== undefined && scriptPrefix(share) !== undefined ? { scripts: share } : {}),
    };
  }
}
