/**
 * `npm run bench [-- part …]`: measures this library against what is in use elsewhere, on a server
 * of its own, and says for each number whether it reaches its bar. A bar that is missed is no error
 * of the command: on a shared machine that would fail by chance.
 */
import { provideServer, ServerUnavailableError } from '../server';
import { readCommandLine, usage, UsageError, type CommandLine } from './command-line';
import { createItems } from './item-table';
import { loadLibrary } from './library';
import type { BenchServer } from './part';
import { Report } from './report';
import { settingOf } from './setting';

/** Transactions would otherwise measure the disk: a commit waits for it once a second. */
const SERVER_SETTINGS = ['--innodb-flush-log-at-trx-commit=2'];

async function measure(server: BenchServer, commandLine: CommandLine): Promise<void> {
  const { blocks, statements, json, parts } = commandLine;
  const library = loadLibrary();
  const report = new Report(await settingOf(server));
  await createItems(server);
  report.head(blocks);
  for (const part of parts) {
    report.begin(part);
    for (const row of await part.run({ library, server, blocks, statements })) report.row(row);
  }
  report.foot();
  if (json !== undefined) report.write(json);
}

function stopOnSignal(server: BenchServer): void {
  const codes = { SIGINT: 130, SIGTERM: 143 };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void server.stop().finally(() => process.exit(codes[signal]));
    });
  }
}

async function main(): Promise<void> {
  const commandLine = readCommandLine(process.argv.slice(2));
  if (commandLine.list) {
    console.log(usage);
    return;
  }
  const kind = commandLine.server;
  const server = await provideServer({
    settings: SERVER_SETTINGS,
    ...(kind === undefined ? {} : { kind }),
  });
  stopOnSignal(server);
  try {
    await measure(server, commandLine);
  } finally {
    await server.stop();
  }
}

main().catch((error: unknown) => {
  const known = error instanceof UsageError || error instanceof ServerUnavailableError;
  console.error(known ? error.message : error);
  process.exitCode = 1;
});
