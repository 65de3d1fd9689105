import { createRequire } from 'node:module';
import { explain } from '../driver/explain';
import { BoomerangError, ConfigurationError, InvalidArgumentError, SchemaError } from '../errors';
import { checkPrefix } from '../schema/table-prefix';
import type { Command, Job, Report } from './command';
import { COMMANDS } from './command-list';
import { Target, Unreachable } from './connection';
import { Exit, Undone, UsageError } from './exit';
import { Given, wordsOf } from './given';
import { commandHelp, overview } from './help';
import { wrap } from './layout';
import { nearest } from './nearest';
import type { Terminal } from './terminal';
import { parseDuration } from './units';

const PROGRAM = 'mysql-boomerang';
const TIMEOUT = '10s';

/** What a run has beside its arguments. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends what goes on and on. Whoever asks for it takes Ctrl-C upon itself. */
  readonly interruption: () => AbortSignal;
}

/** Runs one command line. Resolves to the exit code, and never rejects. */
export async function run(args: readonly string[], around: Surroundings): Promise<Exit> {
  const isJson = args.includes('--json');
  try {
    const words = wordsOf(args, COMMANDS);
    const isHelp = args.includes('--help') || args.includes('-h') || words[0] === 'help';
    if (args.includes('--version') || args.includes('-V')) return say(`${version()}\n`, around);
    const named = words[0] === 'help' ? words.slice(1) : words;
    const group = COMMANDS.filter(({ name }) => name.startsWith(`${named[0] ?? ''} `));
    if (named.length === 0) {
      say(overview(COMMANDS, around.terminal), around);
      return isHelp ? Exit.done : Exit.usage;
    }
    if (isHelp && named.length === 1 && group.length > 0) {
      return say(overview(group, around.terminal), around);
    }
    const command = commandOf(named);
    if (isHelp) return say(commandHelp(command, around.terminal), around);
    return await carryOut(command, args, around);
  } catch (error) {
    return tell(error, isJson, around.terminal);
  }
}

function say(text: string, { terminal }: Surroundings): Exit {
  terminal.out(text);
  return Exit.done;
}

function version(): string {
  const manifest = createRequire(__filename)('mysql-boomerang/package.json') as { version: string };
  return manifest.version;
}

/** @throws {UsageError} naming the nearest one. */
function commandOf([first = '', second]: readonly string[]): Command {
  const found = COMMANDS.find(({ name }) => name === first || name === `${first} ${second ?? ''}`);
  if (found !== undefined) return found;
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
  const choices = group.map(({ name }) => name.slice(first.length + 1));
  if (group.length > 0 && second === undefined) {
    throw new UsageError(`${first} wants one of ${choices.join(', ')}`);
  }
  const isMember = group.length > 0 && second !== undefined;
  const given = isMember ? second : first;
  const firsts = [...new Set(COMMANDS.map(({ name }) => name.split(' ', 1)[0] ?? name))];
  const meant = nearest(given, isMember ? choices : firsts);
  // A word, and not a URL that stands in the wrong place.
  const shown = /^[\w-]{1,30}$/.test(given) ? `command '${given}'` : 'such command';
  const hint =
    meant === undefined
      ? `there are ${(isMember ? choices : firsts).join(', ')}`
      : `did you mean ${isMember ? `${first} ${meant}` : meant}?`;
  throw new UsageError(isMember ? `${first} has no ${shown}` : `there is no ${shown}`, hint);
}

async function carryOut(
  command: Command,
  args: readonly string[],
  { terminal, env, interruption }: Surroundings,
): Promise<Exit> {
  const given = new Given(command, args);
  const prefix = checkPrefix(given.text('prefix'));
  const timeout = parseDuration('--timeout', given.text('timeout') ?? TIMEOUT);
  let target: Target | undefined;
  const named = (): Target =>
    (target ??= new Target(given.text('url') ?? env['DATABASE_URL'], timeout));
  let open: ReturnType<Target['connect']> | undefined;
  const show = ({ data, text }: Report): void => {
    terminal.out(given.has('json') ? json(data) : text(terminal));
  };
  const job: Job = {
    given,
    prefix,
    show,
    interruption,
    get options() {
      return named().options;
    },
    get address() {
      return named().address;
    },
    connect: () => (open ??= named().connect()),
  };
  try {
    return await command.run(job);
  } finally {
    const db = await open?.catch(() => undefined);
    await db?.end({ deadline: 1000 });
  }
}

/** On a line of its own: `--watch` writes one after the other. */
function json(data: unknown): string {
  const plain = (_: string, value: unknown): unknown =>
    typeof value === 'bigint' ? value.toString() : value;
  return `${JSON.stringify(data, plain)}\n`;
}

interface Told {
  readonly exit: Exit;
  readonly code: string;
  readonly message: string;
  readonly advice: string | undefined;
}

/** Says what went wrong. Of the server's and the driver's errors never the text, in which values may stand. */
function tell(error: unknown, isJson: boolean, terminal: Terminal): Exit {
  const { exit, code, message, advice } = toldOf(error);
  if (isJson) {
    terminal.out(json({ error: { code, message, ...(advice === undefined ? {} : { advice }) } }));
    return exit;
  }
  const begin = terminal.paint(`${PROGRAM}:`, 'bad');
  terminal.error(`${begin} ${wrap(message, terminal.width, 2)}\n`);
  if (advice !== undefined) terminal.error(`  ${wrap(advice, terminal.width, 2)}\n`);
  if (exit === Exit.usage) terminal.error(`  ${PROGRAM} --help tells what there is.\n`);
  return exit;
}

function toldOf(error: unknown): Told {
  if (error instanceof UsageError) {
    return { exit: Exit.usage, code: 'ERR_USAGE', message: error.message, advice: error.hint };
  }
  if (error instanceof Unreachable) {
    const { message, advice } = error;
    return { exit: Exit.unreachable, code: 'ERR_UNREACHABLE', message, advice };
  }
  if (error instanceof Undone) {
    const { message, advice } = error;
    return { exit: Exit.problem, code: 'ERR_UNDONE', message, advice };
  }
  if (error instanceof ConfigurationError || error instanceof InvalidArgumentError) {
    const { code, message } = error;
    return { exit: Exit.usage, code, message, advice: undefined };
  }
  if (error instanceof SchemaError) {
    const advice = `${PROGRAM} install brings the tables up to date; doctor tells their versions.`;
    return { exit: Exit.problem, code: error.code, message: error.message, advice };
  }
  const { says, advice } = explain(error);
  const { code = (error as Error).name, errno } = error as { code?: string; errno?: number };
  const mark = errno === undefined || errno <= 0 ? code : `${code}, ${errno}`;
  const message = error instanceof BoomerangError ? error.message : `${says} (${mark})`;
  return { exit: Exit.problem, code, message, advice };
}
