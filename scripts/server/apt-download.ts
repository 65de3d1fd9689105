import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** An apt that knows only its own folder: its own sources, lists, cache, and an empty list of what is installed. */
function aptConfig(folder: string): string {
  const settings = {
    'Dir::Etc::SourceList': join(folder, 'apt.sources'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State': join(folder, 'state'),
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Install-Recommends': 'false',
    // root's apt would hand the download to a user who cannot enter this folder
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  return [
    // the machine's hooks are about the machine's own package state
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg::Pre-Install-Pkgs;',
    '#clear DPkg::Post-Invoke;',
    ...Object.entries(settings).map(([name, value]) => `${name} "${value}";`),
    '',
  ].join('\n');
}

/** Runs a program to its end; rejects with the last lines it wrote when it fails. */
export function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<NodeJS.ProcessEnv>,
  onStatus?: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    let words = '';
    child.stderr?.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-2000)));
    (child.stdio[3] as Readable).on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n')) onStatus?.(line);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} failed: ${words.trim().split('\n').slice(-3).join(' ')}`));
    });
  });
}

/**
 * Downloads packages and all they need into `folder` and returns the files. Nothing on the machine changes, and
 * neither root nor a configured machine is needed, only apt-get and the network.
 */
export async function downloadPackages(
  folder: string,
  sources: string,
  packages: readonly string[],
  env: Readonly<NodeJS.ProcessEnv>,
  onFraction: (fraction: number) => void,
): Promise<string[]> {
  const archives = join(folder, 'cache', 'archives');
  for (const parent of [archives, join(folder, 'lists')])
    mkdirSync(join(parent, 'partial'), { recursive: true });
  mkdirSync(join(folder, 'state'));
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'apt.sources'), sources);
  const config = join(folder, 'apt.conf');
  writeFileSync(config, aptConfig(folder));

  const apt = (...args: string[]): Promise<void> =>
    runProgram('apt-get', ['-c', config, '-q', '-o', 'APT::Status-Fd=3', ...args], env, (line) => {
      const percent = /^dlstatus:[^:]*:([\d.]+):/.exec(line)?.[1];
      if (percent !== undefined) onFraction(Number(percent) / 100);
    });
  await apt('-o', 'APT::Update::Error-Mode=any', 'update');
  // libc6 is named because the programs are run by its loader
  await apt('install', '-y', '--download-only', ...packages, 'libc6');
  return readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(archives, name));
}
