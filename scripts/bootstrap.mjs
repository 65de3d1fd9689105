/**
 * What `npm test` and `npm run demo` share: they start on a fresh clone, before anything is installed,
 * so this file and the two commands use nothing but Node's own modules.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json, without a separator at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

const oldestNode = 20;

/** Words npm uses when it did not get through to the registry. */
const unreachable =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/** A failure whose message is all a reader needs: the commands print it without a stack. */
export class BootstrapError extends Error {}

/**
 * Runs a program in the repository and resolves to its exit code (128 + signal number is not
 * imitated: a killed program counts as 1). With `quiet` its output is kept and returned instead of shown.
 */
export function run(command, args, { quiet = false, env = process.env, shell = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env,
      shell,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    });
    let output = '';
    child.stdout?.on('data', (chunk) => (output += chunk));
    child.stderr?.on('data', (chunk) => (output += chunk));
    // the terminal sends Ctrl-C to the child as well: wait for it to clean up rather than leave it behind
    const forward = (signal) => child.kill(signal);
    const ignore = () => undefined;
    process.on('SIGTERM', forward).on('SIGINT', ignore);
    const settle = () => process.off('SIGTERM', forward).off('SIGINT', ignore);
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    child.once('close', (code) => {
      settle();
      resolve({ code: code ?? 1, output });
    });
  });
}

/** Runs a Node program, given by its path inside of the repository. */
export function runNode(file, args, options) {
  return run(process.execPath, [join(root, file), ...args], options);
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages ?? {};
  } catch {
    return undefined;
  }
}

/**
 * Whether node_modules holds what the lock file names. npm keeps its own account of what it installed;
 * comparing the two, rather than their dates, is right after a checkout too. What is optional in the
 * lock file may be missing: it is mostly other platforms' binaries.
 */
export function isInstalled() {
  const wanted = readPackages('package-lock.json');
  const present = readPackages('node_modules/.package-lock.json');
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true;
    const found = present[path];
    return found === undefined
      ? optional === true || devOptional === true
      : found.version === version;
  });
}

/** npm as it was started, or else as found on the PATH (a batch file on Windows, which wants a shell). */
function npm(args) {
  const started = process.env.npm_execpath;
  if (started !== undefined && /npm-cli\.c?js$/.test(started)) {
    return run(process.execPath, [started, ...args], { quiet: true });
  }
  return run('npm', args, { quiet: true, shell: process.platform === 'win32' });
}

function assertNode() {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major >= oldestNode) return;
  throw new BootstrapError(`Node ${oldestNode} or later is needed, this is ${process.version}.`);
}

/**
 * Installs the packages of the lock file unless they are there already. Needs the network (or npm's
 * cache) only then.
 *
 * @throws BootstrapError when they could not be installed
 */
export async function ensureInstalled() {
  assertNode();
  if (isInstalled()) return;
  console.log('installing packages (npm ci) …');
  const start = Date.now();
  // No install scripts: none of our packages needs one, npm 11 blocks them anyway, and so every npm does
  // the same. dev packages are wanted under NODE_ENV=production too.
  const options = [
    '--include=dev',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
  ];
  const { code, output } = await npm(['ci', ...options]).catch((error) => {
    throw new BootstrapError(`npm could not be started: ${error.message}`);
  });
  if (code === 0) {
    console.log(`installed in ${((Date.now() - start) / 1000).toFixed(1)} s`);
    return;
  }
  console.error(output.trim());
  throw new BootstrapError(
    unreachable.test(output)
      ? 'The packages are not installed and the npm registry cannot be reached. Run this once with a ' +
          'network connection (or with a filled npm cache); later runs work without.'
      : `npm ci failed with exit code ${code}; its output is above.`,
  );
}

/** Runs a command's main function: prints what it throws and sets the exit code. */
export async function command(main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof BootstrapError ? error.message : error);
    process.exitCode = 1;
  }
}
