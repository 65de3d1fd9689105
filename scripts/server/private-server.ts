import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, accountSql, accountUrl, logIn, newAccount } from './account';
import type { DaemonBinary } from './daemon-binary';
import { bootstrapCommand } from './data-folder';
import { freePort } from './free-port';
import { awaitGreeting } from './handshake';
import { Keeper } from './keeper';
import type { Membership } from './membership';
import type { Flavour, ServerContext, ServerHandle } from './server-handle';
import { ServerStartError } from './server-start-error';
import { reasonOf } from './server-unavailable-error';

const HOST = '127.0.0.1';
const SETTINGS_FILE = join(__dirname, '../../docker/server.cnf');
/** How long a daemon may take from its start to its first greeting. */
const START_LIMIT_MS = 180_000;
const PORT_ATTEMPTS = 5;
const LOG_TAIL_LINES = 15;

/** A server of our own on 127.0.0.1, in a folder of its own; a keeper ends it when this process ends. */
export class PrivateServer implements ServerHandle {
  readonly host = HOST;
  readonly restartable = true;
  readonly settings: readonly string[];
  readonly #binary: DaemonBinary;
  readonly #keeper: Keeper;
  readonly #account: Account;
  readonly #membership: Membership | undefined;
  #port = 0;
  #version = '';
  #stopping: Promise<void> | undefined;

  private constructor(
    readonly kind: string,
    binary: DaemonBinary,
    keeper: Keeper,
    settings: readonly string[],
    membership: Membership | undefined,
  ) {
    this.#binary = binary;
    this.#keeper = keeper;
    this.settings = settings;
    this.#membership = membership;
    this.#account = membership?.account ?? newAccount();
  }

  /** Bootstraps and starts a server, alone or as one of a cluster; when that fails nothing is left behind. */
  static async launch(
    kind: string,
    binary: DaemonBinary,
    context: ServerContext,
    membership?: Membership,
  ): Promise<PrivateServer> {
    const keeper = await Keeper.start();
    const server = new PrivateServer(kind, binary, keeper, context.settings, membership);
    try {
      const name = `${binary.flavour} ${binary.version}`;
      server.#makeFolders();
      if (membership?.joins !== true) {
        context.progress({ phase: 'bootstrap', detail: `making a data folder for ${name}` });
        await server.#bootstrap();
      }
      context.progress({ phase: 'start', detail: `starting ${name}` });
      await server.#firstStart();
      context.progress({ phase: 'ready', detail: `${name} answers on ${HOST}:${server.port}` });
      return server;
    } catch (error) {
      await keeper.close().catch(() => undefined);
      throw error;
    }
  }

  get flavour(): Flavour {
    return this.#binary.flavour;
  }

  get version(): string {
    return this.#version;
  }

  get origin(): string {
    return this.#binary.origin;
  }

