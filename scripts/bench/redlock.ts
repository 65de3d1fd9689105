import { Redis } from 'ioredis';
import { createRequire } from 'node:module';
import { provideRedis, ServerUnavailableError, type RedisHandle } from '../server';

/** What is used of it: its declarations cannot be found through its own `exports`. */
export interface Redlock {
  acquire(resources: string[], duration: number): Promise<{ release(): Promise<unknown> }>;
  using<T>(
    resources: string[],
    duration: number,
    routine: (signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

interface RedlockModule {
  readonly default: new (clients: Redis[], settings: object) => Redlock;
}

export interface OpenRedlock {
  readonly redlock: Redlock;
  readonly redis: Redis;
}

/**
 * @param port of a Redis, or of a proxy before one.
 * @param settings its own defaults, where none are given.
 */
export function openRedlock(port: number, settings: object = {}): OpenRedlock {
  const require = createRequire(__filename);
  const { default: Lock } = require('redlock') as RedlockModule;
  const redis = new Redis({ host: '127.0.0.1', port });
  // Whoever waits on it is told by what it waits for.
  redis.on('error', () => undefined);
  const redlock = new Lock([redis], settings);
  redlock.on('error', () => undefined);
  return { redlock, redis };
}

/** A Redis for comparison; `undefined`, and said so, where there is none to be had. */
export async function redisForComparison(): Promise<RedisHandle | undefined> {
  try {
    return await provideRedis();
  } catch (error) {
    if (!(error instanceof ServerUnavailableError)) throw error;
    console.log(`no comparison with redlock: ${error.message}`);
    return undefined;
  }
}
