import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { unpackPackages } from './debian-packages';
import { freePort } from './free-port';
import { Keeper } from './keeper';
import { findProgram } from './path-daemon';
import type { ServerContext } from './server-handle';
import { ServerStartError } from './server-start-error';
import { reasonOf, ServerUnavailableError } from './server-unavailable-error';

const KIND = 'redis';
const HOST = '127.0.0.1';
const START_LIMIT_MS = 60_000;
const POLL_MS = 20;
const PORT_ATTEMPTS = 5;

/** A running Redis that keeps nothing on disk. Whoever asked for it calls `stop()`. */
export interface RedisHandle {
  /** One sentence saying where it came from. */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  /** `redis://host:port` */
  readonly url: string;
  /** Pid of the daemon while it runs. */
  readonly pid: number | undefined;
  /** Pid of the process that watches over it. */
  readonly keeperPid: number | undefined;
  /** Ends it for good. A second caller gets the first one's promise. */
  stop(): Promise<void>;
}

export type RedisOptions = Partial<Omit<ServerContext, 'settings'>>;

interface RedisProgram {
  readonly command: string;
  readonly leading: readonly string[];
  readonly origin: string;
}

async function findRedis(context: Pick<ServerContext, 'env' | 'progress'>): Promise<RedisProgram> {
  const command = findProgram('redis-server', context.env);
  if (command !== undefined)
    return { command, leading: [], origin: `a private Redis from ${command}, found on PATH` };
  const unpacked = await unpackPackages({ packages: ['redis-server'] }, context);
  return {
    command: unpacked.loader,
    leading: [...unpacked.loaderArgs, unpacked.program('redis-server')],
    origin: `a private Redis, unpacked from the packages of ${unpacked.release}`,
  };
}

/**
 * Provides a Redis on 127.0.0.1: the one on PATH, else one unpacked from the packages of this machine's own release.
 * Whatever ends this process ends it too. It is for comparisons only; the library needs none.
 *
 * Rejects with `ServerUnavailableError`, whose message is the reason, where there is none to be had, and with
 * `ServerStartError` when it does not start.
 */
export async function provideRedis(options: RedisOptions = {}): Promise<RedisHandle> {
  const { env = process.env, log = () => undefined, progress = () => undefined } = options;
  try {
    const program = await findRedis({ env, progress });
    progress({ phase: 'start', detail: 'starting Redis' });
    const redis = await PrivateRedis.launch(program);
    progress({ phase: 'ready', detail: `Redis answers on ${HOST}:${redis.port}` });
    log(`The server is ${redis.origin}.`);
    return redis;
  } catch (error) {
    if (error instanceof ServerStartError) throw error;
    throw new ServerUnavailableError(KIND, `${KIND}: ${reasonOf(error)}`, { cause: error });
  }
}

class PrivateRedis implements RedisHandle {
  readonly host = HOST;
  readonly origin: string;
  readonly #keeper: Keeper;
  #port = 0;
  #stopping: Promise<void> | undefined;

  private constructor(keeper: Keeper, origin: string) {
    this.#keeper = keeper;
    this.origin = origin;
  }

  static async launch(program: RedisProgram): Promise<PrivateRedis> {
    const keeper = await Keeper.start();
    const redis = new PrivateRedis(keeper, program.origin);
    try {
      for (let attempt = 1; ; attempt++) {
        redis.#port = await freePort();
        try {
          await redis.#start(program);
          return redis;
        } catch (error) {
          if (!(error instanceof ServerStartError && error.isPortTaken && attempt < PORT_ATTEMPTS))
            throw error;
        }
      }
    } catch (error) {
      await keeper.close().catch(() => undefined);
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `redis://${HOST}:${this.#port}`;
  }

  get pid(): number | undefined {
    return this.#keeper.daemonPid;
  }

  get keeperPid(): number | undefined {
    return this.#keeper.pid;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#keeper.close();
    return this.#stopping;
  }

  async #start({ command, leading }: RedisProgram): Promise<void> {
    const log = join(this.#keeper.folder, 'redis.log');
    const settings = {
      bind: HOST,
      port: String(this.#port),
      dir: this.#keeper.folder,
      daemonize: 'no',
      // nothing is to outlive the process
      save: '',
      appendonly: 'no',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    await this.#keeper.startDaemon({ command, args: [...leading, ...args], log });
    const deadline = Date.now() + START_LIMIT_MS;
    // asked for its pid, since somebody else's may be on a port that ours did not get
    while ((await pidOfRedis(this.#port)) !== this.pid || this.pid === undefined) {
      const ended = this.pid === undefined;
      if (!ended && Date.now() < deadline) {
        await delay(POLL_MS);
        continue;
      }
      if (!ended) await this.#keeper.signalDaemon('SIGKILL');
      throw new ServerStartError(
        `Redis ${ended ? 'ended while starting' : `did not answer in ${START_LIMIT_MS / 1000} s`}`,
        readFileSync(log, 'utf8').trimEnd(),
      );
    }
  }
}

/** Pid of the Redis that answers on a port, in Redis's own words. */
function pidOfRedis(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port }, () => socket.write('INFO server\r\n'));
    let words = '';
    const settle = (pid?: number): void => {
      socket.destroy();
      resolve(pid);
    };
    socket.setTimeout(2000, () => settle());
    socket.once('error', () => settle());
    socket.once('close', () => settle());
    socket.on('data', (bytes) => {
      words += bytes.toString();
      const pid = /^process_id:(\d+)\r$/m.exec(words)?.[1];
      if (pid !== undefined) settle(Number(pid));
      // anything but a long string is not what was asked for
      else if (!words.startsWith('$')) settle();
    });
  });
}
