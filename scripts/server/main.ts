/**
 * Provides a server until Ctrl-C: `node --import tsx scripts/server/main.ts [kind]`.
 * The URL goes to standard output (it holds the password, which is the point of it), the rest to standard error.
 */
import { provideServer } from './provide-server';
import { reasonOf } from './server-unavailable-error';

async function main(kind: string | undefined): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const server = await provideServer({ ...(kind === undefined ? {} : { kind }), log: say });
  process.stdout.write(`${server.url}\n`);
  say('Ctrl-C ends it.');
  const alive = setInterval(() => undefined, 2 ** 30);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve());
  });
  clearInterval(alive);
  await server.stop();
  say('Stopped.');
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 1;
});
