import { setTimeout as wait } from 'node:timers/promises';
import { BlackHole } from './black-hole';
import type { Bench, Part } from './part';
import { openRedlock, redisForComparison } from './redlock';
import type { Measurement } from './result';
import { spreadOf } from './spread';
import type { RedisHandle } from '../server';

/** How long the locks live, in ms. */
const TTL = 1500;

/** How the holder loses the lock. */
type Loss = 'network' | 'steal';

/** When the holder's code was told, in ms after the next one had the lock; below 0 is before that. */
type Trial = (loss: Loss) => Promise<number>;

let names = 0;

function firedAt(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(performance.now()), { once: true });
  });
}

function ours({ library, server }: Bench): Trial {
  const { DistributedLocks, RetryingPooledDatabase, install } = library;
  return async (loss) => {
    const name = `steal ${names++}`;
    const proxy = await BlackHole.start(server);
    const { user, password, database } = server;
    const near = new RetryingPooledDatabase({ uri: server.url });
    const far = new RetryingPooledDatabase({
      host: '127.0.0.1',
      port: proxy.port,
      user,
      password,
      database,
      logLevel: 'silent',
    });
    await install(near);
    const [mine, theirs] = [new DistributedLocks(far), new DistributedLocks(near)];
    const lease = await mine.acquire(name, { ttl: TTL });
    const learnt = firedAt(lease.signal);
    if (loss === 'network') proxy.fallSilent();
    else await theirs.forceRelease(name);
    const next = await theirs.acquire(name, { ttl: TTL });
    const got = performance.now();
    const late = (await learnt) - got;
    await next.release();
    await theirs.close();
    await Promise.all([far.end({ deadline: 0 }), near.end({ deadline: 0 })]);
    await proxy.close();
    return late;
  };
}

function redlock(server: RedisHandle): Trial {
  return async (loss) => {
    const name = `steal ${names++}`;
    const proxy = await BlackHole.start(server);
    const [far, near] = [
      openRedlock(proxy.port),
      openRedlock(server.port, { retryCount: -1, retryDelay: 20 }),
    ];
    let begun = (): void => undefined;
    const held = new Promise<void>((resolve) => (begun = resolve));
    let fired = Infinity;
    const holding = far.redlock.using([name], TTL, async (signal) => {
      begun();
      fired = await firedAt(signal);
    });
    await held;
    if (loss === 'network') proxy.fallSilent();
    else await near.redis.del(name);
    // Not released: where it has ended meanwhile, redlock would try that for ever.
    await near.redlock.acquire([name], TTL);
    const got = performance.now();
    // On a dead network it may never learn of it by itself; that is not waited for.
    await Promise.race([holding.catch(() => undefined), wait(6000)]);
    far.redis.disconnect();
    near.redis.disconnect();
    await proxy.close();
    return fired - got;
  };
}

const ABOUT: Readonly<Record<Loss, string>> = {
  network: 'the holder’s network is dead',
  steal: 'the lock is taken away',
};

function toldIn(times: readonly number[]): string {
  const { median, min, max } = spreadOf(times);
  const ms = (time: number): string => (time === Infinity ? 'never' : time.toFixed(0));
  return `${ms(median)} ms [${ms(min)} to ${ms(max)}]`;
}

async function run(bench: Bench): Promise<Measurement[]> {
  const redis = await redisForComparison();
  try {
    const trials: Trial[] = [ours(bench), ...(redis === undefined ? [] : [redlock(redis)])];
    const rows: Measurement[] = [];
    for (const loss of ['network', 'steal'] as const) {
      const sides: string[] = [];
      for (const trial of trials) {
        const times: number[] = [];
        for (let count = 0; count < bench.blocks; count++) times.push(await trial(loss));
        sides.push(toldIn(times));
      }
      rows.push({
        part: 'lock-steal',
        name: `${ABOUT[loss]} : redlock`,
        concurrency: 2,
        figures: sides.join(' : '),
        bars: [],
      });
    }
    return rows;
  } finally {
    await redis?.stop();
  }
}

export const lockStealPart: Part = {
  name: 'lock-steal',
  summary: `when a holder learns that it lost its lock of ${TTL} ms, after the next one had it`,
  run,
};
