/**
 * Provides a server until Ctrl-C: `node --import tsx scripts/server/main.ts [kind]`. Beside the kinds of
 * `provideServer` there are `galera`, a cluster of three, and `redis`.
 * The URLs go to standard output (they hold the password, which is the point of them), the rest to standard error.
 */
import { provideGalera } from './galera-cluster';
import { provideServer } from './provide-server';
import { provideRedis } from './redis-server';
import { reasonOf } from './server-unavailable-error';

interface Provided {
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

type Log = (line: string) => void;

/** What is more than one database server, or none; any other kind is a row of `serverKinds`. */
const others: Readonly<Record<string, (log: Log) => Promise<Provided>>> = {
  galera: async (log) => {
    const cluster = await provideGalera({ log });
    return { urls: cluster.nodes.map((node) => node.url), stop: () => cluster.stop() };
  },
  redis: async (log) => {
    const redis = await provideRedis({ log });
    return { urls: [redis.url], stop: () => redis.stop() };
  },
};

async function provide(kind: string | undefined, log: Log): Promise<Provided> {
  const other = kind === undefined ? undefined : others[kind];
  if (other !== undefined) return other(log);
  const server = await provideServer({ ...(kind === undefined ? {} : { kind }), log });
  return { urls: [server.url], stop: () => server.stop() };
}

async function main(kind: string | undefined): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const provided = await provide(kind, say);
  for (const url of provided.urls) process.stdout.write(`${url}\n`);
  say('Ctrl-C ends it.');
  const alive = setInterval(() => undefined, 2 ** 30);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve());
  });
  clearInterval(alive);
  await provided.stop();
  say('Stopped.');
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 1;
});
