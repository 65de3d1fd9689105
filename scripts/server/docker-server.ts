import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, accountUrl, logIn, newAccount } from './account';
import { freePort } from './free-port';
import { awaitGreeting } from './handshake';
import { Keeper } from './keeper';
import { findProgram } from './path-daemon';
import type { Flavour, ServerContext, ServerHandle } from './server-handle';
import { ServerStartError } from './server-start-error';

const run = promisify(execFile);

const HOST = '127.0.0.1';
const COMPOSE_FILE = join(__dirname, '../../docker/compose.yaml');
/** An engine that is there answers at once; a socket nobody serves may hang. */
const ENGINE_LIMIT_MS = 30_000;
/** The image may have to be downloaded. */
const UP_LIMIT_MS = 600_000;
const START_LIMIT_MS = 120_000;

/** Finds how Compose is called here, as a plugin or by itself; rejects when no engine answers. */
async function findCompose(env: Readonly<NodeJS.ProcessEnv>): Promise<string[]> {
  const docker = findProgram('docker', env);
  if (docker === undefined) throw new Error('docker is not on PATH');
  const ask = (...args: string[]): Promise<unknown> =>
    run(docker, args, { env: { ...env }, timeout: ENGINE_LIMIT_MS });
  await ask('version', '--format', '{{.Server.Version}}').catch(() => {
    throw new Error('no docker engine answers');
  });
  const isPlugin = await ask('compose', 'version').then(
    () => true,
    () => false,
  );
  if (isPlugin) return [docker, 'compose'];
  const standalone = findProgram('docker-compose', env);
  if (standalone === undefined) throw new Error('docker has no compose plugin');
  return [standalone];
}

/** A service of `docker/compose.yaml` in a project of its own; a keeper takes it down when this process ends. */
export class DockerServer implements ServerHandle {
  readonly host = HOST;
  readonly restartable = true;
  readonly pid = undefined;
  readonly origin: string;
  readonly port: number;
  readonly settings: readonly string[];
  readonly #account: Account;
  readonly #compose: (...args: string[]) => Promise<unknown>;
  readonly #keeper: Keeper;
  #version = '';
  #stopping: Promise<void> | undefined;

  private constructor(
    readonly kind: string,
    readonly flavour: Flavour,
    parts: Pick<DockerServer, 'port' | 'settings'> & {
      account: Account;
      compose: (...args: string[]) => Promise<unknown>;
      keeper: Keeper;
    },
  ) {
    this.port = parts.port;
    this.settings = parts.settings;
    this.#account = parts.account;
    this.#compose = parts.compose;
    this.#keeper = parts.keeper;
    this.origin = `the service '${flavour}' of docker/compose.yaml`;
  }

  /** Brings the service of that name up; when that fails nothing is left behind. */
  static async launch(
    kind: string,
    service: Flavour,
    { env, settings, progress }: ServerContext,
  ): Promise<DockerServer> {
    const [command = '', ...leading] = await findCompose(env);
    const project = `boomerang-${randomBytes(4).toString('hex')}`;
    const words = [...leading, '-p', project, '-f', COMPOSE_FILE];
    const port = await freePort();
    const account = newAccount();
    const composeEnv = {
      ...env,
      BOOMERANG_PORT: String(port),
      BOOMERANG_PASSWORD: account.password,
      BOOMERANG_SETTINGS: settings.join(' '),
    };
    const compose = (...args: string[]): Promise<unknown> =>
      run(command, [...words, ...args], { env: composeEnv, timeout: UP_LIMIT_MS });
    const keeper = await Keeper.start({ command, args: [...words, 'down', '-v'] });
    const server = new DockerServer(kind, service, { port, settings, account, compose, keeper });
    try {
      progress({ phase: 'start', detail: `docker compose up ${service}` });
      await server.start();
      server.#version = await logIn(server.url);
      progress({ phase: 'ready', detail: `${service} answers on ${HOST}:${port}` });
      return server;
    } catch (error) {
      await keeper.close().catch(() => undefined);
      throw error;
    }
  }

  get version(): string {
    return this.#version;
  }

  get user(): string {
    return this.#account.user;
  }

  get password(): string {
    return this.#account.password;
  }

  get database(): string {
    return this.#account.database;
  }

  get url(): string {
    return accountUrl(this.#account, HOST, this.port);
  }

  async shutdown(): Promise<void> {
    await this.#compose('stop', this.flavour);
  }

  async kill(): Promise<void> {
    await this.#compose('kill', '-s', 'SIGKILL', this.flavour);
    // `kill` may return before the container is gone; `stop` waits for that
    await this.#compose('stop', this.flavour);
  }

  async start(): Promise<void> {
    await this.#compose('up', '-d', this.flavour);
    const outcome = await awaitGreeting(HOST, this.port, START_LIMIT_MS, () => true);
    if (outcome !== 'greeted')
      throw new ServerStartError(
        `the container of ${this.flavour} did not answer in ${START_LIMIT_MS / 1000} s`,
        '',
      );
  }

  async restart(): Promise<void> {
    await this.shutdown();
    await this.start();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#keeper.close();
    return this.#stopping;
  }
}
