import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Command, CommandOptions } from './command';
import { UsageError } from './exit';
import { nearest } from './nearest';
import { parseCount, parseDuration } from './units';

/** Options that every command has. */
export const COMMON: CommandOptions = {
  url: {
    value: '<url>',
    about:
      'the database, mysql://user:password@host:port/database?option=value. Other users of this machine ' +
      'can read a command line: DATABASE_URL keeps the password to yourself',
    default: 'the variable DATABASE_URL',
  },
  prefix: {
    value: '<prefix>',
    about: "begins the names of the library's tables",
    default: 'boomerang_',
  },
  timeout: { value: '<time>', about: 'how long to wait for a connection', default: '10s' },
  json: { about: 'one JSON document in place of text' },
  help: { about: 'this text', short: 'h' },
};

type Config = NonNullable<ParseArgsConfig['options']>;

const configOf = (options: CommandOptions): Config =>
  Object.fromEntries(
    Object.entries(options).map(([name, { value, short, multiple = false }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        multiple,
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );

/** The words that are neither options nor their values, whatever command they may be of. */
export function wordsOf(args: readonly string[], commands: readonly Command[]): string[] {
  const all = Object.assign(
    {},
    COMMON,
    ...commands.map(({ options }) => options),
  ) as CommandOptions;
  const config = { args: [...args], options: configOf(all), strict: false, tokens: true } as const;
  const { tokens } = parseArgs({ ...config, allowPositionals: true });
  return tokens.filter((token) => token.kind === 'positional').map(({ value }) => value);
}

/** What was given to a command on the command line. */
export class Given {
  readonly operands: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws {UsageError} for what the command does not have, with what was probably meant. */
  constructor(command: Command, args: readonly string[]) {
    const options = { ...command.options, ...COMMON };
    checkNames(command, args, options);
    const { values, positionals } = parsed(args, options);
    const operands = positionals.slice(command.name.split(' ').length);
    this.#values = values;
    this.operands = operands;
    if (this.has('help')) return;
    const { least = 0, most = 0, shown = '' } = command.operands ?? {};
    if (operands.length >= least && operands.length <= most) return;
    // Not what was given: it may be a URL with its password.
    const wanted = most === 0 ? 'takes no arguments' : `takes ${shown}`;
    const hint = most === 0 ? 'the database is named by --url or DATABASE_URL' : undefined;
    throw new UsageError(`${command.name} ${wanted}, got ${operands.length}`, hint);
  }

  has(option: string): boolean {
    return this.#values[option] !== undefined;
  }

  text(option: string): string | undefined {
    const value = this.#values[option];
    return typeof value === 'string' ? value : undefined;
  }

  /** Of an option that may be repeated. */
  counts(option: string, least: number): number[] {
    const texts = (this.#values[option] ?? []) as readonly string[];
    return texts.map((text) => parseCount(`--${option}`, text, least));
  }

  /** In ms. */
  duration(option: string): number | undefined {
    const text = this.text(option);
    return text === undefined ? undefined : parseDuration(`--${option}`, text);
  }

  count(option: string, least = 0): number | undefined {
    const text = this.text(option);
    return text === undefined ? undefined : parseCount(`--${option}`, text, least);
  }

  /** One of a few words. */
  choice<T extends string>(option: string, choices: readonly T[]): T | undefined {
    const text = this.text(option);
    if (text === undefined) return undefined;
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    const meant = nearest(text, choices);
    throw new UsageError(
      `--${option} must be one of ${choices.join(', ')}`,
      meant === undefined ? undefined : `did you mean ${meant}?`,
    );
  }
}

function parsed(args: readonly string[], options: CommandOptions) {
  try {
    return parseArgs({ args: [...args], options: configOf(options), allowPositionals: true });
  } catch (error) {
    // Node's texts name the option and never its value.
    throw new UsageError((error as Error).message);
  }
}

function checkNames(command: Command, args: readonly string[], options: CommandOptions): void {
  const config = {
    args: [...args],
    options: configOf(options),
    strict: false,
    tokens: true,
  } as const;
  for (const token of parseArgs({ ...config, allowPositionals: true }).tokens) {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) continue;
    const meant = nearest(token.name, Object.keys(options));
    // A name, and not a URL that was glued to one.
    const shown = /^--?[a-z][a-z-]{0,30}$/i.test(token.rawName)
      ? `option ${token.rawName}`
      : 'such option';
    throw new UsageError(
      `${command.name} has no ${shown}`,
      meant === undefined ? undefined : `did you mean --${meant}?`,
    );
  }
}
