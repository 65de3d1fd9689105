import { type ChildProcess, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** How a process ended: a code, or the signal that ended it, or why it could not be started. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: string;
}

/** A command whose output is appended to the file `log`, and whose standard input is the file `input`. */
export interface KeptCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly log: string;
  readonly input?: string;
  /** Added to the environment of the keeper, which is that of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A command the keeper runs last, also when this process is gone by then. */
export interface CleanupCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly event?: 'ready' | 'start' | 'exit';
  readonly folder?: string;
  readonly pid?: number;
}

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Environment of the keeper: without what would load this process's hooks (tsx, coverage) into it as well. */
function keeperEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...rest } = process.env;
  return rest;
}

/**
 * This process's end of the keeper (see `keeper-process.cjs`). The keeper never keeps this process alive, except while a
 * call on it is pending; once this process has ended, the keeper stops the daemon and removes the folder.
 */
export class Keeper {
  readonly #child: ChildProcess;
  readonly #waiters = new Map<number, Waiter>();
  #ready: Waiter | undefined;
  #folder = '';
  #nextId = 1;
  #holds = 0;
  #daemonPid: number | undefined;
  #ended = false;

  private constructor(cleanup: CleanupCommand | undefined) {
    this.#child = fork(join(__dirname, 'keeper-process.cjs'), [JSON.stringify({ cleanup })], {
      detached: true,
      env: keeperEnvironment(),
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (message) => this.#receive(message as Message));
    this.#child.once('error', (error) => this.#lost(error));
    this.#child.once('exit', () => this.#lost(new Error('the keeper of the server has ended')));
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Starts a keeper and resolves when its folder is there. */
  static async start(cleanup?: CleanupCommand): Promise<Keeper> {
    const keeper = new Keeper(cleanup);
    await keeper.#held(
      new Promise<unknown>((resolve, reject) => {
        keeper.#ready = { resolve, reject };
      }),
    );
    return keeper;
  }

  /** Private folder (mode 0700) that lives as long as the keeper. */
  get folder(): string {
    return this.#folder;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The daemon that runs now, if one does. */
  get daemonPid(): number | undefined {
    return this.#daemonPid;
  }

  /** Runs a command to its end. */
  async run(command: KeptCommand): Promise<Ending> {
    return (await this.#ask('run', command)) as Ending;
  }

  /** Starts the daemon; resolves as soon as the process is there, which says nothing about its readiness. */
  async startDaemon(command: KeptCommand): Promise<void> {
    await this.#ask('start', command);
  }

  /** Sends a signal to the daemon and resolves when it has ended; SIGKILL follows after ten seconds. */
  async signalDaemon(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#ask('signal', { signal });
  }

  /** Stops the daemon, removes the folder, ends the keeper. May be called again, and after the keeper was lost. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    await this.#held(
      (async () => {
        await this.#ask('close', {});
        this.#ended = true;
        this.#child.disconnect();
        await gone;
      })(),
    );
  }

  #ask(verb: string, request: object): Promise<unknown> {
    return this.#held(
      new Promise<unknown>((resolve, reject) => {
        if (this.#ended) throw new Error('the server was stopped for good');
        const id = this.#nextId++;
        this.#waiters.set(id, { resolve, reject });
        this.#child.send({ id, verb, ...request });
      }),
    );
  }

  #receive({ id, result, error, event, folder, pid }: Message): void {
    if (event === 'ready') {
      this.#folder = folder ?? '';
      this.#ready?.resolve(undefined);
    } else if (event !== undefined) {
      // here and not where the call resolves: a daemon that ends at once would be taken for alive
      this.#daemonPid = pid;
    } else if (id !== undefined) {
      const waiter = this.#waiters.get(id);
      this.#waiters.delete(id);
      if (error === undefined) waiter?.resolve(result);
      else waiter?.reject(new Error(error));
    }
  }

  /** Somebody ended the keeper from outside: what it would have cleaned up is then done here. */
  #lost(error: Error): void {
    const expected = this.#ended;
    this.#ended = true;
    this.#ready?.reject(error);
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
    if (expected) return;
    if (this.#daemonPid !== undefined) killQuietly(this.#daemonPid);
    // again and again: what the daemon was just doing may still put a file there
    const patience = { maxRetries: 10, retryDelay: 50 };
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true, ...patience });
  }

  /** Keeps this process alive while `work` is pending. */
  async #held<T>(work: Promise<T>): Promise<T> {
    if (this.#holds++ === 0) {
      this.#child.ref();
      this.#child.channel?.ref();
    }
    try {
      return await work;
    } finally {
      if (--this.#holds === 0) {
        this.#child.unref();
        this.#child.channel?.unref();
      }
    }
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}
