import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export const root = resolve(__dirname, '../..');

/** Installed beside the package, by links to our own copies: packing and using it needs no network. */
const installed = [
  ...[
    'mysql2',
    'named-placeholders',
    'pino',
    'reflect-metadata',
    'lru-cache',
    'cron-parser',
    'prom-client',
    '@types/node',
  ],
  // The optional ones, for the entries that need them.
  ...['keyv', 'express-session'],
];

/** What a program ended with; a non-zero exit is a result to judge here, not an exception. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(program: string, args: readonly string[], cwd: string): Promise<Outcome> {
  // coloured output, and Jest's own settings, are none of the child's business
  const {
    FORCE_COLOR: _colour,
    JEST_WORKER_ID: _worker,
    NODE_OPTIONS: _options,
    ...env
  } = process.env;
  const settings = { cwd, env: { ...env, NO_COLOR: '1' }, maxBuffer: 64 * 1024 * 1024 };
  try {
    return { code: 0, ...(await execute(program, args, settings)) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as Partial<Outcome>;
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

/** Runs a Node program and returns its standard output; says all the program said when it fails. */
export async function runNode(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, args, cwd);
  if (code === 0) return stdout;
  throw new Error(`node ${args.join(' ')} exited with ${code}\n${stdout}\n${stderr}`);
}

/** The entry script of a development tool. */
export function tool(path: string): string {
  return join(root, 'node_modules', path);
}

/** A project in a temporary folder that has the packed package installed. */
export interface PackedProject {
  readonly folder: string;
  readonly tarball: string;
  readonly package: string;
  remove(): void;
}

/** npm as it was started, or as found on the PATH. */
async function pack(destination: string): Promise<string> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination];
  const npm = process.env['npm_execpath'];
  const { code, stdout, stderr } =
    npm !== undefined && /npm-cli\.c?js$/.test(npm)
      ? await run(process.execPath, [npm, ...args], root)
      : await run('npm', args, root);
  if (code !== 0) throw new Error(`npm pack exited with ${code}\n${stderr}`);
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return join(destination, filename);
}

export async function packedProject(): Promise<PackedProject> {
  if (!existsSync(join(root, 'dist/index.cjs'))) {
    throw new Error('dist/index.cjs is missing: run `npm run build` first');
  }
  const folder = mkdtempSync(join(tmpdir(), 'boomerang-package-'));
  const tarball = await pack(folder);
  const home = join(folder, 'node_modules/mysql-boomerang');
  mkdirSync(home, { recursive: true });
  const { code, stderr } = await run('tar', ['-xzf', tarball, '--strip-components=1'], home);
  if (code !== 0) throw new Error(`the tarball does not unpack\n${stderr}`);
  for (const name of installed) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link, 'junction');
  }
  cpSync(join(__dirname, 'consumer'), folder, { recursive: true });
  return {
    folder,
    tarball,
    package: home,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