  get port(): number {
    return this.#port;
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
    return accountUrl(this.#account, HOST, this.#port);
  }

  get pid(): number | undefined {
    return this.#keeper.daemonPid;
  }

  /** Pid of the process that watches over the server. */
  get keeperPid(): number | undefined {
    return this.#keeper.pid;
  }

  /** Where data and log are, until `stop()`. */
  get folder(): string {
    return this.#keeper.folder;
  }

  async shutdown(): Promise<void> {
    await this.#keeper.signalDaemon('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#keeper.signalDaemon('SIGKILL');
  }

  async start(): Promise<void> {
    if (this.#stopping !== undefined) throw new Error('the server was stopped for good');
    await this.#startDaemon([]);
  }

  async restart(): Promise<void> {
    await this.shutdown();
    await this.start();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#keeper.close();
    return this.#stopping;
  }

  #makeFolders(): void {
    // a copy, because a settings file that everybody may write (a shared folder's mode) is ignored by the daemon
    copyFileSync(SETTINGS_FILE, this.#path('server.cnf'));
    chmodSync(this.#path('server.cnf'), 0o600);
    for (const name of ['data', 'tmp']) mkdirSync(this.#path(name), { mode: 0o700 });
  }

  async #bootstrap(): Promise<void> {
    const command = bootstrapCommand(this.#binary, this.folder, this.#baseArgs());
    const { code, signal, error } = await this.#keeper.run(command);
    if (code === 0) return;
    const how = error ?? `exit code ${code ?? signal ?? 'unknown'}`;
    throw new ServerStartError(
      `${this.flavour} could not make its data folder (${how})`,
      tail(command.log),
    );
  }

  async #firstStart(): Promise<void> {
    const sql = this.#path('account.sql');
    const isFirst = this.#membership?.joins !== true;
    if (isFirst) writeFileSync(sql, accountSql(this.#account), { mode: 0o600 });
    for (let attempt = 1; ; attempt++) {
      this.#port = await freePort(this.#membership?.portsOfOthers);
      try {
        await this.#startDaemon(isFirst ? [`--init-file=${sql}`] : []);
        break;
      } catch (error) {
        if (!(error instanceof ServerStartError && error.isPortTaken && attempt < PORT_ATTEMPTS))
          throw error;
      }
    }
    rmSync(sql, { force: true });
    this.#version = await logIn(this.url);
  }

  async #startDaemon(extra: readonly string[]): Promise<void> {
    const log = this.#path('server.log');
    writeFileSync(log, '', { mode: 0o600 });
    const extras = await this.#membership?.startExtras(this.folder, this.#port);
    await this.#keeper.startDaemon({
      command: this.#binary.command,
      args: [
        ...this.#baseArgs(),
        `--bind-address=${HOST}`,
        `--port=${this.#port}`,
        `--socket=${this.#path('socket')}`,
        `--pid-file=${this.#path('pid')}`,
        ...extra,
        ...(extras?.args ?? []),
        ...this.settings,
      ],
      log,
      env: extras?.env ?? {},
    });
    const isAlive = (): boolean => this.pid !== undefined;
    const outcome = await awaitGreeting(HOST, this.#port, START_LIMIT_MS, isAlive);
    try {
      if (outcome === 'greeted')
        return await this.#membership?.awaitReady(this.url, START_LIMIT_MS, isAlive);
    } catch (error) {
      await this.kill();
      throw new ServerStartError(`${this.flavour} ${reasonOf(error)}`, tail(log));
    }
    if (outcome === 'late') await this.kill();
    const how =
      outcome === 'late' ? `did not answer in ${START_LIMIT_MS / 1000} s` : 'ended while starting';
    throw new ServerStartError(`${this.flavour} ${how}`, tail(log));
  }

  /** What bootstrap and every start have in common. The settings file has to come first. */
  #baseArgs(): string[] {
    const { leading, args, flavour } = this.#binary;
    return [
      ...leading,
      `--defaults-file=${this.#path('server.cnf')}`,
      `--datadir=${this.#path('data')}`,
      // a starting MariaDB removes every temporary table it finds there: in a shared /tmp also those of other servers
      `--tmpdir=${this.#path('tmp')}`,
      ...args,
      // both flavours refuse to run as root unless told to
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
      // MySQL would insist on a folder that only its installed package makes
      ...(flavour === 'mysql' ? ['--secure-file-priv=NULL'] : []),
    ];
  }

  #path(name: string): string {
    return join(this.folder, name);
  }
}

/** The end of a log with the errors before it, for an error message; the passwords are in no log. */
function tail(log: string): string {
  try {
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    // a cluster's node writes a hundred lines between what went wrong and its end
    const errors = lines.slice(0, -LOG_TAIL_LINES).filter((line) => /\bERROR\b/.test(line));
    return [...errors.slice(-LOG_TAIL_LINES), ...lines.slice(-LOG_TAIL_LINES)].join('\n');
  } catch (error) {
    return reasonOf(error);
  }
}
