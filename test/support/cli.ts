import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { run } from '../../src/cli/program';
import type { TestServer } from './servers';

const ROOT = join(__dirname, '..', '..');
const execute = promisify(execFile);

/** What a run of the command line came to. */
export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What was written with `--json`. */
  readonly json: any;
}

interface Where {
  /** Of DATABASE_URL. */
  readonly url?: string;
}

/** The same in this process: sooner done where nothing of the process itself is at stake. */
export async function call(args: readonly string[], where: Where = {}): Promise<CliRun> {
  const said = { out: '', error: '' };
  const terminal = {
    width: 100,
    isLive: false,
    out: (text: string) => void (said.out += text),
    error: (text: string) => void (said.error += text),
    paint: (text: string) => text,
  };
  const env = { DATABASE_URL: where.url };
  const interruption = (): AbortSignal => AbortSignal.abort();
  const code = await run(args, { terminal, env, interruption });
  const json: unknown = args.includes('--json') ? JSON.parse(said.out) : undefined;
  return { code, stdout: said.out, stderr: said.error, json };
}

/** The command line as a program of its own: built from the sources, once per test file. */
export class Cli {
  #folder = '';

  constructor() {
    beforeAll(() => this.#build());
    afterAll(() => rmSync(this.#folder, { recursive: true, force: true }));
  }

  get #program(): string {
    return join(this.#folder, 'dist', 'cli.cjs');
  }

  async run(args: readonly string[], where: Where = {}): Promise<CliRun> {
    const outcome = await execute(process.execPath, [this.#program, ...args], {
      env: environment(where),
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: unknown) => error as { code: number; stdout: string; stderr: string },
    );
    const { code, stdout, stderr } = outcome;
    const json: unknown = args.includes('--json') ? JSON.parse(stdout) : undefined;
    return { code, stdout, stderr, json };
  }

  /** One that goes on. */
  start(args: readonly string[], where: Where = {}): ChildProcess {
    return spawn(process.execPath, [this.#program, ...args], {
      env: environment(where),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  /** Laid out as the package is. */
  async #build(): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'boomerang-cli-'));
    copyFileSync(join(ROOT, 'package.json'), join(this.#folder, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(this.#folder, 'node_modules'), 'junction');
    const external = [
      'mysql2',
      'pino',
      'named-placeholders',
      'reflect-metadata',
      'cron-parser',
      'lru-cache',
    ];
    const options = [
      '--bundle',
      '--platform=node',
      '--format=cjs',
      '--target=node20',
      '--log-level=error',
    ];
    await execute(join(ROOT, 'node_modules', '.bin', 'esbuild'), [
      join(ROOT, 'src', 'cli', 'main.ts'),
      ...options,
      ...external.map((name) => `--external:${name}`),
      `--outfile=${this.#program}`,
    ]);
  }
}

function environment({ url }: Where): NodeJS.ProcessEnv {
  const { DATABASE_URL: _url, FORCE_COLOR: _color, ...env } = process.env;
  return { ...env, ...(url === undefined ? {} : { DATABASE_URL: url }) };
}

/** As an operator would write it. */
export function urlOf(
  server: Pick<TestServer, 'host' | 'port' | 'user' | 'password'>,
  schema: string,
  options = '',
): string {
  const { host, port, user, password } = server;
  return `mysql://${user}:${encodeURIComponent(password)}@${host}:${port}/${schema}${options}`;
}
